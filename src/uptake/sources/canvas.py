"""Canvas LMS over REST.

Protocol: https://developerdocs.instructure.com/services/canvas (resources and their attributes),
https://developerdocs.instructure.com/services/canvas/basics/file.pagination (opaque `Link` paging) and
https://developerdocs.instructure.com/services/canvas/basics/file.throttling (403 or 429 when the bucket is empty).
Ids are 64-bit integers, beyond what a double holds; they stay exact here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field as Key

from uptake.contracts import TIMESTAMP, Batch, Field, Resource, Window
from uptake.credentials import Credential
from uptake.errors import ConfigError
from uptake.parsing import parse_records
from uptake.sources.api import BATCH_ROWS, ApiSettings, ApiSource, utc_text
from uptake.sources.auth import BearerToken
from uptake.sources.paging import Page, ahead, gathered, link_pages, rows_at_top, rows_in
from uptake.sources.windows import DAY, WEEK, entity_windows, next_start, tiles

_ID = pa.int64()
_DAILY = timedelta(days=1)


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _person(name: str, **rules: str | bool) -> Field:
    return Field(name, identifier="canvas_user", local_id=True, **rules)  # type: ignore[arg-type]


# Parents before children.
RESOURCES: dict[str, Resource] = {
    resource.name: resource
    for resource in (
        Resource(
            "accounts",
            (
                Field("id", _ID),
                Field("name"),
                Field("parent_account_id", _ID),
                Field("root_account_id", _ID),
                Field("sis_account_id"),
                Field("workflow_state"),
            ),
            key=("id",),
            full_sync_every=_DAILY,
            ignored=_names(
                """uuid default_time_zone default_storage_quota_mb default_user_storage_quota_mb
                default_group_storage_quota_mb integration_id sis_import_id lti_guid course_template_id"""
            ),
            doc="The district's root account and its schools.",
        ),
        Resource(
            "terms",
            (
                Field("id", _ID),
                Field("name"),
                Field("sis_term_id"),
                Field("start_at", TIMESTAMP),
                Field("end_at", TIMESTAMP),
                Field("workflow_state"),
            ),
            key=("id",),
            full_sync_every=_DAILY,
            ignored=_names("created_at grading_period_group_id overrides sis_import_id course_count"),
            doc="Enrolment terms.",
        ),
        Resource(
            "courses",
            (
                Field("id", _ID),
                Field("sis_course_id"),
                Field("name"),
                Field("course_code"),
                Field("enrollment_term_id", _ID),
                Field("workflow_state"),
                Field("account_id", _ID),
                Field("start_at", TIMESTAMP),
                Field("end_at", TIMESTAMP),
            ),
            key=("id",),
            full_sync_every=_DAILY,
            ignored=_names(
                """uuid integration_id sis_import_id root_account_id grading_standard_id original_name created_at locale
                enrollments total_students calendar default_view syllabus_body needs_grading_count term course_progress
                apply_assignment_group_weights permissions is_public is_public_to_auth_users public_syllabus
                public_syllabus_to_auth public_description storage_quota_mb storage_quota_used_mb hide_final_grades
                license allow_student_assignment_edits allow_wiki_comments allow_student_forum_attachments
                open_enrollment self_enrollment restrict_enrollments_to_course_dates course_format
                access_restricted_by_date time_zone blueprint blueprint_restrictions homeroom_course course_color
                friendly_name template grade_passback_setting blueprint_restrictions_by_object_type
                banner_image image_download_url conclude_at"""
            ),
            doc="Courses of the account and of the accounts below it.",
        ),
        Resource(
            "sections",
            (Field("id", _ID), Field("course_id", _ID, required=True), Field("sis_section_id"), Field("name")),
            key=("id",),
            full_sync_every=_DAILY,
            delete_scope=("course_id",),
            ignored=_names(
                """integration_id sis_import_id sis_course_id start_at end_at restrict_enrollments_to_section_dates
                nonxlist_course_id total_students students enrollment_role created_at"""
            ),
            doc="Sections of a course.",
        ),
        Resource(
            "users",
            (
                _person("id"),
                Field("sis_user_id", identifier="sis_user"),
                Field("login_id", identifier="email"),
                Field("email", identifier="email"),
                Field("name", vault="full_name"),
                Field("created_at", TIMESTAMP),
            ),
            key=("id",),
            full_sync_every=_DAILY,
            person="id",
            ignored=_names(
                """sortable_name short_name first_name last_name integration_id sis_import_id avatar_url avatar_state
                enrollments locale effective_locale last_login time_zone bio pronouns pronunciation
                lti_user_id root_account uuid"""
            ),
            doc="People of the account. Names go to the vault.",
        ),
        Resource(
            "enrollments",
            (
                Field("id", _ID),
                _person("user_id", required=True),
                Field("course_id", _ID, required=True),
                Field("course_section_id", _ID),
                Field("type"),
                Field("enrollment_state"),
                Field("last_activity_at", TIMESTAMP),
                Field("total_activity_time", _ID, doc="seconds"),
                Field("created_at", TIMESTAMP),
                Field("updated_at", TIMESTAMP),
            ),
            key=("id",),
            full_sync_every=_DAILY,
            delete_scope=("course_id",),
            ignored=_names(
                """sis_account_id sis_course_id course_integration_id sis_section_id section_integration_id
                sis_import_id sis_user_id limit_privileges_to_course_section root_account_id associated_user_id role
                role_id start_at end_at completed_at last_attended_at html_url grades user override_grade
                override_score unposted_current_grade unposted_final_grade unposted_current_score unposted_final_score
                has_grading_periods totals_for_all_grading_periods_option current_grading_period_title
                current_grading_period_id current_period_override_grade current_period_override_score
                current_period_unposted_current_score current_period_unposted_final_score
                current_period_unposted_current_grade current_period_unposted_final_grade self_enrollment"""
            ),
            doc="Who is in which course and section. Grades are not read.",
        ),
        Resource(
            "assignments",
            (
                Field("id", _ID),
                Field("course_id", _ID, required=True),
                Field("name"),
                Field("due_at", TIMESTAMP),
                Field("unlock_at", TIMESTAMP),
                Field("points_possible", pa.float64()),
                Field("grading_type"),
                Field("workflow_state"),
                Field("created_at", TIMESTAMP),
                Field("updated_at", TIMESTAMP),
            ),
            key=("id",),
            full_sync_every=_DAILY,
            delete_scope=("course_id",),
            ignored=_names(
                """description lock_at has_overrides all_dates html_url submissions_download_url assignment_group_id
                due_date_required allowed_extensions max_name_length turnitin_enabled vericite_enabled
                turnitin_settings grade_group_students_individually external_tool_tag_attributes peer_reviews
                automatic_peer_reviews peer_review_count peer_reviews_assign_at intra_group_peer_reviews
                group_category_id needs_grading_count needs_grading_count_by_section position post_to_sis
                integration_id integration_data has_submitted_submissions grading_standard_id published unpublishable
                only_visible_to_overrides locked_for_user lock_info lock_explanation quiz_id anonymous_submissions
                discussion_topic freeze_on_copy frozen frozen_attributes submission use_rubric_for_grading
                rubric_settings rubric assignment_visibility overrides omit_from_final_grade hide_in_gradebook
                moderated_grading grader_count final_grader_id grader_comments_visible_to_graders
                graders_anonymous_to_graders grader_names_visible_to_final_grader anonymous_grading allowed_attempts
                post_manually score_statistics can_submit ab_guid annotatable_attachment_id anonymize_students
                require_lockdown_browser important_dates muted anonymous_peer_reviews
                anonymous_instructor_annotations secure_params lti_context_id is_quiz_assignment submission_types
                original_course_id original_assignment_id original_lti_resource_link_id original_assignment_name
                original_quiz_id can_duplicate in_closed_grading_period restrict_quantitative_data bucket
                sis_assignment_id visible_to_everyone suppress_assignment checkpoints
                has_sub_assignments"""
            ),
            doc="Assignments of a course.",
        ),
        Resource(
            "submissions",
            (
                Field("id", _ID),
                Field("assignment_id", _ID, required=True),
                _person("user_id", required=True),
                Field("course_id", _ID, doc="put in by the source: the course that was asked"),
                Field("score", pa.float64()),
                Field("submitted_at", TIMESTAMP),
                Field("graded_at", TIMESTAMP),
                Field("workflow_state"),
                Field("late", pa.bool_()),
                Field("missing", pa.bool_()),
            ),
            key=("id",),
            cursor=True,
            lookback=timedelta(hours=1),
            delete_scope=("course_id",),
            ignored=_names(
                """attempt body grade grade_matches_current_submission html_url preview_url submission_comments
                submission_history submission_type url assignment course user grader_id assignment_visible excused
                late_policy_status points_deducted seconds_late extra_attempts anonymous_id posted_at read_status
                redo_request cached_due_date custom_grade_status_id sticker entered_grade entered_score
                grading_period_id media_comment_id media_comment_type attachments discussion_entries rubric_assessment
                has_originality_report turnitin_data external_tool_url attachment_ids lti_user_id"""
            ),
            doc="Work handed in and its score. Bodies, comments and files are not read.",
        ),
        Resource(
            "page_views",
            (
                Field("id"),
                _person("user_id", path="links.user", required=True),
                Field("url", url=True),
                Field("context_type"),
                Field("context_id", _ID, path="links.context", doc="the course where context_type is Course"),
                Field("asset_type"),
                Field("controller"),
                Field("action"),
                Field("interaction_seconds", pa.float64()),
                Field("created_at", TIMESTAMP),
                Field("user_request", pa.bool_()),
                Field("participated", pa.bool_()),
                _person("real_user_id", path="links.real_user", doc="set when someone acts as the user"),
            ),
            key=("id",),
            kind="event",
            event_time="created_at",
            cursor=True,
            lookback=timedelta(hours=1),
            full_sync_every=None,
            retention=timedelta(days=30),
            ignored=_names(
                """links.asset links.account session_id user_agent remote_ip http_method render_time contributed
                summarized updated_at app_name"""
            ),
            doc="Requests of a user to Canvas. Canvas lists the last 30 days.",
        ),
    )
}


# A person who has left still has page views of the days before: the deleted are asked for too.
_STATES = ("active", "invited", "creation_pending", "completed", "inactive", "deleted")
# Canvas writes last_activity_at at most every few minutes.
_ACTIVITY_MARGIN = timedelta(minutes=15)


class CanvasSettings(ApiSettings):
    """url: the district's Canvas. account: its root account. page_size: Canvas may give less.

    ids: `own` for a second Canvas of the district, which numbers its users as the first one does; changing it makes its
    accounts new ones.

    history_days: how far back page views are read at first; Canvas keeps 30 days in this list.
    """

    kind: Literal["canvas"] = "canvas"
    account: str = "self"
    ids: Literal["shared", "own"] = "shared"
    page_size: Annotated[int, Key(ge=1, le=100)] = 100
    history_days: Annotated[int, Key(ge=1, le=30)] = 30

    @property
    def numbering(self) -> str | None:
        return self.url.host if self.ids == "shared" else None


class Canvas(ApiSource):
    """One Canvas account and what is below it.

    Sections, enrolments, assignments and submissions are asked for course by course, page views person by person. The
    list of courses and the last activity of each person are read once for each `with` block.
    """

    kind: ClassVar[str] = "canvas"
    namespace: ClassVar[str] = "canvas"
    settings_model: ClassVar[type[CanvasSettings]] = CanvasSettings
    declared = RESOURCES

    def __init__(self, settings: CanvasSettings, credential: Credential | None) -> None:
        super().__init__(settings, credential)
        self._account = f"api/v1/accounts/{settings.account}"
        self._qualifier = settings.name if settings.ids == "own" else None
        self._page_size = settings.page_size
        self._history = timedelta(days=settings.history_days)
        self._courses: list[int] | None = None
        self._last_active: dict[int, datetime] | None = None

    @property
    def resources(self) -> Mapping[str, Resource]:
        if self._qualifier is None:
            return RESOURCES
        return {name: replace(resource, qualifier=self._qualifier) for name, resource in RESOURCES.items()}

    def _auth(self, settings: CanvasSettings, credential: Credential) -> BearerToken:
        if not credential.password:
            raise ConfigError(
                f"connection {settings.connection!r} has no access token", remedy="put it in its password."
            )
        return BearerToken(credential.password)

    def windows(self, resource: Resource, *, since: datetime | None, until: datetime, full: bool) -> list[Window]:
        if resource.kind == "entity":
            return entity_windows(resource, since, until, full)
        # What Canvas no longer lists whole is not asked for.
        first = next_start(until - self._history + _ACTIVITY_MARGIN, DAY)
        return tiles(max(since, first) if since and not full else first, until, (WEEK, DAY))

    def pull(self, resource: Resource, window: Window) -> Iterator[Batch]:
        for page in gathered(ahead(self._pages(resource.name, window)), BATCH_ROWS):
            yield parse_records(resource, page.rows)

    def probe(self) -> str:
        answer = self.client.get(self._account, is_probe=True)
        name = answer.data.get("name") if isinstance(answer.data, dict) else None
        return f"Canvas at {answer.url.host} answers and takes the credential; account {name!r}."

    def _pages(self, name: str, window: Window) -> Iterator[Page]:
        match name:
            case "accounts":
                yield Page([self.client.get(self._account).data])
                yield from self._list(f"{self._account}/sub_accounts", {"recursive": "true"})
            case "terms":
                yield from self._list(f"{self._account}/terms", {"workflow_state[]": "all"}, "enrollment_terms")
            case "courses":
                yield from self._course_pages()
            case "users":
                yield from self._list(f"{self._account}/users", {"include[]": "email"})
            case "submissions":
                yield from self._submission_pages(window)
            case "page_views":
                yield from self._page_view_pages(window)
            case "enrollments":
                yield from self._enrollment_pages()
            case _:
                yield from self._of_each_course(name, {})

    def _list(
        self, path: str, params: dict[str, Any] | Sequence[tuple[str, Any]], name: str | None = None
    ) -> Iterator[Page]:
        pairs = list(params.items()) if isinstance(params, dict) else params
        rows_of = rows_in(name) if name else rows_at_top
        return link_pages(self.client, path, pairs, page_size=self._page_size, rows_of=rows_of)

    def _course_pages(self) -> Iterator[Page]:
        found: list[int] = []
        for page in self._list(f"{self._account}/courses", {}):
            found.extend(_ids(page.rows))
            yield page
        self._courses = found

    def _course_ids(self) -> list[int]:
        if self._courses is None:
            for _ in self._course_pages():
                pass
        return self._courses or []

    def _of_each_course(self, path: str, params: dict[str, Any] | Sequence[tuple[str, Any]]) -> Iterator[Page]:
        for course in self._course_ids():
            yield from self._list(f"api/v1/courses/{course}/{path}", params)

    def _enrollment_pages(self) -> Iterator[Page]:
        latest: dict[int, datetime] = {}
        for page in self._of_each_course("enrollments", [("state[]", state) for state in _STATES]):
            for person, moment in _activity(page.rows):
                if person not in latest or latest[person] < moment:
                    latest[person] = moment
            yield page
        self._last_active = latest

    def _submission_pages(self, window: Window) -> Iterator[Page]:
        """Of each course: everything, or what was handed in and what was graded since the window's start.

        Canvas reads the two filters together as "both", so they are asked for one after the other.
        """
        asked: list[tuple[str, Any]] = [("student_ids[]", "all")]
        filters: list[list[tuple[str, Any]]] = [[]]
        if window.mode == "incremental" and window.start is not None:
            since = utc_text(window.start)
            filters = [[("submitted_since", since)], [("graded_since", since)]]
        for course in self._course_ids():
            for extra in filters:
                for page in self._list(f"api/v1/courses/{course}/students/submissions", [*asked, *extra]):
                    for row in page.rows:
                        if isinstance(row, dict):
                            row.setdefault("course_id", course)
                    yield page

    def _page_view_pages(self, window: Window) -> Iterator[Page]:
        """Of each person who may have been active in the window: last seen after its start.

        A later activity hides an earlier one, so "last seen before its end" would lose people.
        """
        if window.start is None or window.end is None:
            raise ValueError("page views are asked for by a window of time")
        span = {"start_time": utc_text(window.start), "end_time": utc_text(window.end)}
        for person in self._active_since(window.start - _ACTIVITY_MARGIN):
            for page in self._list(f"api/v1/users/{person}/page_views", span):
                rows = [row for row in page.rows if _is_within(row, window.start, window.end)]
                for row in rows:
                    if isinstance(row, dict) and "links" not in row:
                        row["links"] = {"user": person}  # the list is this person's own
                yield Page(rows)

    def _active_since(self, moment: datetime) -> list[int]:
        if self._last_active is None:
            for _ in self._enrollment_pages():
                pass
        return sorted(person for person, last in (self._last_active or {}).items() if last >= moment)


def _ids(rows: Iterable[Any]) -> list[int]:
    return [row["id"] for row in rows if isinstance(row, dict) and isinstance(row.get("id"), int)]


def _activity(rows: Iterable[Any]) -> Iterator[tuple[int, datetime]]:
    """(person, last activity) of enrolments that have one. What is malformed is rejected where it is parsed."""
    for row in rows:
        if isinstance(row, dict) and isinstance(row.get("user_id"), int):
            moment = _moment(row.get("last_activity_at"))
            if moment is not None:
                yield row["user_id"], moment


def _moment(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None


def _is_within(row: Any, start: datetime, end: datetime) -> bool:
    """False only for a view of another window, which Canvas may send when the ends are inclusive."""
    moment = _moment(row.get("created_at")) if isinstance(row, dict) else None
    return moment is None or start <= moment < end
