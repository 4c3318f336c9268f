"""The simulated LMS keeps to Canvas's REST rules and mirrors the roster."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from uptake.sandbox import canvas as canvas_module
from uptake.sandbox.canvas import SHARD
from uptake.sandbox.running import RunningSandbox

ACCOUNT = "/api/v1/accounts/self"


def walk(lms: httpx.Client, path: str, **params: Any) -> list[dict[str, Any]]:
    answer = lms.get(path, params={"per_page": 100, **params})
    rows = list(answer.json())
    while "next" in answer.links:
        answer = lms.get(answer.links["next"]["url"])
        rows += answer.json()
    return rows


def views(lms: httpx.Client, user: int, **span: str) -> list[dict[str, Any]]:
    return walk(lms, f"/api/v1/users/{user}/page_views", **span)


def active_people(lms: httpx.Client, count: int) -> list[int]:
    """Those with the latest activity."""
    latest: dict[int, str] = {}
    for course in walk(lms, f"{ACCOUNT}/courses"):
        for row in walk(lms, f"/api/v1/courses/{course['id']}/enrollments"):
            latest[row["user_id"]] = max(latest.get(row["user_id"], ""), row["last_activity_at"] or "")
    return sorted(latest, key=latest.__getitem__, reverse=True)[:count]


def test_a_wrong_token_is_refused(client: httpx.Client) -> None:
    assert client.get(ACCOUNT, headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_pages_are_10_by_default_and_100_at_most(lms: httpx.Client) -> None:
    assert len(lms.get(f"{ACCOUNT}/users").json()) == 10
    assert len(lms.get(f"{ACCOUNT}/users", params={"per_page": 5000}).json()) == 100


def test_links_are_opaque_and_end(lms: httpx.Client) -> None:
    answer = lms.get(f"{ACCOUNT}/users", params={"per_page": 30})
    assert httpx.URL(answer.links["next"]["url"]).params["page"].startswith("bookmark:")
    assert "last" not in answer.links
    forged = "bookmark:" + base64.urlsafe_b64encode(b"30.0123456789ab").decode()
    for page in ("2", "bookmark:2", forged):
        assert lms.get(f"{ACCOUNT}/users", params={"page": page}).status_code == 400
    users = walk(lms, f"{ACCOUNT}/users", per_page=30)
    assert len(users) == len({user["id"] for user in users}) > 100


def test_costs_are_told_and_an_empty_bucket_is_refused(lms: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = lms.get(ACCOUNT)
    assert float(answer.headers["x-request-cost"]) > 0
    assert 0 < float(answer.headers["x-rate-limit-remaining"]) <= canvas_module.BUCKET
    monkeypatch.setattr(canvas_module, "BUCKET", -1.0)
    refused = lms.get(ACCOUNT)
    assert refused.status_code == 403
    assert "Rate Limit Exceeded" in refused.text


def test_ids_are_beyond_what_a_double_holds(lms: httpx.Client) -> None:
    ids = [user["id"] for user in walk(lms, f"{ACCOUNT}/users")]
    assert min(ids) > 2**53
    assert len({float(number) for number in ids}) < len(ids), "read as doubles, some would fall together"


def test_people_courses_and_enrolments_mirror_the_roster(sandbox: RunningSandbox, lms: httpx.Client) -> None:
    users = {user["id"]: user for user in walk(lms, f"{ACCOUNT}/users")}
    assert {user["sis_user_id"][:4] for user in users.values()} == {"STU-", "STF-"}
    accounts = {account["id"] for account in walk(lms, f"{ACCOUNT}/sub_accounts")}
    terms = {term["id"] for term in lms.get(f"{ACCOUNT}/terms").json()["enrollment_terms"]}
    for course in walk(lms, f"{ACCOUNT}/courses"):
        assert course["account_id"] in accounts
        assert course["enrollment_term_id"] in terms
        rows = walk(lms, f"/api/v1/courses/{course['id']}/enrollments")
        sections = walk(lms, f"/api/v1/courses/{course['id']}/sections")
        assert {row["course_section_id"] for row in rows} <= {section["id"] for section in sections}
        assert all(row["user_id"] in users for row in rows)
        assert sum(row["type"] == "TeacherEnrollment" for row in rows) == 1


def test_enrolments_that_are_over_are_asked_for_by_state(lms: httpx.Client) -> None:
    states = [("state[]", "active"), ("state[]", "completed"), ("state[]", "deleted")]
    found = set()
    for course in walk(lms, f"{ACCOUNT}/courses"):
        path = f"/api/v1/courses/{course['id']}/enrollments"
        assert {row["enrollment_state"] for row in lms.get(path, params={"per_page": 100}).json()} <= {"active"}
        found |= {row["enrollment_state"] for row in lms.get(path, params=[*states, ("per_page", 100)]).json()}
    assert found == {"active", "completed", "deleted"}


def test_submissions_since(lms: httpx.Client) -> None:
    course = lms.get(f"{ACCOUNT}/courses").json()[0]["id"]
    assignments = {row["id"] for row in walk(lms, f"/api/v1/courses/{course}/assignments")}
    path = f"/api/v1/courses/{course}/students/submissions"
    rows = walk(lms, path, **{"student_ids[]": "all"})
    assert {row["assignment_id"] for row in rows} <= assignments
    assert any(row["missing"] and row["score"] is None for row in rows)
    since = "2026-02-01T00:00:00Z"
    graded = walk(lms, path, graded_since=since)
    assert graded == [row for row in rows if (row["graded_at"] or "") >= since]
    assert 0 < len(graded) < len(rows)


def test_page_views_are_newest_first_of_one_person(lms: httpx.Client) -> None:
    person = active_people(lms, 1)[0]
    rows = views(lms, person)
    times = [row["created_at"] for row in rows]
    assert len(rows) > 5
    assert times == sorted(times, reverse=True)
    assert {row["links"]["user"] for row in rows} == {person}
    assert len({row["id"] for row in rows}) == len(rows)
    middle = times[len(times) // 2]
    assert [row["created_at"] for row in views(lms, person, start_time=middle)] == [t for t in times if t >= middle]
    assert [row["created_at"] for row in views(lms, person, end_time=middle)] == [t for t in times if t <= middle]


def test_page_views_go_back_thirty_days_and_not_into_the_future(sandbox: RunningSandbox, lms: httpx.Client) -> None:
    person = active_people(lms, 1)[0]
    now = sandbox.sandbox.clock.now
    everything = views(lms, person, start_time="2025-08-01T00:00:00Z", end_time="2026-06-30T00:00:00Z")
    assert min(datetime.fromisoformat(row["created_at"]) for row in everything) >= now - timedelta(days=30)
    assert max(datetime.fromisoformat(row["created_at"]) for row in everything) <= now
    sandbox.set_clock(now=now + timedelta(days=5))
    later = views(lms, person)
    assert later[0]["created_at"] > everything[0]["created_at"], "the afternoon has come"


def test_last_activity_is_that_of_the_page_views(sandbox: RunningSandbox, lms: httpx.Client) -> None:
    """A client that asks only for people who were active since its last pull must not miss a view."""
    sandbox.set_clock(now=datetime(2026, 4, 14, 17, 0, tzinfo=UTC))
    latest: dict[int, str] = {}
    states = [("state[]", state) for state in ("active", "completed", "deleted")]
    for course in walk(lms, f"{ACCOUNT}/courses"):
        path = f"/api/v1/courses/{course['id']}/enrollments"
        for row in lms.get(path, params=[*states, ("per_page", 100)]).json():
            latest[row["user_id"]] = max(latest.get(row["user_id"], ""), row["last_activity_at"] or "")
    seen_today = 0
    for person in sorted(latest):
        rows = [row for row in views(lms, person) if row["context_type"] == "Course"]
        if rows:
            assert latest[person] == rows[0]["created_at"]
            seen_today += rows[0]["created_at"] > "2026-04-14T12:00:00"
    assert seen_today > 5


def test_lti_launches_and_masquerades(sandbox: RunningSandbox, lms: httpx.Client) -> None:
    rows = [row for person in active_people(lms, 60) for row in views(lms, person)]
    launches = [row for row in rows if row["controller"] == "external_tools"]
    assert launches
    assert all("/accounts/1/external_tools/52?" in row["url"] for row in launches)
    usage = sandbox.district.usage
    acting = sum(int((usage.views(day).real >= 0).sum()) for day in sandbox.district.year.instructional.tolist()[:100])
    assert acting > 10
    assert any(not row["user_request"] for row in rows)


def test_an_unknown_course_is_not_found(lms: httpx.Client) -> None:
    assert lms.get(f"/api/v1/courses/{SHARD + 99_999}/sections").status_code == 404
    assert lms.get("/api/v1/courses/abc/sections").status_code == 404
