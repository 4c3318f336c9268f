"""What learning platforms tell becomes results, accounts and use, and their records are counted."""

from __future__ import annotations

from compiled import Warehouse
from conftest import BuildSummary
from lake import Lake, at, roster

MODELS = ("fct_result", "int_account", "int_entity_count", "fct_student_tool_day", "int_event_day_count")


def moodle(lake: Lake) -> None:
    lake.land(
        "moodle",
        "users",
        [
            {"id": "m1", "idnumber": "s1", "email": "elsewhere@mail"},
            {"id": "m2", "email": "s2@mail"},
            {"id": "m3", "username_email": "s3@mail"},
            {"id": "m9", "email": "nobody@mail"},
        ],
    )
    courses = [{"id": 7, "idnumber": "class-north"}, {"id": 8, "idnumber": None}]
    lake.land("moodle", "courses", courses)
    lake.land("moodle", "courses", courses[:1], deleted=courses[1:])
    lake.land("moodle", "enrollments", [{"course_id": course, "user_id": "m1"} for course in (7, 8)])
    item = {"item_id": 1, "course_id": 7, "itemtype": "mod", "grademin": 0.0, "grademax": 10.0}
    lake.land(
        "moodle",
        "grades",
        [
            item | {"user_id": "m1", "graderaw": 7.0, "gradedategraded": at("2026-02-04T03:00:00")},
            item | {"user_id": "m2", "graderaw": None},
            item | {"user_id": "m9", "graderaw": 9.0},
            item | {"item_id": 2, "itemtype": "course", "user_id": "m1", "graderaw": 7.0},
            item | {"item_id": 3, "user_id": "m3", "course_id": 8, "graderaw": 3.0, "grademin": 1.0, "grademax": 3.0},
        ],
    )


def web_log(lake: Lake) -> None:
    lake.land("canvas", "users", [{"id": "c1", "sis_user_id": "s1"}])
    line = {"user_id": "c1", "url": "maple.lms.example"}
    lines = [
        {"id": "w1", "timestamp": at("2026-02-03T15:00:00")} | line,
        {"id": "w2", "timestamp": at("2026-02-03T15:04:00")} | line,
        {"id": "w3", "timestamp": at("2026-02-03T15:05:00"), "is_api": True} | line,
        {"id": "w4", "timestamp": at("2026-02-03T15:06:00"), "real_user_id": "c9"} | line,
    ]
    lake.land("canvas", "web_logs", lines)
    lake.land("canvas", "web_logs", lines[1:2])


def test_moodle_and_the_web_log_reach_the_marts(lake: Lake, built: tuple[Lake, BuildSummary]) -> None:
    roster(lake)
    moodle(lake)
    web_log(lake)
    Warehouse(lake, built[0], MODELS).build()
    results = lake.query(
        "select student_key, class_key, line_item_key, score, score_max, cast(scored_on as varchar)"
        " from marts.fct_result where result_source = 'lms_assignment' order by all"
    )
    assert results == [
        ("s1", "class-north", "moodle:1", 7.0, 10.0, "2026-02-03"),
        ("s3", None, "moodle:3", 2.0, 2.0, None),
    ]
    linked = lake.query("select identifier, person_key, linked_by from intermediate.int_account order by all")
    assert linked == [
        ("c1", "s1", "sis_id"),
        ("m1", "s1", "sis_id"),
        ("m2", "s2", "email"),
        ("m3", "s3", "email"),
        ("m9", None, "unknown"),
    ]
    counts = lake.query(
        "select resource, records, staged_rows, deleted_records from intermediate.int_entity_count"
        " where source = 'moodle' order by all"
    )
    assert counts == [("courses", 2, 1, 1), ("enrollments", 2, 2, 0), ("grades", 5, 5, 0), ("users", 4, 4, 0)]
    use = lake.query(
        "select student_key, tool_key, minutes_method, events, cast(active_minutes as double)"
        " from marts.fct_student_tool_day"
    )
    assert use == [("s1", "lms", "event_sessionised", 2, 4.0)]
    days = lake.query(
        "select landed_rows, distinct_rows, masquerade_rows from intermediate.int_event_day_count"
        " where resource = 'web_logs'"
    )
    assert days == [(5, 4, 1)]
