"""Canvas LMS over REST.

Protocol: https://developerdocs.instructure.com/services/canvas (resources and their attributes),
https://developerdocs.instructure.com/services/canvas/basics/file.pagination (opaque `Link` paging) and
https://developerdocs.instructure.com/services/canvas/basics/file.throttling (403 or 429 when the bucket is empty).
Ids are 64-bit integers, beyond what a double holds; they stay exact here.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

import pyarrow as pa
from pydantic import Field as Key
from pydantic import HttpUrl

from uptake.config import SourceSettings
from uptake.contracts import TIMESTAMP, Field, Resource

_ID = pa.int64()
_DAILY = timedelta(days=1)


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _person(name: str, **rules: str | bool) -> Field:
    return Field(name, identifier="canvas_user", **rules)  # type: ignore[arg-type]


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
            ignored=_names(
                """links.asset links.account session_id user_agent remote_ip http_method render_time contributed
                summarized updated_at app_name"""
            ),
            doc="Requests of a user to Canvas. Canvas lists the last 30 days.",
        ),
    )
}


class CanvasSettings(SourceSettings):
    """url: the district's Canvas. account: its root account. history_days: how far back page views are first read."""

    kind: Literal["canvas"] = "canvas"
    url: HttpUrl
    account: str = "self"
    page_size: Annotated[int, Key(ge=1, le=100)] = 100
    history_days: Annotated[int, Key(ge=1, le=30)] = 30


class Canvas:
    settings_model = CanvasSettings
