"""Clever, asked for lists and for events, on good days and on bad ones."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asked_district import AskedDistrict
from clever_server import LISTS, TOKEN, CleverServer
from scripted_vendor import Reply, Vendor

from uptake.contracts import Batch, Window
from uptake.credentials import Credential
from uptake.errors import ConfigError, ContractError, PermanentError
from uptake.sources.clever import RESOURCES, Clever, CleverSettings

FULL = Window.between("full", None, datetime(2026, 4, 14, tzinfo=UTC))
STUDENT = {
    "name": {"first": "Zoelle", "middle": "Q", "last": "Lindqvist"},
    "email": "zl@school.example",
    "created": "2025-08-01T10:00:00.000Z",
    "last_modified": "2026-01-05T10:00:00.000Z",
    "roles": {
        "student": {
            "sis_id": "604822",
            "student_number": "900001",
            "dob": "2/29/2012",
            "grade": "8",
            "gender": "F",
            "race": "White",
            "hispanic_ethnicity": "N",
            "ell_status": "Y",
            "iep_status": "",
            "frl_status": "Free",
            "home_language": "Hmong",
            "location": {"address": "1 Elm Street"},
            "disability": {"disability_type": "Autism"},
            "school": "s1",
            "enrollments": [{"school": "s1", "start_date": "2025-08-18T00:00:00.000Z", "end_date": "2026-06-05"}],
        },
        "teacher": None,
    },
}
TEACHER = {
    "name": {"first": "Maxim", "last": "Oduya"},
    "email": "mo@school.example",
    "roles": {"teacher": {"sis_id": "604822"}, "staff": {"staff_id": "9"}},
}


def source(vendor: Vendor, **options: Any) -> Clever:
    values = {"name": "sis", "kind": "clever", "connection": "demo", "url": vendor.url, "page_size": 3}
    return Clever(CleverSettings.model_validate(values | options), Credential("", TOKEN))


def pulled(clever: Clever, name: str) -> list[Batch]:
    return list(clever.pull(clever.resources[name], FULL))


def names(batches: list[Batch]) -> list[str]:
    return sorted(name for batch in batches for name in batch.table.column("name").to_pylist())


@pytest.fixture
def district(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vendor: Vendor, waits: list[float]) -> AskedDistrict:
    return AskedDistrict(tmp_path, monkeypatch, ("", TOKEN), kind="clever", url=vendor.url, page_size=3, events=True)


@pytest.mark.parametrize("version", ["3.0", "3.1"])
@pytest.mark.parametrize("clamp", [100, 2])
def test_links_are_followed_to_the_end(vendor: Vendor, version: str, clamp: int) -> None:
    CleverServer(vendor, version=version, clamp=clamp).put("courses", *({"name": f"C{number}"} for number in range(8)))
    with source(vendor, version=version) as clever:
        assert names(pulled(clever, "courses")) == [f"C{number}" for number in range(8)]
        assert "answers and takes the credential" in clever.probe()


def test_a_person_is_read_with_all_roles_and_what_is_not_needed_is_not(vendor: Vendor) -> None:
    CleverServer(vendor).put("users", STUDENT, TEACHER)
    with source(vendor) as clever:
        (batch,) = pulled(clever, "users")
    assert batch.rejects == [] and dict(batch.unknown) == {}
    student, teacher = batch.table.to_pylist()
    assert (student["roles"], teacher["roles"]) == (["student"], ["staff", "teacher"])
    assert (student["sis_id"], student["staff_sis_id"]) == ("604822", None)
    assert (teacher["sis_id"], teacher["staff_sis_id"]) == (None, "staff:604822")
    assert (student["ell_status"], student["iep_status"], student["hispanic_ethnicity"]) == (True, None, False)
    assert student["enrollments"] == [{"school": "s1", "start_date": date(2025, 8, 18), "end_date": date(2026, 6, 5)}]
    for text in ("2012", "Elm", "Autism", "Hmong"):
        assert text not in str(student)


def test_a_flag_of_another_word_is_no_flag(vendor: Vendor) -> None:
    student = STUDENT["roles"]["student"] | {"ell_status": "maybe"}  # type: ignore[index]
    CleverServer(vendor).put("users", STUDENT | {"roles": {"student": student}})
    with source(vendor) as clever:
        (batch,) = pulled(clever, "users")
    assert [(reject.reason, reject.column) for reject in batch.rejects] == [("not_boolean", "ell_status")]


def test_members_are_those_of_each_section_once(vendor: Vendor) -> None:
    section = {"name": "Art", "school": "s1", "students": ["u1", "u2", "u1"], "teacher": "u9", "teachers": ["u9"]}
    (key,) = CleverServer(vendor).put("sections", section)
    with source(vendor) as clever:
        (batch,) = pulled(clever, "section_members")
        assert dict(pulled(clever, "sections")[0].unknown) == {}
    assert [tuple(row.values()) for row in batch.table.to_pylist()] == [
        (key, "u1", "student"),
        (key, "u2", "student"),
        (key, "u9", "teacher"),
    ]


# --- bad days ----------------------------------------------------------------------------------------------------

BAD_DAYS = {
    "throttled": [Reply({}, 429, {"Retry-After": "7"}), Reply({}, 429, {"Retry-After": "7"})],
    "away": [Reply({}, 503, {"Retry-After": "7"}), Reply({}, 500)],
    "cut off": [Reply({"data": [{"data": {}}] * 5}, cut=20)],
    "malformed": [Reply(b'{"data": [')],
    "sign-in page": [Reply(b"<html>Sign in</html>", headers={"Content-Type": "text/html"})],
}


@pytest.mark.parametrize("fault", BAD_DAYS)
def test_a_passing_fault_costs_no_record(vendor: Vendor, waits: list[float], fault: str) -> None:
    CleverServer(vendor).put("schools", *({"name": f"S{number}"} for number in range(8)))
    vendor.once("/v3.0/schools", *BAD_DAYS[fault])
    with source(vendor) as clever:
        assert len(names(pulled(clever, "schools"))) == 8
    assert len(waits) == len(BAD_DAYS[fault])
    assert ("Retry-After" in BAD_DAYS[fault][0].headers) == (waits[0] == 7)


def leading_to(uri: str) -> Reply:
    return Reply({"data": [], "links": [{"rel": "next", "uri": uri}]})


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (Reply({"data": []}), ContractError, "no list 'links'"),
        (Reply({"links": []}), ContractError, "no list 'data'"),
        (leading_to("https://other.example/v3.0/x"), PermanentError, "points to"),
        (leading_to("/v3.0/terms?again"), PermanentError, "in a circle"),
        (Reply({"message": "no"}, 401), PermanentError, "refused the credential"),
    ],
)  # fmt: skip
def test_what_cannot_be_walked_is_an_error(vendor: Vendor, answer: Reply, error: type[Exception], message: str) -> None:
    vendor.on("/v3.0/terms", answer)
    with source(vendor) as clever, pytest.raises(error, match=message):
        pulled(clever, "terms")


def test_a_connection_without_a_token_is_told() -> None:
    settings = CleverSettings.model_validate({"name": "s", "kind": "clever", "connection": "c"})
    with pytest.raises(ConfigError, match="no district token"):
        Clever(settings, Credential("id", ""))


# --- events, through the door ------------------------------------------------------------------------------------


@pytest.mark.parametrize("heeds_types", [True, False])
def test_only_what_changed_is_asked_for_and_the_last_state_counts(
    vendor: Vendor, district: AskedDistrict, heeds_types: bool
) -> None:
    server = CleverServer(vendor, heeds_types=heeds_types)
    first, second, _ = server.put("courses", *({"name": f"C{number}"} for number in range(3)))
    assert district.pull()["courses"].landed == 3
    walked = vendor.count("/v3.0/courses")
    district.later(hours=1)
    for name in ("once", "twice", "again", "last"):
        server.put("courses", {"id": second, "name": name})
    server.put("courses", {"id": first, "name": "seen no more"})
    server.delete("courses", first)
    server.put("schools", {"name": "another list"})
    server.put("courses", {"name": "new"})
    summary = district.pull(resources=["courses"])["courses"]
    assert (summary.mode, summary.pulled, summary.landed, summary.deleted) == ("incremental", 3, 3, 1)
    assert {row["name"] for row in district.current("courses").values()} == {"last", "C2", "new"}
    assert vendor.count("/v3.0/courses") == walked
    asked = [asked.params for asked in vendor.asked if "starting_after" in asked.params and "/events" in asked.path]
    assert asked and all(params["record_type"] == ["courses"] for params in asked)


def test_the_same_events_twice_change_nothing(vendor: Vendor, district: AskedDistrict) -> None:
    server = CleverServer(vendor)
    (key,) = server.put("courses", {"name": "C1"})
    district.pull()
    since = district.now
    district.later(hours=1)
    server.put("courses", {"id": key, "name": "C2"})
    district.pull(resources=["courses"])
    held = district.current("courses")
    district.later(hours=1)
    assert district.pull(resources=["courses"], since=since)["courses"].pulled == 1
    assert district.current("courses") == held


def test_an_event_after_the_pull_began_is_left_to_the_next(vendor: Vendor, district: AskedDistrict) -> None:
    server = CleverServer(vendor)
    server.put("courses", {"name": "C1"})
    district.pull()
    district.later(hours=1)
    server.put("courses", {"name": "C2"})

    def late(asked: Any) -> Reply:
        server.put("courses", {"name": "C3"})
        return server._guarded(server._events)(asked)

    vendor.once("/v3.0/events", server._guarded(server._events), late)
    assert district.pull(resources=["courses"])["courses"].pulled == 1
    district.later(hours=1)
    assert district.pull(resources=["courses"])["courses"].pulled == 1
    assert {row["name"] for row in district.current("courses").values()} == {"C1", "C2", "C3"}


def wait_for_a_month(server: CleverServer, district: AskedDistrict) -> None:
    district.later(days=31)


def turn_events_off(server: CleverServer, district: AskedDistrict) -> None:
    server.events.clear()


def lose_the_notes(server: CleverServer, district: AskedDistrict) -> None:
    (note,) = (district.project.state_dir / "notes").rglob("events.json")
    note.unlink()


@pytest.mark.parametrize(
    ("happens", "why"),
    [
        (wait_for_a_month, "keeps events for 30 days"),
        (turn_events_off, "no event of the last 30 days"),
        (lose_the_notes, "which event was the newest"),
    ],
)
def test_where_events_do_not_reach_everything_is_read(
    vendor: Vendor, district: AskedDistrict, happens: Any, why: str
) -> None:
    server = CleverServer(vendor)
    gone, _, _ = server.put("courses", *({"name": f"C{number}"} for number in range(3)))
    district.pull()
    del server._records["courses"][gone]
    district.later(hours=1)
    happens(server, district)
    summary = district.pull(resources=["courses"])["courses"]
    assert (summary.pulled, summary.deleted) == (2, 1)
    assert why in district.messages("courses")[-1]
    district.later(hours=1)
    server.put("courses", {"name": "new"})
    assert district.pull(resources=["courses"])["courses"].pulled == (3 if happens is turn_events_off else 1)


def test_a_span_that_begins_before_the_events_is_read_whole(vendor: Vendor, district: AskedDistrict) -> None:
    server = CleverServer(vendor)
    server.put("courses", *({"name": f"C{number}"} for number in range(3)))
    district.pull()
    district.later(hours=1)
    server.put("courses", {"name": "new"})
    since = district.now - timedelta(days=40)
    assert district.pull(resources=["courses"], since=since)["courses"].pulled == 4
    assert "keeps events for 30 days" in district.messages("courses")[-1]


def test_without_events_everything_is_read_each_day(vendor: Vendor, district: AskedDistrict) -> None:
    CleverServer(vendor).put("courses", {"name": "C1"})
    district.configure(events=False)
    assert district.pull(resources=["courses"])["courses"].mode == "full"
    district.later(hours=1)
    assert district.pull(resources=["courses"])["courses"].mode == "not due"
    district.later(hours=24)
    assert district.pull(resources=["courses"])["courses"].mode == "full"
    assert vendor.count("/v3.0/events") == 0


def test_a_member_who_left_is_marked(vendor: Vendor, district: AskedDistrict) -> None:
    server = CleverServer(vendor)
    section = {"name": "Art", "school": "s1", "students": ["u1", "u2"], "teachers": ["u9"]}
    (key,) = server.put("sections", section)
    district.pull()
    server.put("sections", section | {"id": key, "students": ["u2"]})
    district.later(days=1)
    assert district.pull(resources=["section_members"])["section_members"].deleted == 1


# --- people ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "student_id", "staff_id"),
    [
        ({}, "604822", "staff:604822"),
        ({"staff_ids": "shared"}, "604822", "604822"),
        ({"ids": "own"}, "sis:604822", "sis:staff:604822"),
    ],
)
def test_a_student_is_the_one_of_the_other_rosters_and_no_teacher(
    vendor: Vendor, district: AskedDistrict, options: dict[str, str], student_id: str, staff_id: str
) -> None:
    CleverServer(vendor).put("users", STUDENT, TEACHER)
    district.configure(**options)
    district.pull(resources=["users"])
    rows = district.landed("users")
    assert {row["sis_id"] for row in rows} == {district.pseudonym("sis_user", student_id), None}
    assert {row["staff_sis_id"] for row in rows} == {district.pseudonym("sis_user", staff_id), None}
    assert district.pseudonym("email", "zl@school.example") in {row["email"] for row in rows}


@pytest.mark.parametrize(("ids", "landed"), [("shared", "101"), ("own", "sis:101")])
def test_a_school_or_class_is_the_one_of_the_other_rosters_where_ids_are_shared(
    vendor: Vendor, district: AskedDistrict, ids: str, landed: str
) -> None:
    server = CleverServer(vendor)
    server.put("schools", {"name": "North", "sis_id": "101"})
    server.put("sections", {"name": "Math", "school": "s1", "sis_id": "101"})
    district.configure(ids=ids)
    district.pull(resources=["schools", "sections"])
    for name in ("schools", "sections"):
        (row,) = district.landed(name)
        assert row["sis_id"] == landed


def test_nothing_personal_lands(vendor: Vendor, district: AskedDistrict) -> None:
    server = CleverServer(vendor)
    server.put("users", STUDENT, TEACHER, STUDENT | {"created": "604823 last summer"})
    assert district.pull(resources=["users"])["users"].quarantined == 1
    at_rest = district.bytes_at_rest().lower()
    for text in (
        "zoelle",
        "lindqvist",
        "school.example",
        "604822",
        "604823",
        "900001",
        "summer",
        "elm street",
        "autism",
    ):
        assert text.encode() not in at_rest, text


def test_every_list_of_clever_is_read(vendor: Vendor) -> None:
    assert set(LISTS) | {"section_members"} == set(RESOURCES)
