"""An Ed-Fi server, asked in each of its ways, on good days and on bad ones; held to the official OpenAPI documents."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from asked_district import AskedDistrict
from edfi_server import CLIENT, EdFiServer
from pydantic import ValidationError
from scripted_vendor import Reply, Vendor

from uptake.contracts import Batch, Resource, Window
from uptake.credentials import Credential
from uptake.errors import ContractError, PermanentError, TransientError
from uptake.sources.edfi import RESOURCES, EdFi, EdFiSettings
from uptake.sources.edfi.model import SINCE_STANDARD_6

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "edfi"
needs_documents = pytest.mark.skipif(not DATA.is_dir(), reason="Ed-Fi's documents and pulls are not beside the project")
FULL = Window.between("full", None, datetime(2026, 4, 14, tzinfo=UTC))
SCHOOL = {"schoolId": 255901001, "nameOfInstitution": "Riverdale", "gradeLevels": []}
STUDENT = {"studentUniqueId": "604822", "firstName": "Zoelle", "lastSurname": "Lindqvist", "birthDate": "2012-02-29"}
STAFF = {"staffUniqueId": "604822", "firstName": "Maxim", "lastSurname": "Oduya"}


def course(code: str) -> dict[str, Any]:
    return {"courseCode": code, "courseTitle": code, "educationOrganizationReference": {"educationOrganizationId": 1}}


def source(vendor: Vendor, **options: Any) -> EdFi:
    values = {"name": "sis", "kind": "edfi", "connection": "demo", "url": vendor.url, "page_size": 3}
    return EdFi(EdFiSettings.model_validate(values | options), Credential(*CLIENT))


def pulled(edfi: EdFi, name: str) -> list[Batch]:
    return list(edfi.pull(edfi.resources[name], FULL))


def codes(batches: list[Batch]) -> list[str]:
    return [code for batch in batches for code in batch.table.column("courseCode").to_pylist()]


@pytest.fixture
def district(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vendor: Vendor, waits: list[float]) -> AskedDistrict:
    return AskedDistrict(tmp_path, monkeypatch, CLIENT, kind="edfi", url=vendor.url, page_size=3, paging="offset")


# --- the official documents --------------------------------------------------------------------------------------

SCHEMA_OF = {
    "localEducationAgencies": "localEducationAgency",
    "staffDirectories": "staffDirectory",
    "studentDirectories": "studentDirectory",
}


@cache
def schemas(standard: str) -> dict[str, Any]:
    with gzip.open(DATA / f"resources-ds-{standard}.yaml.gz") as file:
        return yaml.load(file, Loader=yaml.CSafeLoader)["components"]["schemas"]


def schema_of(standard: str, reference: str) -> dict[str, Any]:
    return schemas(standard)[reference.rpartition("/")[2]]


def record(standard: str, schema: dict[str, Any]) -> Any:
    """A record with every name that a schema has, of the types that it has."""
    if "$ref" in schema:
        return record(standard, schema_of(standard, schema["$ref"]))
    if schema["type"] == "object":
        return {name: record(standard, each) for name, each in schema.get("properties", {}).items()}
    if schema["type"] == "array":
        return [record(standard, schema["items"])]
    texts = {"date": "2026-01-31", "date-time": "2026-01-31T08:00:00Z"}
    values = {"integer": 7, "number": 2.5, "boolean": True, "string": texts.get(schema.get("format", ""), "Word")}
    return values[schema["type"]]


def differences(standard: str, schema: dict[str, Any], value: Any, place: str = "") -> Iterator[str]:
    """Where a value is not as its schema says."""
    if "$ref" in schema:
        yield from differences(standard, schema_of(standard, schema["$ref"]), value, place)
    elif schema["type"] == "object":
        names = schema.get("properties", {})
        yield from (f"{place}.{name} is not in the document" for name in value.keys() - names.keys())
        yield from (f"{place}.{name} is missing" for name in set(schema.get("required", ())) - value.keys())
        for name in value.keys() & names.keys():
            yield from differences(standard, names[name], value[name], f"{place}.{name}")
    elif schema["type"] == "array":
        for each in value:
            yield from differences(standard, schema["items"], each, f"{place}[]")
    elif not isinstance(value, {"integer": int, "number": float, "boolean": bool, "string": str}[schema["type"]]):
        yield f"{place} is no {schema['type']}"


@needs_documents
@pytest.mark.parametrize("standard", ["5.0", "6.0"])
def test_every_record_of_the_official_documents_is_read_whole(vendor: Vendor, standard: str) -> None:
    server = EdFiServer(vendor)
    with source(vendor, data_standard=int(standard[0])) as edfi:
        assert (edfi.resources.keys() >= SINCE_STANDARD_6) == (standard == "6.0")
        for name in edfi.resources:
            schema = schemas(standard)[f"edFi_{SCHEMA_OF.get(name, name.removesuffix('s'))}"]
            sent = record(standard, schema)
            assert list(differences(standard, schema, sent)) == []
            server.put(name, sent)
            (batch, _) = pulled(edfi, name)
            assert (batch.rejects, dict(batch.unknown)) == ([], {}), name
            assert batch.table.num_rows == 1
            (row,) = batch.table.to_pylist()
            absent = {field for field, value in row.items() if value is None}
            assert absent <= NOT_IN[standard].get(name, set()), name


# What a standard does not say, or says in another place.
NOT_IN: dict[str, dict[str, set[str]]] = {
    "5.0": {
        "courses": {"academicSubject"},
        "grades": {"periodSequence"},
        # No kind of address and no characteristic is called "Word".
        "staffs": {"email"},
        "studentEducationOrganizationAssociations": {"email"},
    },
    "6.0": {
        "courses": {"academicSubject"},
        "grades": {"periodSequence"},
        "staffs": {"email"},
        "staffDirectories": {"email"},
        "studentDirectories": {"email"},
        "studentEducationOrganizationAssociations": {
            *("email", "sex", "hispanicLatinoEthnicity", "races", "limitedEnglishProficiency", "hasDisability"),
            "characteristics",
        },
    },
}


@needs_documents
def test_what_the_server_of_these_tests_answers_is_as_the_document_says(vendor: Vendor) -> None:
    document = yaml.safe_load((DATA / "change-queries-api-1.0.0.yaml").read_text(encoding="utf-8"))
    schema = document["components"]["schemas"]["availableChangeVersion"]
    server = EdFiServer(vendor)
    server.put("students", STUDENT)
    with source(vendor) as edfi:
        answer = edfi.client.get("changeQueries/v1/availableChangeVersions")
        (student,) = edfi.client.get("data/v3/ed-fi/students", {"limit": 1}).data
    assert list(differences("5.0", schema | {"type": "object"}, answer.data)) == []
    assert list(differences("5.0", schemas("5.0")["edFi_student"], student)) == []


# --- records -----------------------------------------------------------------------------------------------------


def test_of_a_child_only_what_is_needed_is_read(vendor: Vendor) -> None:
    def word(kind: str, value: str) -> str:
        return f"uri://ed-fi.org/{kind}Descriptor#{value}"

    association = {
        "studentReference": {"studentUniqueId": "604822", "link": {"rel": "Student", "href": "/ed-fi/students/1"}},
        "educationOrganizationReference": {"educationOrganizationId": 255901},
        "sexDescriptor": word("Sex", "Female"),
        "races": [{"raceDescriptor": word("Race", "White")}, {"raceDescriptor": word("Race", "Asian")}],
        "hispanicLatinoEthnicity": False,
        "limitedEnglishProficiencyDescriptor": word("LimitedEnglishProficiency", "Limited"),
        "disabilities": [{"disabilityDescriptor": word("Disability", "Autism")}],
        "studentCharacteristics": [
            {"studentCharacteristicDescriptor": word("StudentCharacteristic", "Homeless")},
            {
                "studentCharacteristicDescriptor": word("StudentCharacteristic", "Economic Disadvantaged"),
                "periods": [{"beginDate": "2025-08-18"}, {"beginDate": "2024-08-18", "endDate": "2025-05-30"}],
            },
        ],
        "electronicMails": [
            {
                "electronicMailTypeDescriptor": word("ElectronicMailType", "Home/Personal"),
                "electronicMailAddress": "zoe@home.example",
                "primaryEmailAddressIndicator": True,
            },
            {
                "electronicMailTypeDescriptor": word("ElectronicMailType", "Other"),
                "electronicMailAddress": "o@x.example",
            },
            {
                "electronicMailTypeDescriptor": word("ElectronicMailType", "Organization"),
                "electronicMailAddress": "zl@school.example",
            },
        ],
        "telephones": [{"telephoneNumber": "555-0100"}],
    }
    EdFiServer(vendor).put("studentEducationOrganizationAssociations", association)
    with source(vendor) as edfi:
        batch = pulled(edfi, "studentEducationOrganizationAssociations")[0]
    assert batch.rejects == [] and dict(batch.unknown) == {}
    (row,) = batch.table.to_pylist()
    assert (row["sex"], row["races"], row["limitedEnglishProficiency"]) == ("Female", ["White", "Asian"], "Limited")
    assert (row["hasDisability"], row["email"]) == (True, "zl@school.example")
    assert [(each["characteristic"], str(each["beginDate"])) for each in row["characteristics"]] == [
        ("Economic Disadvantaged", "2025-08-18"),
        ("Economic Disadvantaged", "2024-08-18"),
    ]
    assert "Autism" not in str(row) and "Homeless" not in str(row) and "home.example" not in str(row)


@pytest.mark.parametrize(
    ("value", "reason"),
    [({"schoolId": "first"}, "not_integer"), ({"schoolId": None}, "missing_required"), ({"id": 7}, "not_string"),
     ({"gradeLevels": [{"gradeLevelDescriptor": 3}]}, "not_list"), ({"schoolTypeDescriptor": 3}, "not_string")],
)  # fmt: skip
def test_a_record_that_does_not_fit_is_told(vendor: Vendor, value: dict[str, Any], reason: str) -> None:
    EdFiServer(vendor)
    path = "/data/v3/ed-fi/schools"
    rows = [SCHOOL | {"id": "a" * 32} | value]
    vendor.once(path, Reply(rows, headers={"Total-Count": "1"}), Reply(rows))
    with source(vendor) as edfi:
        rejects = [reject for batch in pulled(edfi, "schools") for reject in batch.rejects]
    assert [reject.reason for reject in rejects] == [reason]


# --- pages -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("paging", ["offset", "cursor"])
@pytest.mark.parametrize("clamp", [500, 2])
def test_every_record_comes_once_however_small_the_pages(vendor: Vendor, paging: str, clamp: int) -> None:
    names = [f"C{number:03}" for number in range(10)]
    EdFiServer(vendor, clamp=clamp).put("courses", *map(course, names))
    with source(vendor, paging=paging) as edfi:
        batches = pulled(edfi, "courses")
    assert sorted(codes(batches)) == names
    assert batches[-1].source_total == 10
    assert not any({"limit", "offset"} & asked.params.keys() and "pageSize" in asked.params for asked in vendor.asked)


def test_a_record_that_goes_in_mid_walk_takes_no_other_with_it(vendor: Vendor) -> None:
    server = EdFiServer(vendor)
    ids = server.put("courses", *(course(f"C{number}") for number in range(9)))

    def delete_the_first(asked: Any) -> None:
        if asked.params.get("offset") == ["3"] and ids:
            server.delete("courses", ids.pop(0))
            ids.clear()

    server.during = delete_the_first
    with source(vendor) as edfi:
        assert sorted(codes(pulled(edfi, "courses"))) == [f"C{number}" for number in range(9)]


def test_a_list_that_never_holds_still_is_left_for_later(vendor: Vendor) -> None:
    server = EdFiServer(vendor)
    server.put("courses", *(course(f"C{number}") for number in range(4)))

    def add_one(asked: Any) -> None:
        if asked.params.get("limit") == ["0"]:
            server.put("courses", course(f"X{server.version}"))

    server.during = add_one
    with source(vendor) as edfi, pytest.raises(TransientError, match="changed during each of 5 walks") as caught:
        pulled(edfi, "courses")
    assert "cursor" in caught.value.remedy


def test_a_server_without_cursors_is_not_taken_for_a_short_list(vendor: Vendor) -> None:
    EdFiServer(vendor, cursors=False).put("courses", *(course(f"C{number}") for number in range(40)))
    with source(vendor, paging="cursor") as edfi, pytest.raises(PermanentError, match="no cursor paging") as caught:
        pulled(edfi, "courses")
    assert "paging: offset" in caught.value.remedy


def test_a_larger_page_than_servers_take_is_refused_in_the_settings() -> None:
    with pytest.raises(ValidationError, match="less than or equal to 500"):
        EdFiSettings.model_validate({"name": "s", "kind": "edfi", "url": "https://x.example", "page_size": 501})


def test_the_address_has_instance_and_year(vendor: Vendor) -> None:
    server = EdFiServer(vendor, context="/lakeside/2026")
    server.put("schools", SCHOOL)
    vendor.on("/lakeside/oauth/token", vendor._answers["/oauth/token"])
    with source(vendor, instance="lakeside", school_year=2026) as edfi:
        assert pulled(edfi, "schools")[0].table.num_rows == 1
        assert "answers and takes the credential" in edfi.probe()
    assert vendor.count("/oauth/token") == 0


# --- bad days ----------------------------------------------------------------------------------------------------

SCHOOLS = "/data/v3/ed-fi/schools"
BAD_DAYS = {
    "throttled": [Reply({}, 429, {"Retry-After": "7"}), Reply({}, 429, {"Retry-After": "7"})],
    "away": [Reply({}, 503, {"Retry-After": "7"}), Reply({}, 500)],
    "cut off": [Reply([SCHOOL] * 5, cut=20)],
    "malformed": [Reply(b'[{"id": "')],
    "sign-in page": [Reply(b"<html>Sign in</html>", headers={"Content-Type": "text/html"})],
}


@pytest.mark.parametrize("paging", ["offset", "cursor"])
@pytest.mark.parametrize("fault", BAD_DAYS)
def test_a_passing_fault_costs_no_record(vendor: Vendor, waits: list[float], paging: str, fault: str) -> None:
    EdFiServer(vendor).put("schools", *(SCHOOL | {"schoolId": number} for number in range(8)))
    vendor.once(SCHOOLS, *BAD_DAYS[fault])
    with source(vendor, paging=paging) as edfi:
        batches = pulled(edfi, "schools")
    assert sum(batch.table.num_rows for batch in batches) == 8
    assert len(waits) == len(BAD_DAYS[fault])
    assert ("Retry-After" in BAD_DAYS[fault][0].headers) == (waits[0] == 7)


@pytest.mark.parametrize("paging", ["offset", "cursor"])
def test_a_token_that_expires_in_mid_walk_is_renewed(vendor: Vendor, paging: str) -> None:
    EdFiServer(vendor, expire_after=2).put("schools", *(SCHOOL | {"schoolId": number} for number in range(12)))
    with source(vendor, paging=paging) as edfi:
        assert sum(batch.table.num_rows for batch in pulled(edfi, "schools")) == 12
    assert vendor.count("/oauth/token") > 2


def test_a_wrong_secret_says_what_to_mend(vendor: Vendor) -> None:
    EdFiServer(vendor)
    settings = EdFiSettings.model_validate({"name": "s", "kind": "edfi", "connection": "c", "url": vendor.url})
    with (
        EdFi(settings, Credential("edfi-key", "old")) as edfi,
        pytest.raises(PermanentError, match="refused") as caught,
    ):
        edfi.probe()
    assert "connection 'c'" in caught.value.remedy


def test_an_answer_of_something_else_is_told(vendor: Vendor) -> None:
    EdFiServer(vendor)
    vendor.once("/changeQueries/v1/availableChangeVersions", Reply({"newest": 1}))
    with source(vendor) as edfi, pytest.raises(ContractError, match="change versions"):
        edfi.probe()


# --- changes, through the door -----------------------------------------------------------------------------------


def test_only_what_changed_is_asked_for_and_deletions_land(vendor: Vendor, district: AskedDistrict) -> None:
    server = EdFiServer(vendor)
    first, second, third = server.put("courses", *(course(f"C{number}") for number in range(3)))
    assert district.pull()["courses"].landed == 3
    before = server.version
    district.later(hours=1)
    server.put("courses", course("C9") | {"id": second}, course("new"))
    server.delete("courses", first)
    summary = district.pull(resources=["courses"])["courses"]
    assert (summary.mode, summary.pulled, summary.landed, summary.deleted) == ("incremental", 3, 3, 1)
    assert {row["courseCode"] for row in district.current("courses").values()} == {"C9", "C2", "new"}
    asked = [asked.params for asked in vendor.asked if asked.path.endswith("/courses/deletes")]
    assert {(each["minChangeVersion"][0], each["maxChangeVersion"][0]) for each in asked} == {
        (str(before + 1), str(server.version))
    }
    assert third in district.current("courses")


def test_a_change_in_mid_pull_belongs_to_the_next_window(vendor: Vendor, district: AskedDistrict) -> None:
    server = EdFiServer(vendor)
    ids = server.put("courses", *(course(f"C{number}") for number in range(8)))
    district.pull()
    district.later(hours=1)
    server.put("courses", *(course(f"D{number}") | {"id": key} for number, key in enumerate(ids)))

    def change_one(asked: Any) -> None:
        if asked.params.get("offset") == ["3"] and ids:
            server.put("courses", course("late") | {"id": ids[0]})
            ids.clear()

    server.during = change_one
    first_id = ids[0]
    district.pull(resources=["courses"])
    codes_then = {key: row["courseCode"] for key, row in district.current("courses").items()}
    assert codes_then.pop(first_id) in ("C0", "D0")
    assert sorted(codes_then.values()) == [f"D{number}" for number in range(1, 8)]
    district.later(hours=1)
    district.pull(resources=["courses"])
    assert district.current("courses")[first_id]["courseCode"] == "late"


@pytest.mark.parametrize("counts", [True, False])
def test_a_changed_key_brings_the_record_under_its_new_one(
    vendor: Vendor, district: AskedDistrict, counts: bool
) -> None:
    server = EdFiServer(vendor)
    key, _ = server.put("courses", course("old"), course("other"))
    district.pull()
    district.later(hours=1)
    server.change_key("courses", key, {"courseCode": "new"}, counts=counts)
    assert district.pull(resources=["courses"])["courses"].pulled == 1
    assert {row["courseCode"] for row in district.current("courses").values()} == {"new", "other"}


def test_an_old_server_tells_bare_ids_and_no_key_changes(vendor: Vendor, district: AskedDistrict) -> None:
    server = EdFiServer(vendor, old=True, cursors=False)
    key, kept = server.put("courses", course("gone"), course("kept"))
    district.pull()
    district.later(hours=1)
    server.delete("courses", key)
    server.tell_deleted("courses", "f" * 32)  # of a district that is not ours
    summary = district.pull(resources=["courses"])["courses"]
    assert (summary.pulled, summary.landed, summary.quarantined) == (2, 2, 0)
    assert set(district.current("courses")) == {kept}


def test_nothing_is_asked_for_where_nothing_was_changed(vendor: Vendor, district: AskedDistrict) -> None:
    server = EdFiServer(vendor)
    server.put("courses", course("C1"))
    district.pull()
    walked = server.lists("courses")
    district.later(hours=1)
    assert district.pull(resources=["courses"])["courses"].pulled == 0
    assert server.lists("courses") == walked


def test_a_pull_that_failed_is_made_up_for(vendor: Vendor, district: AskedDistrict) -> None:
    server = EdFiServer(vendor)
    server.put("courses", course("C1"))
    district.pull()
    district.later(hours=1)
    server.put("courses", course("C2"))
    vendor.once("/data/v3/ed-fi/courses", Reply({}, 400))
    with pytest.raises(PermanentError):
        district.pull(resources=["courses"])
    district.later(hours=1)
    server.put("courses", course("C3"))
    assert district.pull(resources=["courses"])["courses"].pulled == 2
    assert {row["courseCode"] for row in district.current("courses").values()} == {"C1", "C2", "C3"}


def lose_the_notes(server: EdFiServer, district: AskedDistrict) -> None:
    (note,) = (district.project.state_dir / "notes").rglob("change_versions.json")
    note.write_text("{", encoding="utf-8")


def restore_a_copy(server: EdFiServer, district: AskedDistrict) -> None:
    server.version = 5


def forget_old_changes(server: EdFiServer, district: AskedDistrict) -> None:
    server.version += 50
    server.oldest = server.version


def move_to_another(server: EdFiServer, district: AskedDistrict) -> None:
    district.configure(url=district._entry["url"].replace("127.0.0.1", "localhost"))


@pytest.mark.parametrize(
    ("happens", "why"),
    [
        (lose_the_notes, "it is not known which change version"),
        (move_to_another, "it is not known which change version"),
        (restore_a_copy, "begin anew"),
        (forget_old_changes, "no longer keeps the changes"),
    ],
)
def test_where_changes_cannot_be_told_everything_is_read(
    vendor: Vendor, district: AskedDistrict, happens: Any, why: str
) -> None:
    server = EdFiServer(vendor)
    key, _, _ = server.put("courses", course("C1"), course("C2"), course("C3"))
    district.pull()
    del server._kept["courses"].records[key]
    district.later(hours=1)
    happens(server, district)
    summary = district.pull(resources=["courses"])["courses"]
    assert (summary.pulled, summary.deleted) == (2, 1)
    assert why in district.messages("courses")[-1]
    district.later(hours=1)
    server.put("courses", course("C4"))
    assert district.pull(resources=["courses"])["courses"].pulled == 1


def test_without_change_queries_everything_is_read_each_day(vendor: Vendor, district: AskedDistrict) -> None:
    server = EdFiServer(vendor)
    vendor.on("/changeQueries/v1/availableChangeVersions", Reply({}, 404))
    server.put("courses", course("C1"))
    with pytest.raises(PermanentError) as caught:
        district.pull(resources=["courses"])
    assert "change_queries: false" in caught.value.remedy
    district.configure(change_queries=False)
    assert district.pull(resources=["courses"])["courses"].mode == "full"
    district.later(hours=1)
    assert district.pull(resources=["courses"])["courses"].mode == "not due"
    district.later(hours=24)
    assert district.pull(resources=["courses"])["courses"].mode == "full"


def test_a_snapshot_is_asked_for_and_missed_where_there_is_none(vendor: Vendor, district: AskedDistrict) -> None:
    server = EdFiServer(vendor)
    server.put("courses", course("C1"))
    district.configure(snapshot=True)
    with pytest.raises(PermanentError) as caught:
        district.pull(resources=["courses"])
    assert "snapshot" in caught.value.remedy
    server.has_snapshot = True
    assert district.pull(resources=["courses"])["courses"].landed == 1
    assert all(asked.headers.get("use-snapshot") == "true" for asked in vendor.asked if asked.path != "/oauth/token")


# --- people ------------------------------------------------------------------------------------------------------


def test_a_student_is_the_one_of_the_other_roster_and_no_member_of_staff(
    vendor: Vendor, district: AskedDistrict
) -> None:
    server = EdFiServer(vendor)
    server.put("students", STUDENT)
    server.put("staffs", STAFF)
    district.pull()
    (student,), (staff,) = district.landed("students"), district.landed("staffs")
    assert student["studentUniqueId"] == district.pseudonym("sis_user", "604822")
    assert staff["staffUniqueId"] == district.pseudonym("sis_user", "staff:604822")


def test_ids_of_one_series_and_ids_of_its_own(vendor: Vendor, district: AskedDistrict) -> None:
    server = EdFiServer(vendor)
    server.put("students", STUDENT)
    server.put("staffs", STAFF)
    district.configure(ids="own", staff_ids="shared")
    district.pull()
    (student,), (staff,) = district.landed("students"), district.landed("staffs")
    assert student["studentUniqueId"] == staff["staffUniqueId"] == district.pseudonym("sis_user", "sis:604822")


def test_nothing_personal_lands(vendor: Vendor, district: AskedDistrict) -> None:
    server = EdFiServer(vendor)
    mail = {"electronicMailTypeDescriptor": "uri://x#Work", "electronicMailAddress": "mo@school.example"}
    server.put("students", STUDENT, STUDENT | {"birthDate": "last summer", "studentUniqueId": "604823"})
    server.put("staffs", STAFF | {"loginId": "moduya", "electronicMails": [mail]})
    district.pull(resources=["students", "staffs"])
    at_rest = district.bytes_at_rest().lower()
    for text in (
        "zoelle",
        "lindqvist",
        "2012-02-29",
        "604822",
        "604823",
        "moduya",
        "school.example",
        "maxim",
        "summer",
    ):
        assert text.encode() not in at_rest, text


# --- what real servers sent --------------------------------------------------------------------------------------


def sent(resource: str, day: str, what: str = "upserts") -> list[list[dict[str, Any]]]:
    """Records of real pulls, file by file: NDJSON, some of it packed, each with a byte order mark."""
    files = []
    for path in sorted((DATA / "api-pulls" / resource / "incremental" / what / f"rundate={day}").iterdir()):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig")
        files.append([orjson.loads(line) for line in text if line.strip()])
    return files


COUNTS = {"students": 6501, "studentSchoolAssociations": 6503, "courses": 184, "courseOfferings": 368, "schools": 5}


@needs_documents
def test_real_pulls_land_whole(vendor: Vendor, district: AskedDistrict) -> None:
    server = EdFiServer(vendor, old=True, cursors=False)
    district.configure(page_size=500, data_standard=3)
    for name in COUNTS:
        for records in sent(name, "2022-07-14"):
            server.put(name, *records)
    summaries = district.pull(resources=list(COUNTS))
    assert {name: summary.landed for name, summary in summaries.items()} == COUNTS
    assert sum(summary.quarantined for summary in summaries.values()) == 0
    assert [message for name in COUNTS for message in district.messages(name) if message] == []
    later = [*sent("schools", "2022-08-10"), *sent("schools", "2022-08-11")]
    assert list(map(len, later)) == [1, 1, 1]
    for records in later:
        district.later(hours=1)
        server.put("schools", *records)
        assert district.pull(resources=["schools"])["schools"].landed == 1
    district.later(hours=1)
    ((gone,),) = sent("schools", "2022-07-14", "deletes")
    server.version += 1
    server.tell_deleted("schools", gone["Id"])
    summary = district.pull(resources=["schools"])["schools"]
    assert (summary.pulled, summary.landed, summary.deleted) == (1, 1, 1)
    assert len(district.current("schools")) == 5


def test_each_resource_says_whose_columns_are_personal() -> None:
    def of(resource: Resource, rule: str) -> set[str]:
        return {field.name for field in resource.fields if getattr(field, rule)}

    for name, resource in RESOURCES.items():
        assert of(resource, "identifier") <= {"studentUniqueId", "staffUniqueId", "email", "loginId"}
        assert {"studentUniqueId", "staffUniqueId"} & {field.name for field in resource.fields} <= of(
            resource, "identifier"
        ), name
