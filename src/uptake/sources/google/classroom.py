"""Google Classroom, API v1.

Protocol: https://developers.google.com/workspace/classroom/reference/rest (resources and their fields),
https://developers.google.com/workspace/classroom/reference/rest/v1/courses.courseWork.studentSubmissions/list (`-` in
place of a course work's id is all of them) and https://developers.google.com/workspace/classroom/reference/limits
(3,000 requests a minute, 1,200 for each user; 429 or 403 beyond). A domain's admin sees all of its courses.

There is no "changed since": lists are read whole, once a day, and of each course its people, work and submissions. So
that this does not grow with every year, only courses are gone into that are in one of `course_states`, or were changed
in the last two weeks: what a teacher graded just before archiving the course is still read. What is no longer gone into
stays as it was.

Ids of course work are unique in their course, and those of submissions in their course work; no more is promised.

A course says which class of the roster it is by an alias that its maker gave it, such as `d:school_math_101`
(https://developers.google.com/workspace/classroom/guides/manage-aliases). It takes a request for each course to know
it, which is why aliases are read only where `alias_prefix` says what stands before the class's id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field as Key
from pydantic import HttpUrl

from uptake.contracts import TIMESTAMP, Batch, Field, Resource, Window
from uptake.parsing import parse_records
from uptake.sources.api import BATCH_ROWS
from uptake.sources.google.api import GoogleSettings, GoogleSource, mask, rows_under
from uptake.sources.http import NotFound
from uptake.sources.paging import Page, ahead, gathered, side_by_side
from uptake.sources.windows import DAY, entity_windows

# What may still have been graded in a course that is no longer in one of the states that are read.
_SETTLING = timedelta(days=14)
_ALL_STATES = ("ACTIVE", "ARCHIVED", "PROVISIONED", "DECLINED", "SUSPENDED")
CourseState = Literal["ACTIVE", "ARCHIVED", "PROVISIONED", "DECLINED", "SUSPENDED"]


def _last(history: list[dict[str, Any]], name: str, moment: str, is_meant: Callable[[dict[str, Any]], bool]) -> Any:
    """The latest `moment` of those entries of a submission's history that are meant."""
    found = [entry[name] for entry in history if name in entry]
    return max((entry[moment] for entry in found if is_meant(entry)), default=None)


def _turned_in(history: list[dict[str, Any]]) -> Any:
    return _last(history, "stateHistory", "stateTimestamp", lambda entry: entry.get("state") == "TURNED_IN")


def _graded(history: list[dict[str, Any]]) -> Any:
    """When the grade was given that a student sees; a draft is none."""
    kind = "ASSIGNED_GRADE_POINTS_EARNED_CHANGE"
    return _last(history, "gradeHistory", "gradeTimestamp", lambda entry: entry.get("gradeChangeType") == kind)


def _day(value: dict[str, int]) -> str:
    return date(value["year"], value["month"], value["day"]).isoformat()


def _members(name: str, doc: str) -> Resource:
    return Resource(
        name,
        (
            Field("courseId"),
            Field("userId", identifier="google_user"),
            Field("email", path="profile.emailAddress", identifier="email"),
            Field("given_name", path="profile.name.givenName", vault="given_name"),
            Field("family_name", path="profile.name.familyName", vault="family_name"),
        ),
        key=("courseId", "userId"),
        full_sync_every=DAY,
        delete_scope=("courseId",),
        person="userId",
        doc=doc,
    )


# Parents before children. Each is named as its list is, in the path and in the answer.
RESOURCES: dict[str, Resource] = {
    resource.name: resource
    for resource in (
        Resource(
            "courses",
            (
                Field("id"),
                Field("name"),
                Field("section"),
                Field("ownerId", identifier="google_user"),
                Field("courseState"),
                Field("creationTime", TIMESTAMP),
                Field("updateTime", TIMESTAMP),
            ),
            key=("id",),
            full_sync_every=DAY,
            doc="Courses of the domain, in whatever state.",
        ),
        Resource(
            "aliases",
            (
                Field("courseId", doc="put in by the source: the course that was asked"),
                Field("alias"),
                Field("sis_class_id", doc="put in by the source: what follows the prefix; null for other aliases"),
            ),
            key=("courseId", "alias"),
            full_sync_every=DAY,
            delete_scope=("courseId",),
            doc="Names by which others know a course; read where `alias_prefix` is set.",
        ),
        _members("teachers", "Who teaches which course. Names go to the vault."),
        _members("students", "Who takes which course. Names go to the vault."),
        Resource(
            "courseWork",
            (
                Field("courseId"),
                Field("id"),
                Field("title"),
                Field("workType"),
                Field("state"),
                Field("maxPoints", pa.float64()),
                Field("dueDate", pa.date32(), convert=_day, doc="as the teacher wrote it"),
                Field("creationTime", TIMESTAMP),
                Field("updateTime", TIMESTAMP),
            ),
            key=("courseId", "id"),
            full_sync_every=DAY,
            delete_scope=("courseId",),
            doc="Assignments and questions of a course that were published.",
        ),
        Resource(
            "studentSubmissions",
            (
                Field("courseId"),
                Field("courseWorkId"),
                Field("id"),
                Field("userId", identifier="google_user", required=True),
                Field("state"),
                Field("late", pa.bool_()),
                Field("assignedGrade", pa.float64(), doc="points; a draft is not read"),
                Field("creationTime", TIMESTAMP),
                Field("updateTime", TIMESTAMP),
                Field("turnedInTime", TIMESTAMP, path="submissionHistory", convert=_turned_in),
                Field("gradedTime", TIMESTAMP, path="submissionHistory", convert=_graded),
            ),
            key=("courseId", "courseWorkId", "id"),
            full_sync_every=DAY,
            delete_scope=("courseId",),
            doc="Work of a student and its grade. What was handed in is not read.",
        ),
    )
}
_PATHS = {"studentSubmissions": "courseWork/-/studentSubmissions"}
_FIELDS = {"aliases": "nextPageToken,aliases(alias)"}  # of which the source makes the row


class GoogleClassroomSettings(GoogleSettings):
    """url: Classroom's API. course_states: of the courses whose people, work and submissions are read. alias_prefix:
    what stands before the roster's id of a class in a course's alias, such as `d:school_`. at_once: how many courses
    are read side by side. page_size: rows asked for at once; Google may give fewer."""

    kind: Literal["google_classroom"] = "google_classroom"
    url: HttpUrl = HttpUrl("https://classroom.googleapis.com")
    course_states: Annotated[tuple[CourseState, ...], Key(min_length=1)] = ("ACTIVE",)
    alias_prefix: Annotated[str, Key(pattern="^[dp]:")] | None = None
    at_once: Annotated[int, Key(ge=1, le=16)] = 4
    page_size: Annotated[int, Key(ge=1, le=1000)] = 500


class GoogleClassroom(GoogleSource):
    """Google Classroom of one domain."""

    kind: ClassVar[str] = "google_classroom"
    namespace: ClassVar[str] = "google_classroom"
    settings_model: ClassVar[type[GoogleClassroomSettings]] = GoogleClassroomSettings
    declared = RESOURCES
    scopes = (
        "https://www.googleapis.com/auth/classroom.courses.readonly",
        "https://www.googleapis.com/auth/classroom.rosters.readonly",
        "https://www.googleapis.com/auth/classroom.profile.emails",
        "https://www.googleapis.com/auth/classroom.coursework.students.readonly",
    )

    def __init__(self, settings: GoogleClassroomSettings, credential: Any) -> None:
        super().__init__(settings, credential)
        self._settings = settings
        self._courses: list[dict[str, Any]] | None = None

    @property
    def resources(self) -> Mapping[str, Resource]:
        return {name: each for name, each in RESOURCES.items() if name != "aliases" or self._settings.alias_prefix}

    def windows(self, resource: Resource, *, since: datetime | None, until: datetime, full: bool) -> list[Window]:
        return entity_windows(resource, since, until, full)

    def pull(self, resource: Resource, window: Window) -> Iterator[Batch]:
        assert window.end is not None
        gone: list[str] = []
        pages = self._course_pages() if resource.name == "courses" else self._pages(resource, window.end, gone)
        for page in gathered(ahead(pages), BATCH_ROWS):
            yield parse_records(resource, page.rows)
        if gone:
            note = f"{len(gone)} courses were deleted while they were read; what was held of them stays."
            yield Batch(resource.schema.empty_table(), note=note)

    def probe(self) -> str:
        answer = self.client.get("v1/courses", {"pageSize": 1, "fields": "courses(id)"}, is_probe=True)
        rows_under(answer, "courses")
        return f"Google Classroom at {answer.url.host} answers and takes the credential."

    def _course_pages(self) -> Iterator[Page]:
        found: list[dict[str, Any]] = []
        asked = self._asked(RESOURCES["courses"]) | {"courseStates": list(_ALL_STATES)}
        for page in self._list("v1/courses", "courses", asked):
            found.extend(row for row in page.rows if isinstance(row, dict) and row.get("id"))
            yield page
        self._courses = found

    def _asked(self, resource: Resource) -> dict[str, Any]:
        fields = _FIELDS.get(resource.name) or mask(resource, resource.name)
        return {"pageSize": self._settings.page_size, "fields": fields}

    def _pages(self, resource: Resource, now: datetime, gone: list[str]) -> Iterator[Page]:
        if self._courses is None:
            for _ in self._course_pages():
                pass
        path, asked = _PATHS.get(resource.name, resource.name), self._asked(resource)
        courses = [course["id"] for course in self._courses or () if self._is_read(course, now)]

        def walk(course: str) -> Iterator[Page]:
            try:
                for page in self._list(f"v1/courses/{course}/{path}", resource.name, asked):
                    yield self._with_class(course, page) if resource.name == "aliases" else page
            except NotFound:
                gone.append(course)

        yield from side_by_side(walk, courses, self._settings.at_once)

    def _with_class(self, course: str, page: Page) -> Page:
        for row in page.rows:
            if isinstance(row, dict):
                found = str(row.get("alias")).partition(str(self._settings.alias_prefix))
                row |= {"courseId": course, "sis_class_id": None if found[0] else found[2] or None}
        return page

    def _is_read(self, course: dict[str, Any], now: datetime) -> bool:
        if course.get("courseState") in self._settings.course_states:
            return True
        try:
            return datetime.fromisoformat(course["updateTime"]) >= now - _SETTLING
        except (KeyError, TypeError, ValueError):
            return False
