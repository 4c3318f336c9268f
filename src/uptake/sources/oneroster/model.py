"""The OneRoster data model as Uptake lands it, whatever it came by: the shapes of version 1.2.

Information models: https://www.imsglobal.org/sites/default/files/spec/oneroster/v1p2/rostering-informationmodel/OneRosterv1p2RosteringService_InfoModelv1p0.html
and the gradebook's beside it. Older versions and files are brought to these shapes before they are held to them, so
that staging and marts know one model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

import pyarrow as pa

from uptake.config import Settings
from uptake.contracts import TIMESTAMP, Field, Resource

NAMESPACE = "oneroster"

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
    return Field(f"{name}_sourcedId", path=f"{name}.sourcedId", local_id=True, **rules)


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
        fields=(
            key or Field("sourcedId", local_id=True),
            Field("status"),
            Field("dateLastModified", TIMESTAMP),
            *fields,
        ),
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
            Field("terms", _TEXTS, path="terms[].sourcedId", local_id=True),
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
            Field("roles", _ROLES, convert=_roles, local_id="org_sourcedId"),
            key=Field("sourcedId", identifier="sis_user", local_id=True),
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
            key=Field("sourcedId", identifier="sis_user", local_id=True),
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


class RosterSettings(Settings):
    """ids: `shared` where the ids of this system are the district's own, the same in every roster; `own` where another
    system of the district may give the same ids to other people, schools or classes: each is then qualified by the
    name of the source. Changing it makes everyone of the source a new person."""

    ids: Literal["shared", "own"] = "shared"


def resources_of(settings: RosterSettings, name: str) -> Mapping[str, Resource]:
    """The model's resources, with the ids of the source `name` qualified where they are its own."""
    if settings.ids == "shared":
        return RESOURCES
    return {resource.name: replace(resource, qualifier=name) for resource in RESOURCES.values()}
