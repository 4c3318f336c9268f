"""The CSV dialects of the OneRoster model: which files there are, and what their columns are called here.

- OneRoster 1.1: https://www.imsglobal.org/oneroster-v11-final-csv-tables
- OneRoster 1.2: https://www.imsglobal.org/spec/oneroster/v1p2/bind/csv (roles of users in a file of their own)
- School Data Sync v2.1 and v2: https://learn.microsoft.com/en-us/schooldatasync/sds-v2.1-csv-file-format
  (no manifest; each upload is the whole list; enrolments without an id, a status and a school)

A new dialect is an entry of `DIALECTS`. A column is read under the name of the model's field that it becomes;
`uptake.sources.oneroster.shapes` makes the rest. `dateLastModified` is known and not read: whole lists leave it blank,
so that only the order of the files can tell the newer of two rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from uptake.sources.dropfolder.mapping import Column
from uptake.sources.dropfolder.mapping import Mapping as FileMapping
from uptake.sources.oneroster.model import NAMESPACE, RESOURCES

RoleFile = Literal["columns", "oneroster", "sds"]
EXTENSION = "metadata."


@dataclass(frozen=True)
class Sheet:
    """One CSV file.

    names: by which it may go, without `.csv`. columns: header -> field. may_be_absent: headers that a file may lack,
    and then nothing is known. ignored: headers that are known and not read.
    """

    names: tuple[str, ...]
    columns: Mapping[str, str]
    may_be_absent: frozenset[str] = frozenset()
    ignored: tuple[str, ...] = ()

    @cached_property
    def mapping(self) -> FileMapping:
        """As the drop folder reads it."""
        first = next(iter(self.columns))
        read = [
            Column(header=header, name=name, required=header == first, may_be_absent=header in self.may_be_absent)
            for header, name in self.columns.items()
        ]
        unread = [
            Column(header=header, name=f"unread_{number}", drop=True, may_be_absent=True)
            for number, header in enumerate(self.ignored)
        ]
        return FileMapping(
            namespace=NAMESPACE,
            resource="sheet",
            files=f"{self.names[0]}.csv",
            format="csv",
            key=(self.columns[first],),
            columns=(*read, *unread),
            allow_extra=(f"{EXTENSION}*",),
        )


@dataclass(frozen=True)
class Dialect:
    """sheets: by resource, the files that it is made of, the first being its own. required: resources without which a
    delivery is not whole. roles: where the roles of users stand: in columns of `users`, or in a file of which kind."""

    has_manifest: bool
    sheets: Mapping[str, tuple[Sheet, ...]]
    roles: RoleFile
    required: frozenset[str] = frozenset()
    is_sds: bool = False
    file_names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        names = {name for sheets in self.sheets.values() for sheet in sheets for name in sheet.names}
        object.__setattr__(self, "file_names", frozenset(f"{name}.csv".casefold() for name in names))


_CONTACT = ("userIds", "middleName", "sms", "phone", "agentSourcedIds", "password")
_USER_1P2 = (
    *("userMasterIdentifier", "resourceSourcedIds", "pronouns", "preferredGivenName", "preferredFamilyName"),
    *("preferredFirstName", "preferredMiddleName", "preferredLastName"),
)
_SPECIAL_HEADERS = {"terms": "termSourcedIds"}
_OWN_FLAGS = tuple(field.name for field in RESOURCES["demographics"].fields if field.name.startswith("metadata_"))


def _header(name: str) -> str:
    plain = name.replace("_sourcedId", "SourcedId").replace("metadata_", EXTENSION)
    return _SPECIAL_HEADERS.get(name, plain)


def _sheet(
    name: str, *, lacks: tuple[str, ...] = (), ignored: tuple[str, ...] = (), adds: Mapping[str, str] | None = None
) -> Sheet:
    """A file of OneRoster: the model's own fields, spelled as CSV spells them, but for those that it lacks. The
    district's own flags may be absent; `status` is left out of whole lists by some."""
    fields = [entry.name for entry in RESOURCES[name].fields]
    columns = {_header(entry): entry for entry in fields if entry not in {"dateLastModified", *lacks}}
    return Sheet(
        (name,),
        columns | dict(adds or {}),
        may_be_absent=frozenset({"status", *map(_header, _OWN_FLAGS)}),
        ignored=("dateLastModified", *ignored),
    )


_ORGS = _sheet("orgs")
_SESSIONS = _sheet("academicSessions")
_COURSES = _sheet("courses", ignored=("schoolYearSourcedId", "subjectCodes", "resources", "resourceSourcedIds"))
_CLASSES = _sheet("classes", ignored=("location", "subjectCodes", "periods", "resources", "resourceSourcedIds"))
_ENROLLMENTS = _sheet("enrollments")
_DEMOGRAPHICS = _sheet(
    "demographics",
    ignored=("countryOfBirthCode", "stateOfBirthAbbreviation", "cityOfBirth", "publicSchoolResidenceStatus"),
)

_V1P1 = Dialect(
    has_manifest=True,
    roles="columns",
    sheets={
        "orgs": (_ORGS,),
        "academicSessions": (_SESSIONS,),
        "courses": (_COURSES,),
        "classes": (_CLASSES,),
        "users": (
            _sheet(
                "users",
                lacks=("roles", "primaryOrg_sourcedId"),
                adds={"role": "role", "orgSourcedIds": "orgSourcedIds"},
                ignored=_CONTACT,
            ),
        ),
        "enrollments": (_ENROLLMENTS,),
        "demographics": (_DEMOGRAPHICS,),
        "categories": (_sheet("categories", lacks=("weight",)),),
        "lineItems": (
            _sheet("lineItems", lacks=("school_sourcedId",), ignored=("description", "gradingPeriodSourcedId")),
        ),
        "results": (_sheet("results", lacks=("class_sourcedId",), ignored=("comment",)),),
    },
)
_V1P2 = Dialect(
    has_manifest=True,
    roles="oneroster",
    sheets={
        **_V1P1.sheets,
        "users": (
            _sheet("users", lacks=("roles",), ignored=(*_CONTACT, *_USER_1P2)),
            Sheet(
                # The specification says roles.csv; userRoles.csv is met too.
                ("roles", "userRoles"),
                {
                    "userSourcedId": "user",
                    "roleType": "roleType",
                    "role": "role",
                    "beginDate": "beginDate",
                    "endDate": "endDate",
                    "orgSourcedId": "org_sourcedId",
                    "status": "status",
                },
                may_be_absent=frozenset({"status"}),
                ignored=("sourcedId", "dateLastModified", "userProfileSourcedId"),
            ),
        ),
        "categories": (_sheet("categories"),),
        "lineItems": (
            _sheet(
                "lineItems",
                ignored=("description", "gradingPeriodSourcedId", "academicSessionSourcedId", "scoreScaleSourcedId"),
            ),
        ),
        "results": (
            _sheet(
                "results",
                ignored=("comment", "textScore", "scoreScaleSourcedId", "inProgress", "incomplete", "late", "missing"),
            ),
        ),
    },
)

_SDS_CLASSES = Sheet(
    ("classes",),
    {
        "sourcedId": "sourcedId",
        "orgSourcedId": "school_sourcedId",
        "title": "title",
        "sessionSourcedIds": "terms",
        "courseSourcedId": "course_sourcedId",
        "code": "classCode",
    },
    may_be_absent=frozenset({"sessionSourcedIds", "courseSourcedId", "code"}),
)
_SDS_PERSON = {
    "sourcedId": "sourcedId",
    "username": "username",
    "givenName": "givenName",
    "familyName": "familyName",
    "email": "email",
}
_SDS_UNREAD = ("password", "activeDirectoryMatchId", "phone", "sms", "middleName")

_SDS_V2P1 = Dialect(
    has_manifest=False,
    roles="sds",
    required=frozenset({"orgs", "users"}),
    is_sds=True,
    sheets={
        "orgs": (
            Sheet(
                ("orgs",),
                {"sourcedId": "sourcedId", "name": "name", "type": "type", "parentSourcedId": "parent_sourcedId"},
                may_be_absent=frozenset({"parentSourcedId"}),
            ),
        ),
        "academicSessions": (
            Sheet(
                ("academicSessions",),
                {
                    "sourcedId": "sourcedId",
                    "title": "title",
                    "type": "type",
                    "schoolYear": "schoolYear",
                    "startDate": "startDate",
                    "endDate": "endDate",
                },
            ),
        ),
        "courses": (
            Sheet(
                ("courses",),
                {
                    "sourcedId": "sourcedId",
                    "orgSourcedId": "org_sourcedId",
                    "title": "title",
                    "code": "courseCode",
                    "subject": "subjects",
                    "grade": "grades",
                },
                may_be_absent=frozenset({"code", "subject", "grade"}),
                ignored=("schoolYearSourcedId",),
            ),
        ),
        "classes": (_SDS_CLASSES,),
        "users": (
            Sheet(("users",), _SDS_PERSON, may_be_absent=frozenset({"email"}), ignored=_SDS_UNREAD),
            Sheet(
                ("roles",),
                {
                    "userSourcedId": "user",
                    "orgSourcedId": "org_sourcedId",
                    "role": "role",
                    "grade": "grade",
                    "isPrimary": "isPrimary",
                    "roleStartDate": "beginDate",
                    "roleEndDate": "endDate",
                },
                may_be_absent=frozenset({"grade", "isPrimary", "roleStartDate", "roleEndDate"}),
                ignored=("sessionSourcedId",),
            ),
        ),
        "enrollments": (
            Sheet(
                ("enrollments",),
                {"classSourcedId": "class_sourcedId", "userSourcedId": "user_sourcedId", "role": "role"},
            ),
            _SDS_CLASSES,
        ),
        "demographics": (
            Sheet(
                ("demographics",),
                {
                    "userSourcedId": "sourcedId",
                    "sex": "sex",
                    "birthDate": "birthDate",
                    "ethnicityCodes": "ethnicityCodes",
                    "raceCodes": "raceCodes",
                },
                may_be_absent=frozenset({"sex", "birthDate", "ethnicityCodes", "raceCodes"}),
                ignored=("birthCity", "birthState", "birthCountry"),
            ),
        ),
    },
)
_SDS_V2 = Dialect(
    has_manifest=False,
    roles="columns",
    required=frozenset({"orgs", "users"}),
    is_sds=True,
    sheets={name: _SDS_V2P1.sheets[name] for name in ("orgs", "classes", "enrollments")}
    | {
        "users": (
            Sheet(
                ("users",),
                _SDS_PERSON | {"role": "role", "orgSourcedIds": "orgSourcedIds", "grade": "grades"},
                may_be_absent=frozenset({"email", "grade"}),
                ignored=_SDS_UNREAD,
            ),
        )
    },
)

# Of OneRoster the manifest names the version.
ONEROSTER = {"1.1": _V1P1, "1.2": _V1P2}
DIALECTS: Mapping[str, Dialect] = {"sds_v2.1": _SDS_V2P1, "sds_v2": _SDS_V2}
