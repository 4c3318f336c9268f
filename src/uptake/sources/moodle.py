"""Moodle over its web services (REST).

Protocol: https://docs.moodle.org/en/Using_web_services and https://moodledev.io/docs/apis/subsystems/external; what a
function takes and gives is written beside it in Moodle's own code (`course/externallib.php`, `enrol/externallib.php`,
`mod/assign/externallib.php`, `grade/report/user/classes/external/user.php` of https://github.com/moodle/moodle).

What is not as elsewhere: an error comes with status 200, as an object with `exception` and `errorcode`; token and
question stand in the body of a POST, so that no log holds them; most lists come whole. Course 1 is the site's front
page and user 1 the guest account: neither is a course or a person. Times are seconds since 1970, and 0 is never.

Moodle tells of a person's last access and no more: no function of its web services gives its log of use
(docs/add-a-source.md says what does). Work that was handed in is not read: the only list of it holds the work itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal

import httpx
import orjson
import pyarrow as pa
from pydantic import Field as Key

from uptake.contracts import TIMESTAMP, Batch, Field, Resource, Window
from uptake.credentials import Credential
from uptake.errors import ConfigError, ContractError, PermanentError, TransientError
from uptake.parsing import parse_records
from uptake.sources.api import BATCH_ROWS, ApiSettings, ApiSource
from uptake.sources.http import WAIT, NotFound
from uptake.sources.paging import Page, ahead, gathered, side_by_side
from uptake.sources.windows import entity_windows

_ID = pa.int64()
_DAILY = timedelta(days=1)
_SITE_COURSE = 1
_GUEST = 1
_COURSES_AT_ONCE = 50

_BUSY = frozenset({"sitemaintenance", "upgraderunning", "dbconnectionfailed", "dmlreadexception", "locktimeout"})
_GONE = frozenset({"invalidrecord", "invalidrecordunknown", "invalidcourseid"})
_TOKEN = re.compile(r"invalid\w*token\w*|wsaccessuser\w+|usernotconfirmed|forcepasswordchangenotice|usernotfullysetup")
_RIGHTS = re.compile(
    r"accessexception|servicenotavailable|nopermission\w*|missingrequiredcapability|requireloginerror|notingroup"
    r"|usernotallowed|sitepolicynotagreed|errorcoursecontextnotvalid"
)
_CODE = re.compile(r"[A-Za-z0-9_/]{1,60}")


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _ever(seconds: Any) -> Any:
    """A moment; 0 is never."""
    return None if seconds in (0, "0") else seconds


def _flag(value: Any) -> Any:
    """1 and 0 are what Moodle's booleans are made of."""
    return {1: True, 0: False}.get(value, value) if isinstance(value, int) else value


def _address(text: str) -> str | None:
    """A user name that is an e-mail address, as it is where people sign in with one."""
    return text if "@" in text.strip("@ ") else None


def _moment(name: str, **rules: Any) -> Field:
    return Field(name, TIMESTAMP, epoch="s", convert=_ever, **rules)


def _person(name: str, **rules: Any) -> Field:
    """Number 17 of one Moodle is not 17 of the next."""
    return Field(name, identifier="moodle_user", local_id=True, **rules)


# Parents before children.
RESOURCES: dict[str, Resource] = {
    resource.name: resource
    for resource in (
        Resource(
            "courses",
            (
                Field("id", _ID),
                Field("idnumber", doc="the roster's id of the course or class, where the district keeps it here"),
                Field("shortname"),
                Field("fullname"),
                Field("categoryid", _ID),
                Field("visible", pa.bool_(), convert=_flag),
                _moment("startdate"),
                _moment("enddate"),
                _moment("timecreated"),
                _moment("timemodified"),
            ),
            key=("id",),
            full_sync_every=_DAILY,
            ignored=_names(
                """categorysortorder displayname summary summaryformat format showgrades newsitems numsections maxbytes
                showreports hiddensections groupmode groupmodeforce defaultgroupingid enablecompletion
                completionnotify lang forcetheme courseformatoptions customfields showactivitydates
                showcompletionconditions pdfexportfont"""
            ),
            doc="Courses that the token's user may see, hidden ones too where its rights reach so far.",
        ),
        Resource(
            "users",
            (
                _person("id"),
                Field("idnumber", identifier="sis_user"),
                Field("email", identifier="email"),
                Field("username_email", path="username", convert=_address, identifier="email"),
                Field("fullname", vault="full_name"),
                _moment("firstaccess"),
                _moment("lastaccess", doc="of the site, by whatever way"),
            ),
            key=("id",),
            full_sync_every=_DAILY,
            person="id",
            ignored=_names("roles lastcourseaccess"),
            doc="People who are enrolled in a course. Names go to the vault.",
        ),
        Resource(
            "enrollments",
            (
                Field("course_id", _ID, required=True, doc="put in by the source: the course that was asked"),
                _person("user_id", path="id", required=True),
                Field("roles", pa.list_(pa.string()), path="roles[].shortname"),
                _moment("lastcourseaccess"),
            ),
            key=("course_id", "user_id"),
            full_sync_every=_DAILY,
            delete_scope=("course_id",),
            ignored=_names("fullname"),
            doc="Who is in which course, and when they were last there.",
        ),
        Resource(
            "assignments",
            (
                Field("id", _ID),
                Field("course", _ID, required=True),
                Field("name"),
                _moment("duedate"),
                _moment("allowsubmissionsfromdate"),
                Field("grade", pa.float64(), doc="points that can be had; below 0 it is graded by a scale"),
                _moment("timemodified"),
            ),
            key=("id",),
            full_sync_every=_DAILY,
            delete_scope=("course",),
            ignored=_names(
                """cmid nosubmissions submissiondrafts sendnotifications sendlatenotifications sendstudentnotifications
                completionsubmit cutoffdate gradingduedate teamsubmission requireallteammemberssubmit
                teamsubmissiongroupingid blindmarking hidegrader revealidentities attemptreopenmethod maxattempts
                markingworkflow markingallocation markinganonymous requiresubmissionstatement
                preventsubmissionnotingroup submissionstatement submissionstatementformat configs intro introformat
                introfiles introattachments activity activityformat activityattachments timelimit
                submissionattachments"""
            ),
            doc="Assignments of a course.",
        ),
        Resource(
            "grades",
            (
                Field("course_id", _ID, required=True, doc="put in by the source: the course that was asked"),
                _person("user_id", required=True, doc="put in by the source: whose list of items it is"),
                Field("item_id", _ID, path="id", required=True),
                Field("itemtype", doc="mod, manual, category or course; the last two are totals"),
                Field("itemmodule"),
                Field("iteminstance", _ID),
                Field("itemname"),
                Field("scaleid", _ID, doc="set where the number is a place on a scale of words"),
                Field(
                    "graderaw",
                    pa.float64(),
                    doc="absent, null or blank where there is no grade, and where it is hidden",
                ),
                Field("grademin", pa.float64()),
                Field("grademax", pa.float64()),
                _moment("gradedatesubmitted"),
                _moment("gradedategraded"),
            ),
            key=("item_id", "user_id"),
            full_sync_every=_DAILY,
            delete_scope=("course_id",),
            ignored=_names(
                """itemnumber idnumber categoryid outcomeid locked cmid weightraw weightformatted status
                gradehiddenbydate gradeneedsupdate gradeishidden gradeislocked gradeisoverridden gradeformatted
                rangeformatted percentageformatted lettergradeformatted rank numusers averageformatted feedback
                feedbackformat"""
            ),
            doc="One student's standing in one item of a course's grade book. What was written beside it is not read.",
        ),
    )
}

_COURSES, _MEMBERS = "core_course_get_courses", "core_enrol_get_enrolled_users"
_ASSIGNMENTS, _GRADES = "mod_assign_get_assignments", "gradereport_user_get_grade_items"
_ASKED = frozenset({_COURSES, _MEMBERS, _ASSIGNMENTS, _GRADES})
_USER_FIELDS = "id,username,idnumber,email,firstaccess,lastaccess"
_MEMBER_FIELDS = "id,roles,lastcourseaccess"
_OLD_MEMBER_FIELDS = "id,roles"  # an old version refuses the name of the last


class MoodleSettings(ApiSettings):
    """url: the district's Moodle, with its folder if it lies in one. page_size: people asked for at once.

    at_once: courses that are asked for side by side; a small server does better with fewer.
    """

    kind: Literal["moodle"] = "moodle"
    page_size: Annotated[int, Key(ge=1, le=5000)] = 500
    at_once: Annotated[int, Key(ge=1, le=16)] = 4


class Moodle(ApiSource):
    """One Moodle site, as far as the rights of the token's user reach.

    People, enrolments and grades are asked for course by course; the list of courses is read once for each `with`
    block.
    """

    kind: ClassVar[str] = "moodle"
    namespace: ClassVar[str] = "moodle"
    settings_model: ClassVar[type[MoodleSettings]] = MoodleSettings
    declared = RESOURCES

    def __init__(self, settings: MoodleSettings, credential: Credential | None) -> None:
        super().__init__(settings, credential)
        if credential is None or not credential.password:
            raise ConfigError(f"connection {settings.connection!r} has no token", remedy="put it in its password.")
        self._resources = {name: replace(each, qualifier=settings.name) for name, each in RESOURCES.items()}
        self._token = credential.password
        self._page_size = settings.page_size
        self._courses: list[int] | None = None
        self._at_once = settings.at_once
        self._member_fields = _MEMBER_FIELDS

    def _auth(self, settings: MoodleSettings, credential: Credential) -> httpx.Auth:
        return httpx.Auth()  # the token stands in the body

    @property
    def resources(self) -> Mapping[str, Resource]:
        return self._resources

    def windows(self, resource: Resource, *, since: datetime | None, until: datetime, full: bool) -> list[Window]:
        return entity_windows(resource, since, until, full)

    def pull(self, resource: Resource, window: Window) -> Iterator[Batch]:
        unseen: list[str] = []
        for page in gathered(ahead(self._pages(resource.name, unseen)), BATCH_ROWS):
            yield parse_records(resource, page.rows)
        if unseen:
            yield Batch(resource.schema.empty_table(), note=" ".join(unseen))

    def probe(self) -> str:
        """Also whether the token's service has every function that is asked; Moodle lists them."""
        answer = self._ask("core_webservice_get_site_info", {}, is_probe=True)
        site = answer if isinstance(answer, dict) else {}
        functions = site.get("functions")
        if isinstance(functions, list):
            missing = _ASKED - {str(each.get("name")) for each in functions if isinstance(each, dict)}
            if missing:
                raise PermanentError(
                    f"the service of connection {self._connection!r} has no {', '.join(sorted(missing))}",
                    remedy="add these functions to the token's external service in Moodle.",
                )
        host = httpx.URL(self._base).host
        return f"Moodle at {host} answers and takes the token; it is version {site.get('release') or 'unknown'}."

    # --- questions -----------------------------------------------------------------------------------------------

    def _ask(self, function: str, asked: Mapping[str, Any], *, is_probe: bool = False) -> Any:
        form = {"wstoken": self._token, "wsfunction": function, "moodlewsrestformat": "json"}
        form |= {name: str(value) for name, value in asked.items()}
        read = _reader(function, self._connection)
        return self.client.post("webservice/rest/server.php", form, is_probe=is_probe, read=read).data

    def _pages(self, name: str, unseen: list[str]) -> Iterator[Page]:
        """unseen: is told what the token's user may not see."""
        match name:
            case "courses":
                yield self._course_page()
            case "assignments":
                yield from self._assignment_pages(unseen)
            case "users":
                yield from _each_once(self._of_each_course(self._user_pages, unseen))
            case "enrollments":
                yield from self._of_each_course(self._enrollment_pages, unseen)
            case _:
                yield from self._of_each_course(self._grade_pages, unseen)

    def _course_page(self) -> Page:
        rows = _list(self._ask(_COURSES, {}), _COURSES)
        rows = [row for row in rows if _id_of(row) != _SITE_COURSE]
        self._courses = [found for row in rows if (found := _id_of(row)) is not None]
        return Page(rows)

    def _course_ids(self) -> list[int]:
        if self._courses is None:
            self._course_page()
        return self._courses or []

    def _of_each_course(self, pages: Callable[[int], Iterable[Page]], unseen: list[str]) -> Iterator[Page]:
        """A course that was deleted since the list was read gives nothing; what it held vanishes with it."""
        gone: list[int] = []

        def walk(course: int) -> Iterator[Page]:
            try:
                yield from pages(course)
            except NotFound:
                gone.append(course)

        yield from side_by_side(walk, self._course_ids(), self._at_once)
        if gone:
            unseen.append(f"{len(gone)} courses were gone when they were asked for.")

    def _user_pages(self, course: int) -> Iterator[Page]:
        for rows in self._members(course, _USER_FIELDS):
            yield Page(rows)

    def _enrollment_pages(self, course: int) -> Iterator[Page]:
        for rows in self._member_pages(course):
            yield Page([row | {"course_id": course} if isinstance(row, dict) else row for row in rows])

    def _member_pages(self, course: int) -> Iterator[list[Any]]:
        fields = self._member_fields
        pages = self._members(course, fields)
        try:
            first = next(pages, None)
        except _UnknownField:
            if fields == _OLD_MEMBER_FIELDS:
                raise
            self._member_fields = _OLD_MEMBER_FIELDS
            yield from self._member_pages(course)
            return
        if first is not None:
            yield first
            yield from pages

    def _members(self, course: int, fields: str) -> Iterator[list[Any]]:
        """People of a course, each once, a page at a time.

        The limits count the rows that Moodle reads, and not only those that the token's user may see. So a page may be
        short anywhere, the walk goes on by what came, which may bring some of it again, and ends at an empty page.
        """
        start = 0
        seen: set[int | None] = {_GUEST}
        while True:
            options = {"userfields": fields, "limitfrom": start, "limitnumber": self._page_size, "sortby": "id"}
            asked: dict[str, Any] = {"courseid": course}
            for number, (name, value) in enumerate(options.items()):
                asked |= {f"options[{number}][name]": name, f"options[{number}][value]": value}
            rows = _list(self._ask(_MEMBERS, asked), _MEMBERS)
            if not rows:
                return
            fresh = [row for row in rows if _id_of(row) not in seen]
            seen.update(found for row in fresh if (found := _id_of(row)) is not None)
            yield fresh
            start += len(rows)

    def _assignment_pages(self, unseen: list[str]) -> Iterator[Page]:
        hidden = 0
        ids = self._course_ids()
        for start in range(0, len(ids), _COURSES_AT_ONCE):
            courses = enumerate(ids[start : start + _COURSES_AT_ONCE])
            asked: dict[str, Any] = {f"courseids[{number}]": course for number, course in courses}
            answer = self._ask(_ASSIGNMENTS, asked | {"includenotenrolledcourses": 1})
            hidden += len(_list(answer, _ASSIGNMENTS, "warnings"))
            for course in _list(answer, _ASSIGNMENTS, "courses"):
                yield Page(_list(course, _ASSIGNMENTS, "assignments"))
        if hidden:
            unseen.append(f"Moodle kept back the assignments of {hidden} courses or activities from the token's user.")

    def _grade_pages(self, course: int) -> Iterator[Page]:
        for person in _list(self._ask(_GRADES, {"courseid": course}), _GRADES, "usergrades"):
            who = person.get("userid") if isinstance(person, dict) else None
            if who == _GUEST:
                continue
            put_in = {"course_id": course, "user_id": who}
            yield Page([row | put_in if isinstance(row, dict) else row for row in _list(person, _GRADES, "gradeitems")])


class _UnknownField(PermanentError):
    """This version does not know one of the fields that were asked for."""


def _reader(function: str, connection: str) -> Callable[[bytes], Any]:
    def read(body: bytes) -> Any:
        answer = orjson.loads(body)
        if isinstance(answer, dict) and "exception" in answer:
            raise _error(answer.get("errorcode"), function, connection)
        return answer

    return read


def _error(code: Any, function: str, connection: str) -> TransientError | PermanentError:
    """An answer's error. Its message and `debuginfo` are left unsaid: they may name a person."""
    word = code if isinstance(code, str) and _CODE.fullmatch(code) else "no code"
    place = f"Moodle answered {function} with {word!r}"
    if word in _BUSY:
        return TransientError(place, remedy=WAIT)
    if word in _GONE:
        return NotFound(place, remedy="nothing, if the course was deleted while it was read.")
    if word == "invaliduserfield":
        return _UnknownField(place, remedy="ask whether this version of Moodle is still supported.")
    if _TOKEN.fullmatch(word):
        return PermanentError(
            place,
            remedy=f"mend connection {connection!r}: its token is wrong or has run out, may not be used from this "
            "machine's address, or its user may not sign in.",
        )
    if _RIGHTS.fullmatch(word):
        return PermanentError(
            place,
            remedy=f"add {function} to the token's external service and give its user of connection {connection!r} the "
            "rights that docs/add-a-source.md lists.",
        )
    return PermanentError(place, remedy="ask the Moodle administrator what it means: Moodle's log has the whole of it.")


def _each_once(pages: Iterable[Page]) -> Iterator[Page]:
    """People are in many courses. Rows without an id are let through, to be rejected where they are parsed."""
    seen: set[int] = set()
    for page in pages:
        fresh = []
        for row in page.rows:
            found = _id_of(row)
            if found is None or found not in seen:
                fresh.append(row)
            if found is not None:
                seen.add(found)
        yield Page(fresh)


def _id_of(row: Any) -> int | None:
    found = row.get("id") if isinstance(row, dict) else None
    return found if isinstance(found, int) else None


def _list(answer: Any, function: str, name: str | None = None) -> list[Any]:
    """A list of an answer. Raises ContractError when it is not there."""
    found = answer if name is None else answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(found, list):
        what = f"no list {name!r}" if name else "no list"
        raise ContractError(
            f"the answer of {function} holds {what}", remedy="check that the source's url and kind are right."
        )
    return found
