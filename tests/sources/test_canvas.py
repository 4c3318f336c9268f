"""What is asked of Canvas, and what is made of its answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from scripted_vendor import Reply, Vendor

from uptake.contracts import Window
from uptake.credentials import Credential
from uptake.errors import ConfigError
from uptake.parsing import parse_records
from uptake.sources.canvas import RESOURCES, Canvas, CanvasSettings

NOW = datetime(2026, 4, 14, 18, 0, tzinfo=UTC)
FULL = Window.between("full", None, NOW)
BIG = 10_970_000_000_000_001
FIXTURES = Path(__file__).parents[3] / "shared" / "data" / "canvas" / "canvasapi-fixtures"


def source(vendor: Vendor, **options: Any) -> Canvas:
    values = {"name": "lms", "kind": "canvas", "connection": "demo_lms", "url": vendor.url}
    return Canvas(CanvasSettings.model_validate(values | options), Credential("", "token"))


def rows(canvas: Canvas, name: str, window: Window = FULL) -> list[dict[str, Any]]:
    batches = list(canvas.pull(RESOURCES[name], window))
    assert [reject for batch in batches for reject in batch.rejects] == []
    return [row for batch in batches for row in batch.table.to_pylist()]


def test_courses_come_before_what_is_asked_course_by_course() -> None:
    order = list(RESOURCES)
    assert all(order.index("courses") < order.index(name) for name in ("sections", "enrollments", "submissions"))
    assert order.index("enrollments") < order.index("page_views")


def test_ids_stay_exact_and_the_course_is_put_in(vendor: Vendor) -> None:
    vendor.on("/api/v1/accounts/self/courses", Reply([{"id": BIG, "name": "A"}, {"id": BIG + 1, "name": "B"}]))
    submission = {"id": BIG + 5, "assignment_id": BIG + 6, "user_id": BIG + 7, "score": 4}
    vendor.on(f"/api/v1/courses/{BIG}/students/submissions", Reply([submission]))
    vendor.on(f"/api/v1/courses/{BIG + 1}/students/submissions", Reply([]))
    with source(vendor) as canvas:
        assert [row["id"] for row in rows(canvas, "courses")] == [BIG, BIG + 1]
        (row,) = rows(canvas, "submissions")
    assert (row["id"], row["course_id"], row["user_id"]) == (BIG + 5, BIG, str(BIG + 7))
    assert vendor.count("/api/v1/accounts/self/courses") == 1, "the list of courses is read once"
    assert vendor.asked[-1].params == {"student_ids[]": ["all"], "per_page": ["100"]}


def test_people_of_a_second_canvas_are_its_own_and_their_sis_ids_are_the_districts(vendor: Vendor) -> None:
    for options, qualifier in (({}, None), ({"ids": "own"}, "lms2")):
        with source(vendor, name="lms2", **options) as canvas:
            assert {resource.qualifier for resource in canvas.resources.values()} == {qualifier}
            fields = [field for resource in canvas.resources.values() for field in resource.fields]
    assert {field.identifier for field in fields if field.local_id} == {"canvas_user"}
    assert {field.local_id for field in fields if field.identifier == "canvas_user"} == {True}


def test_enrolments_of_every_state_are_asked_for(vendor: Vendor) -> None:
    vendor.on("/api/v1/accounts/self/courses", Reply([{"id": 1}]))
    vendor.on("/api/v1/courses/1/enrollments", Reply([]))
    with source(vendor) as canvas:
        rows(canvas, "enrollments")
    assert vendor.asked[-1].params["state[]"] == [
        "active",
        "invited",
        "creation_pending",
        "completed",
        "inactive",
        "deleted",
    ]


def test_submissions_since_a_moment_are_asked_for_twice(vendor: Vendor) -> None:
    vendor.on("/api/v1/accounts/self/courses", Reply([{"id": 1}]))
    vendor.on("/api/v1/courses/1/students/submissions", Reply([]))
    with source(vendor) as canvas:
        rows(canvas, "submissions", Window.between("incremental", NOW - timedelta(hours=1), NOW))
    asked = [sorted(set(a.params) - {"student_ids[]", "per_page"}) for a in vendor.asked[1:]]
    assert asked == [["submitted_since"], ["graded_since"]]


def test_page_views_of_people_seen_since_the_window_began(vendor: Vendor) -> None:
    start = NOW.replace(hour=0)
    vendor.on("/api/v1/accounts/self/courses", Reply([{"id": 1}, {"id": 2}]))
    seen = {1: "2026-04-14T17:00:00Z", 2: "2026-04-13T17:00:00Z", 3: None, 4: "2026-04-15T08:00:00Z"}
    vendor.on(
        "/api/v1/courses/1/enrollments",
        Reply([{"id": n, "user_id": n, "course_id": 1, "last_activity_at": at} for n, at in seen.items()]),
    )
    # The same person was seen later in another course.
    vendor.on(
        "/api/v1/courses/2/enrollments",
        Reply([{"id": 9, "user_id": 2, "course_id": 2, "last_activity_at": "2026-04-14T09:00:00Z"}]),
    )
    for person in (1, 2, 4):
        views = [
            {"id": f"v{person}-{at}", "created_at": at, "links": {"user": person, "real_user": None}}
            for at in ("2026-04-13T23:59:59Z", "2026-04-14T00:00:00Z", "2026-04-14T09:00:00Z", "2026-04-15T00:00:00Z")
        ]
        vendor.on(f"/api/v1/users/{person}/page_views", Reply(views))
    with source(vendor) as canvas:
        found = rows(canvas, "page_views", Window.between("interval", start, start + timedelta(days=1)))
    asked = [a for a in vendor.asked if "page_views" in a.path]
    assert [a.path.split("/")[4] for a in asked] == ["1", "2", "4"]
    assert asked[0].params["start_time"] == ["2026-04-14T00:00:00.000Z"]
    assert asked[0].params["end_time"] == ["2026-04-15T00:00:00.000Z"]
    assert {row["created_at"].day for row in found} == {14}, "each view belongs to one window"
    assert len(found) == 3 * 2


def test_a_masquerade_is_told_by_its_real_user(vendor: Vendor) -> None:
    view = {"id": "v", "created_at": "2026-04-14T09:00:00Z", "links": {"user": BIG, "real_user": BIG + 1, "context": 7}}
    batch = parse_records(RESOURCES["page_views"], [view | {"user_agent": "x", "remote_ip": "203.0.113.9"}])
    (row,) = batch.table.to_pylist()
    assert (row["user_id"], row["real_user_id"], row["context_id"]) == (str(BIG), str(BIG + 1), 7)
    assert batch.unknown == {}


def test_page_views_reach_back_no_further_than_canvas_does(vendor: Vendor) -> None:
    resource = RESOURCES["page_views"]
    with source(vendor) as canvas:
        for since in (None, NOW - timedelta(days=300)):
            first = canvas.windows(resource, since=since, until=NOW, full=False)[0].start
            assert first == (NOW - timedelta(days=29)).replace(hour=0), "the oldest day that Canvas has whole"
        today = canvas.windows(resource, since=NOW - timedelta(hours=1), until=NOW, full=False)
    assert [(window.start, window.end) for window in today] == [
        (NOW.replace(hour=0), NOW.replace(hour=0) + timedelta(days=1))
    ]


def test_a_connection_without_token_is_a_matter_of_configuration(vendor: Vendor) -> None:
    settings = CanvasSettings.model_validate({"name": "lms", "kind": "canvas", "connection": "c", "url": vendor.url})
    with pytest.raises(ConfigError, match="no access token"):
        Canvas(settings, Credential("id", ""))


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="../shared/data/canvas is not here")
@pytest.mark.parametrize(
    ("name", "file", "pages", "path"),
    [
        ("courses", "account.json", ("get_courses", "get_courses_page_2"), "/api/v1/accounts/1/courses"),
        ("users", "account.json", ("users", "users_page_2"), "/api/v1/accounts/1/users"),
        ("sections", "course.json", ("get_sections", "get_sections_p2"), "/api/v1/courses/1/sections"),
        (
            "assignments",
            "course.json",
            ("get_all_assignments", "get_all_assignments2"),
            "/api/v1/courses/1/assignments",
        ),
        ("enrollments", "course.json", ("list_enrollments", "list_enrollments_2"), "/api/v1/courses/1/enrollments"),
    ],
)
def test_recorded_answers_of_a_canvas_client_are_walked_and_read(
    vendor: Vendor, name: str, file: str, pages: tuple[str, str], path: str
) -> None:
    recorded = json.loads((FIXTURES / file).read_text())
    first, second = (recorded[page] for page in pages)
    if name != "courses":
        vendor.on("/api/v1/accounts/1/courses", Reply([{"id": 1}]))
    following = {"Link": first["headers"]["Link"].replace("https://example.com", vendor.url)}
    vendor.on(f"/api/v1/{second['endpoint'].split('?')[0]}", Reply(second["data"]))
    vendor.once(path, Reply(first["data"], headers=following))
    with source(vendor, account="1") as canvas:
        found = rows(canvas, name)
    sent = [row["id"] for row in (*first["data"], *second["data"])]
    assert len(sent) == 4
    assert [row["id"] for row in found] == ([str(number) for number in sent] if name == "users" else sent)
