"""Clever's Data API, versions 3.0 and 3.1.

Protocol: https://dev.clever.com/docs/paging-and-limits (a district's bearer token; `limit`, and `links` of which the
one with `rel: next` is followed as it is), https://dev.clever.com/docs/events-api, and the OpenAPI documents at
https://github.com/Clever/swagger-api (`v3.1.yml`, `v3.1-events.yml`). A record stands in an envelope, `{"data": {…}}`.

**Events** are opt-in at Clever and here (`events: true`). They hold the whole record as it was, so that of several of
one record the last counts, and reading them twice changes nothing. They are numbered in the order of time and kept for
30 days: the number of the newest is noted at each pull (`tides`), and the next one asks for what came after it. Where
more than that lies between two good pulls, or nobody knows the number, everything is read, and the outcome says why.
Who is in which section is read whole each day: an event tells who is in it, and not who left.

Of a student no birth date, address, phone or kind of disability is read; of contacts nothing but that they are some.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field as Key
from pydantic import HttpUrl

from uptake.contracts import TIMESTAMP, Batch, Field, Resource, Window
from uptake.credentials import Credential
from uptake.errors import ConfigError
from uptake.parsing import keys_only, parse_records
from uptake.sources.api import BATCH_ROWS, ApiSettings, ApiSource
from uptake.sources.auth import BearerToken
from uptake.sources.base import Homed
from uptake.sources.http import Answer
from uptake.sources.paging import Page, ahead, body_link_pages, gathered, rows_in
from uptake.sources.tides import Tides
from uptake.sources.windows import DAY, entity_windows

_NOTES = "events.json"
# Clever keeps 30 days; an event that is removed while we read must not be missed.
EVENTS_KEPT = timedelta(days=29)
_TOO_LONG = "Everything was read: Clever keeps events for 30 days, and the last pull is longer ago."
_ENROLLMENTS = pa.list_(pa.struct([("school", pa.string()), ("start_date", pa.date32()), ("end_date", pa.date32())]))


def _day(value: Any) -> str:
    """Days come as `2025-08-18` or with a time after it."""
    if not isinstance(value, str):
        raise TypeError("a day is text")
    return value[:10]


def _enrollments(value: Any) -> list[dict[str, Any]]:
    return [
        {"school": each.get("school"), **{k: (each.get(k) or "")[:10] for k in ("start_date", "end_date")}}
        for each in value
    ]


def _roles(value: Any) -> list[str]:
    """student, teacher, staff, district_admin, contact: a person may be several at once."""
    return sorted(name for name, role in value.items() if role is not None)


def _staff_id(value: Any) -> str | None:
    """The SIS's id of a teacher, else of other staff."""
    return (value.get("teacher") or {}).get("sis_id") or (value.get("staff") or {}).get("staff_id")


def _own_staff_id(value: Any) -> str | None:
    found = _staff_id(value)
    return f"staff:{found}" if found else None


def _yes(value: Any) -> bool | None:
    """Clever writes `Y`, `N`, or nothing. Raises KeyError for anything else."""
    if value == "":
        return None
    return {"Y": True, "N": False}[value]


def _student(name: str, kind: pa.DataType | None = None, **rules: Any) -> Field:
    return Field(name, kind or pa.string(), path=f"roles.student.{name}", **rules)


def _resource(name: str, *fields: Field, ignored: str = "", **rules: Any) -> Resource:
    key = rules.pop("key", ("id",))
    return Resource(name, fields, key=key, ignored=frozenset({"district", "ext", *ignored.split()}), **rules)


_CHANGES = (Field("created", TIMESTAMP), Field("last_modified", TIMESTAMP))

# Parents before children.
RESOURCES: dict[str, Resource] = {
    resource.name: resource
    for resource in (
        _resource(
            "districts",
            Field("id"),
            Field("name"),
            Field("nces_id"),
            Field("sis_type"),
            Field("state"),
            Field("last_sync", TIMESTAMP),
            ignored="""district_contact error launch_date lms_state lms_type login_methods mdr_number pause_end
                pause_start portal_url""",
            doc="The one district of the token.",
        ),
        _resource(
            "schools",
            Field("id"),
            Field("name"),
            Field("sis_id", local_id=True),
            Field("school_number"),
            Field("state_id"),
            Field("nces_id"),
            Field("low_grade"),
            Field("high_grade"),
            *_CHANGES,
            ignored="location mdr_number phone principal",
            doc="Schools.",
        ),
        _resource(
            "terms",
            Field("id"),
            Field("name"),
            Field("start_date", pa.date32(), convert=_day),
            Field("end_date", pa.date32(), convert=_day),
            doc="Terms.",
        ),
        _resource("courses", Field("id"), Field("name"), Field("number"), doc="What is taught."),
        _resource(
            "sections",
            Field("id"),
            Field("name"),
            Field("school", required=True),
            Field("course"),
            Field("term_id"),
            Field("sis_id", local_id=True),
            Field("section_number"),
            Field("subject"),
            Field("grade"),
            *_CHANGES,
            ignored="period students teacher teachers",
            delete_scope=("school",),
            doc="Classes.",
        ),
        _resource(
            "users",
            Field("id", identifier="clever_user"),
            Field("email", identifier="email"),
            Field("given_name", path="name.first", vault="given_name"),
            Field("family_name", path="name.last", vault="family_name"),
            Field("roles", pa.list_(pa.string()), convert=_roles),
            _student("sis_id", identifier="sis_user", local_id=True),
            Field("staff_sis_id", path="roles", identifier="sis_user", local_id=True, convert=_own_staff_id),
            _student("student_number", identifier="sis_number"),
            _student("school"),
            _student("grade"),
            _student("enrollments", _ENROLLMENTS, convert=_enrollments),
            _student("gender"),
            _student("race"),
            _student("hispanic_ethnicity", pa.bool_(), convert=_yes),
            _student("ell_status", pa.bool_(), convert=_yes),
            _student("iep_status", pa.bool_(), convert=_yes),
            _student("frl_status"),
            *_CHANGES,
            ignored="name.middle preferred_name",
            person="id",
            doc="People, each with all of their roles. Names go to the vault.",
        ),
        _resource(
            "section_members",
            Field("section"),
            Field("user", identifier="clever_user"),
            Field("role", doc="student or teacher"),
            key=("section", "user", "role"),
            doc="Who is in which section; put together here from the lists in each section.",
        ),
    )
}
_OF_SECTIONS = frozenset({"section_members"})


class CleverSettings(ApiSettings):
    """url: Clever's API. version: of it. events: read what changed from Clever's events, which must be turned on there.
    ids: `own` where another system may give a student's SIS id to somebody else. staff_ids: `shared` where staff and
    students are one series of numbers; changing either makes those whom it concerns new people. page_size: records
    asked for at once."""

    kind: Literal["clever"] = "clever"
    url: HttpUrl = HttpUrl("https://api.clever.com")
    version: Literal["3.0", "3.1"] = "3.0"
    events: bool = False
    ids: Literal["shared", "own"] = "shared"
    staff_ids: Literal["shared", "own"] = "own"
    page_size: Annotated[int, Key(ge=1, le=10_000)] = 1000


class Clever(Homed, ApiSource):
    """One district of Clever's Secure Sync."""

    kind: ClassVar[str] = "clever"
    namespace: ClassVar[str] = "clever"
    settings_model: ClassVar[type[CleverSettings]] = CleverSettings
    declared = RESOURCES

    def __init__(self, settings: CleverSettings, credential: Credential | None) -> None:
        super().__init__(settings, credential)
        self._settings = settings
        self._root = f"v{settings.version}"
        self._why_everything: dict[str, str] = {}

    def _auth(self, settings: CleverSettings, credential: Credential) -> BearerToken:
        if not credential.password:
            raise ConfigError(
                f"connection {settings.connection!r} has no district token", remedy="put it in its password."
            )
        return BearerToken(credential.password)

    @cached_property
    def resources(self) -> Mapping[str, Resource]:
        settings = self._settings
        staff_id = _own_staff_id if settings.staff_ids == "own" else _staff_id
        return {name: self._declared(resource, staff_id) for name, resource in RESOURCES.items()}

    def _declared(self, resource: Resource, staff_id: Callable[[Any], str | None]) -> Resource:
        settings = self._settings
        has_events = settings.events and resource.name not in _OF_SECTIONS
        fields = (replace(each, convert=staff_id) if each.name == "staff_sis_id" else each for each in resource.fields)
        return replace(
            resource,
            fields=tuple(fields),
            cursor=has_events,
            full_sync_every=resource.full_sync_every if has_events else DAY,
            qualifier=settings.name if settings.ids == "own" else None,
        )

    def windows(self, resource: Resource, *, since: datetime | None, until: datetime, full: bool) -> list[Window]:
        """One window. Where the events since then are not all there, it is one of everything."""
        windows = entity_windows(resource, since, until, full)
        if not resource.cursor:
            return windows
        why = self._unknown_since(windows[0]) if windows[0].mode == "incremental" else self._too_long_ago(until)
        if why is not None:
            windows = [Window.between("full", None, until)]
            self._why_everything[resource.name] = why
        # Without an event nothing can be told of what comes between this pull and the first one.
        self._tides.note(until, self._newest or "")
        return windows

    def pull(self, resource: Resource, window: Window) -> Iterator[Batch]:
        if window.mode == "incremental":
            yield from self._changes(resource, window)
            return
        for page in gathered(ahead(self._records(resource.name)), BATCH_ROWS):
            yield parse_records(resource, page.rows)
        if why := self._why_everything.pop(resource.name, None):
            yield Batch(resource.schema.empty_table(), note=why)

    def probe(self) -> str:
        answer = self.client.get(f"{self._root}/schools", {"limit": 1}, is_probe=True)
        _enclosed(answer)
        return f"Clever at {answer.url.host} answers and takes the credential."

    def _records(self, name: str) -> Iterator[Page]:
        if name not in _OF_SECTIONS:
            yield from self._list(name, {})
            return
        for page in self._list("sections", {}):
            yield Page([member for row in page.rows for member in _members(row)])

    def _list(self, name: str, params: Mapping[str, Any]) -> Iterator[Page]:
        asked = {**params, "limit": self._settings.page_size}
        return body_link_pages(self.client, f"{self._root}/{name}", asked, rows_of=_enclosed)

    # --- events --------------------------------------------------------------------------------------------------

    @cached_property
    def _tides(self) -> Tides:
        return Tides(self.home.notes / _NOTES, f"{self._base}/{self._root}")

    @cached_property
    def _newest(self) -> str | None:
        """Id of the newest event, read once for each `with` block; None where there is none."""
        answer = self.client.get(f"{self._root}/events", {"limit": 1, "ending_before": "last"})
        return next((row["id"] for row in _enclosed(answer) if isinstance(row, dict) and row.get("id")), None)

    def _unknown_since(self, window: Window) -> str | None:
        """Why what changed in a window cannot be told by events."""
        assert window.start is not None and window.end is not None
        if window.end - window.start > EVENTS_KEPT:
            return _TOO_LONG
        if self._newest is None:
            return (
                "Everything was read: Clever has no event of the last 30 days; see whether events are turned on there."
            )
        if not self._tides.at(window.start):
            return "Everything was read: it is not known which event was the newest at the last good pull."
        return None

    def _too_long_ago(self, now: datetime) -> str | None:
        """A full sync that was due anyway makes up for events that are gone: a person is to know of the gap all the
        same."""
        last = self._tides.last
        return _TOO_LONG if last is not None and now - last > EVENTS_KEPT else None

    def _changes(self, resource: Resource, window: Window) -> Iterator[Batch]:
        """What the events of a window leave of each record: its last state, or that it is gone."""
        assert window.start is not None
        asked = {"starting_after": self._tides.at(window.start), "record_type": resource.name}
        states: dict[Any, tuple[bool, Any]] = {}
        for page in ahead(self._list("events", asked)):
            for number, event in enumerate(page.rows):
                if (found := self._read(event, resource.name)) is not None:
                    is_gone, record = found
                    key = record.get("id") if isinstance(record, dict) else None
                    states[key or (id(page), number)] = is_gone, record
        there = [record for is_gone, record in states.values() if not is_gone]
        gone = [{"id": record.get("id")} for is_gone, record in states.values() if is_gone and isinstance(record, dict)]
        for rows in _parts(there):
            yield parse_records(resource, rows)
        for rows in _parts(gone):
            batch = parse_records(keys_only(resource), rows)
            batch.is_deletion = True
            yield batch

    def _read(self, event: Any, name: str) -> tuple[bool, Any] | None:
        """Whether the record is gone, and the record; None for an event of another list, or after this pull began."""
        if not isinstance(event, dict) or str(event.get("id")) > str(self._newest):
            return None
        kind, _, change = str(event.get("type")).partition(".")
        return (change == "deleted", (event.get("data") or {}).get("object")) if kind == name else None


def _enclosed(answer: Answer) -> list[Any]:
    """Records without their envelopes."""
    return [row.get("data") if isinstance(row, dict) else row for row in rows_in("data")(answer)]


def _members(section: Any) -> Iterator[dict[str, Any]]:
    if isinstance(section, dict):
        for name, role in (("students", "student"), ("teachers", "teacher")):
            for person in dict.fromkeys(section.get(name) or ()):
                yield {"section": section.get("id"), "user": person, "role": role}


def _parts(rows: list[Any]) -> Iterable[list[Any]]:
    return (rows[start : start + BATCH_ROWS] for start in range(0, len(rows), BATCH_ROWS))
