"""OneRoster 1.2 over REST: rostering and gradebook.

Protocol: https://www.imsglobal.org/sites/default/files/spec/oneroster/v1p2/rostering-restbinding/OneRosterv1p2RosteringService_RESTBindv1p0.html
and the gradebook service beside it. `limit`/`offset` paging, `filter=dateLastModified>='…'`, records in an envelope
named after the collection.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field as Key
from pydantic import HttpUrl

from uptake.contracts import TIMESTAMP, Batch, Field, Resource, Window
from uptake.credentials import Credential
from uptake.parsing import parse_records
from uptake.rows import RowReader
from uptake.sources.api import BATCH_ROWS, ApiSettings, ApiSource, utc_text
from uptake.sources.auth import ClientCredentials
from uptake.sources.paging import ahead, gathered, offset_pages, rows_in
from uptake.sources.windows import entity_windows

_TEXTS = pa.list_(pa.string())
_ROLES = pa.list_(
    pa.struct(
        [
            ("role", pa.string()),
            ("roleType", pa.string()),
            ("org_sourcedId", pa.string()),
            ("beginDate", pa.date32()),
            ("endDate", pa.date32()),
        ]
    )
)
# A server need not touch dateLastModified when only a link changed, and its clock is not ours.
_LOOKBACK = timedelta(hours=1)


def _roles(value: Any) -> list[dict[str, Any]]:
    return [
        {
            "role": role.get("role"),
            "roleType": role.get("roleType"),
            "org_sourcedId": (role.get("org") or {}).get("sourcedId"),
            "beginDate": role.get("beginDate"),
            "endDate": role.get("endDate"),
        }
        for role in value
    ]


def _ref(name: str, **rules: Any) -> Field:
    return Field(f"{name}_sourcedId", path=f"{name}.sourcedId", **rules)


def _resource(
    name: str,
    *fields: Field,
    key: Field | None = None,
    ignored: tuple[str, ...] = (),
    delete_scope: tuple[str, ...] = (),
    person: str | None = None,
    doc: str,
) -> Resource:
    """A OneRoster record: its own fields after the three that every record has."""
    refs = {field.path.split(".")[0] for field in fields if field.path and field.path.endswith(".sourcedId")}
    links = {f"{ref}.{part}" for ref in refs for part in ("href", "type")}
    reads_metadata = any(field.path and field.path.startswith("metadata.") for field in fields)
    return Resource(
        name=name,
        fields=(key or Field("sourcedId"), Field("status"), Field("dateLastModified", TIMESTAMP), *fields),
        key=("sourcedId",),
        cursor=True,
        lookback=_LOOKBACK,
        delete_scope=delete_scope,
        person=person,
        ignored=frozenset({*links, *ignored} | (set() if reads_metadata else {"metadata"})),
        doc=doc,
    )


def _flag(name: str) -> Field:
    """A district's own flag, in the record's `metadata` extension."""
    return Field(f"metadata_{name}", pa.bool_(), path=f"metadata.{name}")


_RACES = (
    "americanIndianOrAlaskaNative",
    "asian",
    "blackOrAfricanAmerican",
    "nativeHawaiianOrOtherPacificIslander",
    "white",
    "demographicRaceTwoOrMoreRaces",
    "hispanicOrLatinoEthnicity",
)

# Parents before children.
RESOURCES: dict[str, Resource] = {
    resource.name: resource
    for resource in (
        _resource(
            "orgs",
            Field("name"),
            Field("type"),
            Field("identifier"),
            _ref("parent"),
            ignored=("children",),
            doc="District, schools, departments.",
        ),
        _resource(
            "academicSessions",
            Field("title"),
            Field("type"),
            Field("startDate", pa.date32()),
            Field("endDate", pa.date32()),
            _ref("parent"),
            Field("schoolYear"),
            ignored=("children",),
            doc="School years, terms and grading periods.",
        ),
        _resource(
            "courses",
            Field("title"),
            Field("courseCode"),
            Field("grades", _TEXTS),
            Field("subjects", _TEXTS),
            _ref("org"),
            ignored=("subjectCodes", "schoolYear", "resources"),
            doc="What is taught; a class is a course in a school and a term.",
        ),
        _resource(
            "classes",
            Field("title"),
            Field("classCode"),
            Field("classType"),
            Field("grades", _TEXTS),
            Field("subjects", _TEXTS),
            _ref("course"),
            _ref("school"),
            Field("terms", _TEXTS, path="terms[].sourcedId"),
            ignored=("location", "subjectCodes", "periods", "resources"),
            delete_scope=("school_sourcedId",),
            doc="Sections and homerooms.",
        ),
        _resource(
            "users",
            Field("enabledUser", pa.bool_()),
            Field("username", identifier="username"),
            Field("email", identifier="email"),
            Field("identifier", identifier="sis_number"),
            Field("givenName", vault="given_name"),
            Field("familyName", vault="family_name"),
            Field("grades", _TEXTS),
            _ref("primaryOrg"),
            Field("roles", _ROLES, convert=_roles),
            key=Field("sourcedId", identifier="sis_user"),
            person="sourcedId",
            ignored=(
                *("middleName", "preferredFirstName", "preferredMiddleName", "preferredLastName", "pronouns"),
                *("userMasterIdentifier", "userIds", "userProfiles", "agents", "resources", "sms", "phone", "password"),
            ),
            doc="Students, staff and guardians. Names go to the vault; contact details are not read.",
        ),
        _resource(
            "enrollments",
            Field("role"),
            Field("primary", pa.bool_()),
            Field("beginDate", pa.date32()),
            Field("endDate", pa.date32()),
            _ref("user", identifier="sis_user", required=True),
            _ref("class", required=True),
            _ref("school", required=True),
            delete_scope=("school_sourcedId",),
            doc="Who is in which class, in which role, from when to when.",
        ),
        _resource(
            "demographics",
            Field("birthDate", pa.date32(), drop=True),
            Field("sex"),
            *(Field(race, pa.bool_()) for race in _RACES),
            *(_flag(name) for name in ("economicDisadvantage", "disability", "englishLearner")),
            key=Field("sourcedId", identifier="sis_user"),
            ignored=(
                *("countryOfBirthCode", "stateOfBirthAbbreviation", "cityOfBirth", "publicSchoolResidenceStatus"),
            ),
            doc="One row for each student; the last three are the district's own extension.",
        ),
        _resource("categories", Field("title"), Field("weight", pa.float64()), doc="Kinds of gradebook columns."),
        _resource(
            "lineItems",
            Field("title"),
            Field("assignDate", TIMESTAMP),
            Field("dueDate", TIMESTAMP),
            _ref("class", required=True),
            _ref("school"),
            _ref("category"),
            Field("resultValueMin", pa.float64()),
            Field("resultValueMax", pa.float64()),
            ignored=(*("description", "gradingPeriod", "academicSession", "scoreScale", "learningObjectiveSet"),),
            delete_scope=("class_sourcedId",),
            doc="Columns of a class's gradebook.",
        ),
        _resource(
            "results",
            _ref("lineItem", required=True),
            _ref("class"),
            _ref("student", identifier="sis_user", required=True),
            Field("scoreStatus"),
            Field("score", pa.float64()),
            Field("scoreDate", pa.date32()),
            ignored=(
                *("textScore", "comment", "scoreScale", "learningObjectiveSet"),
                *("inProgress", "incomplete", "late", "missing"),
            ),
            delete_scope=("lineItem_sourcedId",),
            doc="Scores. Comments are free text on a child and are not read.",
        ),
    )
}


_ROSTERING, _GRADEBOOK = "/ims/oneroster/rostering/v1p2", "/ims/oneroster/gradebook/v1p2"
_GRADEBOOK_NAMES = frozenset({"categories", "lineItems", "results"})
_SCOPE = "https://purl.imsglobal.org/spec/or/v1p2/scope/"
SCOPES = (
    f"{_SCOPE}roster.readonly",
    f"{_SCOPE}roster-core.readonly",
    f"{_SCOPE}roster-demographics.readonly",
    f"{_SCOPE}gradebook.readonly",
    f"{_SCOPE}gradebook-core.readonly",
)


class OneRosterSettings(ApiSettings):
    """url: the server, without `/ims/…`. token_url: default `<url>/token`. page_size: rows asked for at once."""

    kind: Literal["oneroster"] = "oneroster"
    token_url: HttpUrl | None = None
    scopes: tuple[str, ...] = SCOPES
    page_size: Annotated[int, Key(ge=1, le=10_000)] = 1000


class OneRoster(ApiSource):
    """Rostering and gradebook of one OneRoster 1.2 server."""

    kind: ClassVar[str] = "oneroster"
    namespace: ClassVar[str] = "oneroster"
    settings_model: ClassVar[type[OneRosterSettings]] = OneRosterSettings
    declared = RESOURCES

    def __init__(self, settings: OneRosterSettings, credential: Credential | None) -> None:
        super().__init__(settings, credential)
        self._page_size = settings.page_size

    def _auth(self, settings: OneRosterSettings, credential: Credential) -> ClientCredentials:
        return ClientCredentials(
            str(settings.token_url or f"{self._base}/token"),
            credential,
            connection=self._connection,
            scopes=settings.scopes,
        )

    def windows(self, resource: Resource, *, since: datetime | None, until: datetime, full: bool) -> list[Window]:
        return entity_windows(resource, since, until, full)

    def pull(self, resource: Resource, window: Window) -> Iterator[Batch]:
        # Sorted by what never changes, so that a row that is changed in mid-walk does not shift the pages.
        params = {"sort": "sourcedId", "orderBy": "asc"}
        if window.mode == "incremental" and window.start is not None:
            params["filter"] = f"dateLastModified>='{utc_text(window.start)}'"
        pages = offset_pages(
            self.client,
            _path(resource.name),
            params,
            page_size=self._page_size,
            rows_of=rows_in(resource.name),
            key="sourcedId",
            read=RowReader(resource.name),
        )
        for page in gathered(ahead(pages), BATCH_ROWS):
            batch = parse_records(resource, page.rows)
            batch.source_total = page.total
            yield batch

    def probe(self) -> str:
        answer = self.client.get(_path("orgs"), {"limit": 1, "offset": 0}, is_probe=True)
        rows_in("orgs")(answer)
        return f"OneRoster 1.2 at {answer.url.host} answers and takes the credential."


def _path(name: str) -> str:
    return f"{_GRADEBOOK if name in _GRADEBOOK_NAMES else _ROSTERING}/{name}"
