"""What is told by the day, and results and devices of the same systems: from rows as they land to facts, with each row
accounted for."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from compiled import USE, Warehouse
from dropped import opened, take
from lake import Lake, at, request, roster, user

from uptake.warehouse.dbt import BuildSummary

PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "iready"
CATALOGUE = """tool_id,tool_name,vendor_name,function,sector,approval_status,licensed_grades,addresses
lessons,Lessons,Curric,LC - Digital Learning Platforms,PreK-12,approved,,login.i-ready.com
classroom,Classroom,Bigco,SDO - Learning Management Systems (LMS),PreK-12,approved,,classroom.google.com
"""
SEEN = (*USE, "int_event_day_count", "int_usage_day_count")
KNOWN = ("fct_result", "int_device", "int_entity_count")
COLUMNS = "student_key, tool_key, on_date, is_in_school, minutes_method, active_minutes, sessions, events"
FACT = f"select {COLUMNS} from marts.fct_student_tool_day order by all"
TUESDAY, WEDNESDAY, SATURDAY = date(2026, 2, 3), date(2026, 2, 4), date(2026, 2, 7)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A roster of two schools in which s1 and s2 have numbers, and a course that knows s2's account."""
    lake = Lake(tmp_path, catalogue=CATALOGUE)
    roster(lake)
    numbers = {"status": "active", "dateLastModified": at("2025-09-01T12:00:00")}
    users = [user("s1", "03", "north") | {"identifier": "n1"}, user("s2", "04", "south") | {"identifier": "n2"}]
    lake.land("oneroster", "users", [numbers | each for each in users])
    lake.land("google_classroom", "students", [{"courseId": "c1", "userId": "g2", "email": "s2@mail"}])
    return lake


def lesson(student: str, day: date, lesson_id: str, minutes: float | None, score: float = 90) -> dict[str, Any]:
    said = {"student": student, "subject": "Math", "lesson_id": lesson_id, "completed_on": day}
    return said | {"minutes": minutes, "score": score, "passed": "Passed"}


def used(student: str, app: str, when: str, *, email: str | None = None) -> dict[str, Any]:
    return {"report_date": date(2026, 2, 3), "user": student, "email": email, "application": app, "used_at": at(when)}


def test_use_is_told_by_one_method_and_every_row_is_counted(lake: Lake, built: tuple[Lake, BuildSummary]) -> None:
    """s1: lessons, of which one is delivered twice and one done twice, and a filter that saw some of it; on Wednesday
    Classroom, which a filter saw too. s2: a lesson on a Saturday; Classroom on Tuesday evening. Others are nobody."""
    lessons = [lesson("n1", TUESDAY, "a", 20), lesson("n1", TUESDAY, "b", 12), lesson("n2", SATURDAY, "a", 30)]
    lake.land("iready", "lessons", lessons)
    lake.land("iready", "lessons", [*lessons, lesson("n1", TUESDAY, "a", 4, score=70), lesson("n9", TUESDAY, "a", 9)])
    seen = [request(f"2026-02-03T15:{minute:02}:00", "s1@mail", "login.i-ready.com") for minute in (0, 5)]
    seen += [request(f"2026-02-04T16:{minute:02}:00", "s1@mail", "classroom.google.com") for minute in (0, 4, 8)]
    lake.land("umbrella", "activity", seen)
    reported = [
        used("g1", "classroom", "2026-02-04T16:10:00", email="s1@mail"),
        used("g2", "classroom", "2026-02-04T05:10:00"),  # eleven in the evening of Tuesday
        used("g2", "drive", "2026-02-04T05:10:00"),  # a tool that the catalogue does not have
    ]
    lake.land("google_admin", "app_usage", reported)
    lake.land("google_admin", "app_usage", reported)
    warehouse = Warehouse(lake, built[0], SEEN)
    warehouse.build()
    facts = [
        ("s1", "classroom", WEDNESDAY, True, "filter_sessionised", 8.0, 1, 3),
        ("s1", "lessons", TUESDAY, True, "tool_reported", 36.0, 1, 3),
        ("s2", "classroom", TUESDAY, False, "hour_bucket", None, 1, 1),
        ("s2", "lessons", SATURDAY, False, "tool_reported", 30.0, 1, 1),
    ]
    assert lake.query(FACT) == facts
    counts = "select resource, on_date, landed_rows, distinct_rows from intermediate.int_event_day_count order by all"
    assert lake.query(counts) == [
        ("activity", TUESDAY, 2, 2),
        ("activity", WEDNESDAY, 3, 3),
        ("app_usage", TUESDAY, 4, 2),
        ("app_usage", WEDNESDAY, 2, 1),
        ("lessons", TUESDAY, 6, 4),
        ("lessons", SATURDAY, 2, 1),
    ]
    columns = "source, sum(events), sum(matched_events)"
    events = f"select {columns} from intermediate.int_usage_day_count group by all order by all"
    assert lake.query(events) == [("filter", 5, 5), ("google", 3, 2), ("iready", 5, 4)]
    lake.land("iready", "lessons", [lesson("n1", TUESDAY, "c", None), lesson("n2", TUESDAY, "c", None)])
    assert warehouse.build() == {TUESDAY}
    assert lake.query(FACT) == [*facts[:3], ("s2", "lessons", TUESDAY, True, "hour_bucket", None, 1, 1), facts[3]]


def test_results_and_devices_are_those_of_whom_they_name(lake: Lake, built: tuple[Lake, BuildSummary]) -> None:
    lake.land("google_classroom", "courseWork", [{"courseId": "c1", "id": "w1", "maxPoints": 20.0}])
    graded = {"courseId": "c1", "courseWorkId": "w1", "assignedGrade": 18.0, "gradedTime": at("2026-02-04T03:00:00")}
    graded_work = [graded | {"id": "x", "userId": "g2"}, graded | {"id": "y", "userId": "g9"}]
    lake.land("google_classroom", "studentSubmissions", graded_work)
    days = {"started_on": date(2025, 9, 2), "completed_on": date(2025, 9, 3)}
    test = days | {"student": "n2", "overall_scale_score": 480.0}
    lake.land("iready", "diagnostic_results_ela", [test, test | {"student": "n9"}])
    lake.land("iready", "diagnostic_results_ela", [test])
    register = {"asset_tag": "tag-1", "device_type": "laptop", "status": "in_use", "holder": "s1@mail"}
    lake.land("registers", "devices", [register])
    managed = {"device_id": "i1", "device_name": "tag-2", "os": "Windows", "os_version": "0.0.0.0"}
    lake.land("intune", "devices", [managed])
    chromebook = {"deviceId": "d1", "annotatedAssetId": "tag-1", "autoUpdateExpiration": at("2028-06-04T00:00:00")}
    lake.land("google_admin", "chromeos_devices", [chromebook, {"deviceId": "d2"}])
    lake.land("google_admin", "chromeos_devices", [chromebook], deleted=[{"deviceId": "d2"}])
    people = [
        {"deviceId": "d1", "email": "s2@mail", "recency": 1},
        {"deviceId": "d1", "email": "s1@mail", "recency": 2},
    ]
    lake.land("google_admin", "chromeos_device_users", people)
    day = {"deviceId": "d1", "date": TUESDAY}
    lake.land("google_admin", "chromeos_device_days", [day | {"activeTime": 60_000}])
    lake.land("google_admin", "chromeos_device_days", [day | {"activeTime": 5_400_000}])
    Warehouse(lake, built[0], KNOWN).build()

    columns = "student_key, line_item_key, result_source, score, score_max, scored_on"
    assert lake.query(f"select {columns} from marts.fct_result order by all") == [
        ("s2", "classroom:c1:w1", "lms_assignment", 18.0, 20.0, TUESDAY),
        ("s2", "i-Ready Diagnostic reading 2025-2026 fall", "assessment", 480.0, None, date(2025, 9, 3)),
    ]
    columns = "known_by, device_key, asset_tag, user_email, os_version, updates_end_on"
    assert lake.query(f"select {columns} from intermediate.int_device order by all") == [
        ("chromeos", "d1", "tag-1", "s2@mail", None, date(2028, 6, 4)),
        ("intune", "i1", "tag-2", None, None, None),
        ("register", "tag-1", "tag-1", "s1@mail", None, None),
    ]
    columns = "source, resource, landed_rows, records, staged_rows, deleted_records"
    of = "source in ('classroom', 'google', 'intune', 'iready')"
    assert lake.query(f"select {columns} from intermediate.int_entity_count where {of} order by all") == [
        ("classroom", "courseWork", 1, 1, 1, 0),
        ("classroom", "studentSubmissions", 2, 2, 2, 0),
        ("classroom", "students", 1, 1, 1, 0),
        ("google", "chromeos_device_days", 2, 1, 1, 0),
        ("google", "chromeos_device_users", 2, 2, 2, 0),
        ("google", "chromeos_devices", 3, 2, 1, 1),
        ("intune", "devices", 1, 1, 1, 0),
        ("iready", "diagnostic_results_ela", 3, 2, 2, 0),
    ]


def test_the_published_lessons_are_the_minutes_that_their_files_say(
    lake: Lake, built: tuple[Lake, BuildSummary]
) -> None:
    """Two in three of the students are in the roster. 11 lessons stand in the files twice (counted in them)."""
    if not PUBLISHED.is_dir():
        pytest.skip("../shared/data/iready is not here: the published files are tested where they are")
    tables = [batch.table for batch in take(opened(PUBLISHED, ["iready/lessons"])).values()]
    rows = pa.concat_tables(tables).drop_columns(["last_name", "first_name", "lesson_objective"]).to_pylist()
    students = sorted({row["student"] for row in rows})
    known = {number: f"x{place}" for place, number in enumerate(students) if place % 3}
    users = [user(key, "03", "north") | {"identifier": number, "status": "active"} for number, key in known.items()]
    lake.land("oneroster", "users", users)
    lake.land("iready", "lessons", rows)
    Warehouse(lake, built[0], SEEN).build()
    once = {(row["student"], row["lesson_id"], row["completed_on"], row["score"], row["minutes"]) for row in rows}
    theirs = [row for row in once if row[0] in known]
    counts = "select sum(landed_rows), sum(distinct_rows) from intermediate.int_event_day_count"
    assert lake.query(counts) == [(19_537, len(once))] and len(once) == 19_526
    columns = "minutes_method, sum(active_minutes), count(distinct (student_key, on_date)), sum(events)"
    ((method, minutes, days, events),) = lake.query(f"select {columns} from marts.fct_student_tool_day group by all")
    assert (method, minutes) == ("tool_reported", sum(row[4] for row in theirs))
    assert (days, events) == (len({(row[0], row[2]) for row in theirs}), len(theirs))
