"""Google Classroom, whole and on bad days."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from asked_district import AskedDistrict
from google_server import ACCOUNT, ADMIN, CREDENTIAL, KEY_FILE, GoogleServer, error
from scripted_vendor import Reply, Vendor

from uptake.contracts import Batch, Window
from uptake.credentials import Credential
from uptake.errors import ConfigError, PermanentError, TransientError
from uptake.sources.google import GoogleClassroom, GoogleClassroomSettings

FULL = Window.between("full", None, datetime(2026, 4, 14, tzinfo=UTC))
MINA = {
    "courseId": "c1",
    "userId": "117",
    "profile": {
        "id": "117",
        "emailAddress": "mina.ode@lakeside.example",
        "name": {"givenName": "Minarelle", "familyName": "Odekunle", "fullName": "Minarelle Odekunle"},
        "photoUrl": "//lh3.example/photo",
    },
}
WORK = {
    "courseId": "c1",
    "id": "w1",
    "title": "Fractions",
    "maxPoints": 20,
    "dueDate": {"year": 2026, "month": 3, "day": 9},
}
HISTORY = [
    {"stateHistory": {"state": "CREATED", "stateTimestamp": "2026-03-02T08:00:00Z", "actorUserId": "117"}},
    {"stateHistory": {"state": "TURNED_IN", "stateTimestamp": "2026-03-08T09:30:00.123Z", "actorUserId": "117"}},
    {
        "gradeHistory": {
            "gradeChangeType": "ASSIGNED_GRADE_POINTS_EARNED_CHANGE",
            "gradeTimestamp": "2026-03-10T10:00:00Z",
        }
    },
    {
        "gradeHistory": {
            "gradeChangeType": "ASSIGNED_GRADE_POINTS_EARNED_CHANGE",
            "gradeTimestamp": "2026-03-12T10:00:00Z",
        }
    },
    {"gradeHistory": {"gradeChangeType": "DRAFT_GRADE_POINTS_EARNED_CHANGE", "gradeTimestamp": "2026-03-13T10:00:00Z"}},
]
SUBMISSION = {
    "courseId": "c1",
    "courseWorkId": "w1",
    "id": "s1",
    "userId": "117",
    "state": "RETURNED",
    "late": True,
    "assignedGrade": 17.5,
    "draftGrade": 3,
    "updateTime": "2026-03-13T10:00:00.000Z",
    "submissionHistory": HISTORY,
    "shortAnswerSubmission": {"answer": "my dog is ill"},
}


def course(key: str, state: str = "ACTIVE", changed: str = "2025-09-01T10:00:00.000Z") -> dict[str, Any]:
    return {"id": key, "name": f"Course {key}", "courseState": state, "ownerId": "9", "updateTime": changed}


def source(vendor: Vendor, credential: Credential = CREDENTIAL, **options: Any) -> GoogleClassroom:
    values = {"name": "lms", "kind": "google_classroom", "connection": "demo", "url": vendor.url, "retry_seconds": 3600}
    settings = GoogleClassroomSettings.model_validate(values | {"token_url": f"{vendor.url}/token"} | options)
    return GoogleClassroom(settings, credential)


def pulled(classroom: GoogleClassroom, name: str) -> list[Batch]:
    return list(classroom.pull(classroom.resources[name], FULL))


def values(batches: list[Batch], column: str) -> list[Any]:
    return [value for batch in batches for value in batch.table.column(column).to_pylist()]


@pytest.fixture
def google(vendor: Vendor) -> GoogleServer:
    server = GoogleServer(vendor, clamp=2)
    server.lists("/v1/courses", "courses", [course("c1"), course("c2"), course("c3")])
    server.lists("/v1/courses/c1/students", "students", [MINA])
    server.lists("/v1/courses/c1/courseWork", "courseWork", [WORK])
    server.lists("/v1/courses/c1/courseWork/-/studentSubmissions", "studentSubmissions", [SUBMISSION])
    return server


def test_a_page_without_rows_that_leads_on_is_no_end(google: GoogleServer, vendor: Vendor) -> None:
    with source(vendor) as classroom:
        assert values(pulled(classroom, "courses"), "id") == ["c1", "c2", "c3"]
        assert "answers and takes the credential" in classroom.probe()
    assert vendor.count("/v1/courses") == 5  # before each two rows a page without any; and the probe's


def test_all_states_are_listed_so_that_an_archived_course_is_not_a_vanished_one(
    google: GoogleServer, vendor: Vendor
) -> None:
    with source(vendor) as classroom:
        pulled(classroom, "courses")
    assert {"ACTIVE", "ARCHIVED", "PROVISIONED", "DECLINED", "SUSPENDED"} == set(
        vendor.asked[-1].params["courseStates"]
    )


@pytest.mark.parametrize("at_once", [1, 4])
def test_people_work_and_grades_are_those_of_each_course(vendor: Vendor, at_once: int) -> None:
    server = GoogleServer(vendor, clamp=2)
    keys = [f"c{number:02}" for number in range(20)]
    server.lists("/v1/courses", "courses", [course(key) for key in keys])
    for key in keys:
        server.lists(
            f"/v1/courses/{key}/students",
            "students",
            [MINA | {"courseId": key, "userId": f"u{key}{n}"} for n in range(3)],
        )
    with source(vendor, at_once=at_once) as classroom:
        assert values(pulled(classroom, "students"), "courseId") == [key for key in keys for _ in range(3)]


def test_a_submission_is_read_with_when_it_was_handed_in_and_graded(google: GoogleServer, vendor: Vendor) -> None:
    server_rows = [SUBMISSION, {"courseId": "c1", "courseWorkId": "w1", "id": "s2", "userId": "118", "state": "NEW"}]
    google.lists("/v1/courses/c1/courseWork/-/studentSubmissions", "studentSubmissions", server_rows)
    with source(vendor) as classroom:
        (work,) = pulled(classroom, "courseWork")[:1]
        (batch, *_) = pulled(classroom, "studentSubmissions")
    assert work.table.column("dueDate").to_pylist() == [date(2026, 3, 9)] and work.rejects == batch.rejects == []
    graded, fresh = batch.table.to_pylist()
    assert (graded["assignedGrade"], graded["late"]) == (17.5, True)
    assert graded["turnedInTime"] == datetime(2026, 3, 8, 9, 30, 0, 123000, tzinfo=UTC)
    assert graded["gradedTime"] == datetime(2026, 3, 12, 10, tzinfo=UTC)  # the draft is later, and is none
    assert fresh["gradedTime"] is fresh["assignedGrade"] is None
    assert dict(batch.unknown) == {} and "my dog" not in str(batch.table.to_pylist())
    assert "shortAnswer" not in vendor.asked[-1].text("fields")


def test_only_courses_that_run_or_were_just_changed_are_gone_into(google: GoogleServer, vendor: Vendor) -> None:
    old, fresh = course("old", "ARCHIVED"), course("fresh", "ARCHIVED", "2026-04-02T10:00:00.000Z")
    google.lists("/v1/courses", "courses", [course("c1"), old, fresh])
    with source(vendor) as classroom:
        pulled(classroom, "students")
    assert (vendor.count("/v1/courses/old/students"), vendor.count("/v1/courses/fresh/students")) == (0, 1)


def test_a_course_that_is_deleted_while_it_is_read_costs_no_other(google: GoogleServer, vendor: Vendor) -> None:
    with source(vendor) as classroom:
        *_, last = batches = pulled(classroom, "students")
    assert values(batches, "userId") == ["117"]
    assert last.note == "2 courses were deleted while they were read; what was held of them stays."


@pytest.mark.parametrize(
    "reply",
    [error(403, "rateLimitExceeded"), error(403, "quotaExceeded"), error(429, "x"), Reply({}, 503), Reply(b"{", 200)],
)
def test_a_passing_fault_costs_no_row(google: GoogleServer, vendor: Vendor, waits: list[float], reply: Reply) -> None:
    vendor.once("/v1/courses/c1/students", reply, reply)
    with source(vendor) as classroom:
        assert values(pulled(classroom, "students"), "userId") == ["117"]
    assert len(waits) == 2 and waits[0] < waits[1] * 2


def test_a_quota_that_stays_used_up_is_left_to_the_scheduler(
    google: GoogleServer, vendor: Vendor, waits: list[float]
) -> None:
    vendor.once("/v1/courses/c1/students", *[error(403, "userRateLimitExceeded")] * 9)
    with source(vendor) as classroom, pytest.raises(TransientError, match="throttles"):
        pulled(classroom, "students")


def test_what_the_admin_may_not_see_is_a_matter_for_a_person(google: GoogleServer, vendor: Vendor) -> None:
    vendor.once("/v1/courses", error(403, "forbidden", "The caller does not have permission"))
    with source(vendor) as classroom, pytest.raises(PermanentError, match="refused the credential"):
        pulled(classroom, "courses")


def test_aliases_name_the_class_where_the_prefix_is_known(google: GoogleServer, vendor: Vendor) -> None:
    with source(vendor) as classroom:
        assert "aliases" not in classroom.resources
    google.lists("/v1/courses", "courses", [course("c1")])
    names = ["d:school_math_101", "d:school_", "d:mathclub", "p:d:school_9"]
    google.lists("/v1/courses/c1/aliases", "aliases", [{"alias": name} for name in names])
    with source(vendor, alias_prefix="d:school_") as classroom:
        batches = pulled(classroom, "aliases")
    assert values(batches, "sis_class_id") == ["math_101", None, None, None]
    assert values(batches, "courseId") == ["c1"] * 4 and values(batches, "alias") == names
    assert vendor.asked[-1].text("fields") == "nextPageToken,aliases(alias)"


# --- tokens ------------------------------------------------------------------------------------------------------


def test_a_token_is_asked_for_as_the_admin_with_the_scopes_and_renewed_when_over(
    google: GoogleServer, vendor: Vendor
) -> None:
    with source(vendor) as classroom:
        pulled(classroom, "courses")
        google.over.add("token-1")
        pulled(classroom, "students")
    assert len(google.claims) == 2
    claim = google.claims[0]
    assert (claim["iss"], claim["sub"], claim["exp"] - claim["iat"]) == (ACCOUNT, ADMIN, 3600)
    assert claim["scope"].split() == list(GoogleClassroom.scopes)


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("unauthorized_client", "domain-wide delegation of exactly https://"),
        ("invalid_grant", "its key may have been deleted"),
        ("mina.ode@lakeside.example", "its key and the user for whom it acts"),
    ],
)
def test_a_token_that_is_refused_says_what_to_mend_and_nothing_foreign(vendor: Vendor, code: str, remedy: str) -> None:
    vendor.on("/token", Reply({"error": code, "error_description": "mina.ode"}, 400))
    with source(vendor) as classroom, pytest.raises(PermanentError, match="refused the service account") as refused:
        classroom.probe()
    assert remedy in refused.value.remedy and "mina" not in str(refused.value)


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("", KEY_FILE),
        (ADMIN, ""),
        (ADMIN, "no json"),
        (ADMIN, "[]"),
        (ADMIN, json.dumps(json.loads(KEY_FILE) | {"private_key": "x"})),
    ],
)
def test_a_connection_without_key_or_admin_is_a_matter_of_configuration(
    vendor: Vendor, login: str, password: str
) -> None:
    with pytest.raises(ConfigError, match="connection 'demo'") as wrong:
        source(vendor, Credential(login, password))
    assert "BEGIN" not in str(wrong.value)


# --- through the door --------------------------------------------------------------------------------------------


def test_what_lands_holds_no_person(
    google: GoogleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vendor: Vendor
) -> None:
    for key in ("c2", "c3"):
        google.lists(f"/v1/courses/{key}/students", "students", [])
    entry = {"kind": "google_classroom", "url": vendor.url, "token_url": f"{vendor.url}/token"}
    district = AskedDistrict(tmp_path, monkeypatch, (ADMIN, KEY_FILE), **entry)
    district.pull(resources=["courses", "students"])
    (member,) = district.landed("students")
    assert member["userId"] == district.pseudonym("google_user", "117")
    assert member["email"] == district.pseudonym("email", "mina.ode@lakeside.example")
    google.lists("/v1/courses", "courses", [course("c1"), course("c2")])
    district.later(days=1)
    district.pull(resources=["courses"])
    assert set(district.current("courses")) == {"c1", "c2"}
    held = district.bytes_at_rest()
    assert not any(text in held for text in (b"mina.ode", b"Minarelle", b"Odekunle", b"PRIVATE KEY"))
