"""Each fault does what it says, on the endpoints that it names, as often as it says."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from uptake.sandbox.credentials import ONEROSTER_CLIENT
from uptake.sandbox.faults import MEANING, Fault, Faults
from uptake.sandbox.oneroster import CORE, ROSTERING
from uptake.sandbox.running import RunningSandbox

USERS = f"{ROSTERING}/users"
COURSES = "/api/v1/accounts/self/courses"
ACTIVITY = "/reports/v2/activity?from=-1days&to=now&limit=5000"


def ids(answer: httpx.Response) -> list[str]:
    return [row["sourcedId"] for row in answer.json()["users"]]


def test_throttle(sandbox: RunningSandbox, sis: httpx.Client) -> None:
    sandbox.fault("oneroster/users", "throttle", times=2, retry_after=3)
    refused = sis.get(USERS)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "3")
    assert sis.get(f"{ROSTERING}/orgs").status_code == 200, "another endpoint is not touched"
    assert sis.get(USERS).status_code == 429
    assert sis.get(USERS).status_code == 200, "twice was asked for"


def test_throttle_of_canvas_is_a_403(sandbox: RunningSandbox, lms: httpx.Client) -> None:
    sandbox.fault("canvas/*", "throttle", times=1)
    refused = lms.get(COURSES)
    assert refused.status_code == 403
    assert "Rate Limit Exceeded" in refused.text


def test_expire_in_mid_walk(sandbox: RunningSandbox, sis: httpx.Client) -> None:
    sandbox.fault("oneroster/users", "expire", after=1, times=1)
    assert [sis.get(USERS).status_code for _ in range(3)] == [200, 401, 401]
    form = {"grant_type": "client_credentials", "scope": CORE}
    token = sis.post("/token", data=form, auth=ONEROSTER_CLIENT).json()["access_token"]
    assert sis.get(USERS, headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_expire_of_canvas_refuses_one_request(sandbox: RunningSandbox, lms: httpx.Client) -> None:
    sandbox.fault("canvas/courses", "expire", times=1)
    assert [lms.get(COURSES).status_code for _ in range(2)] == [401, 200]


def test_error500(sandbox: RunningSandbox, web_filter: httpx.Client) -> None:
    sandbox.fault("umbrella/activity", "error500", status=503, times=1)
    assert [web_filter.get(ACTIVITY).status_code for _ in range(2)] == [503, 200]


def test_error500_of_the_token_endpoint(sandbox: RunningSandbox, client: httpx.Client) -> None:
    sandbox.fault("*/token", "error500", times=1)
    form = {"grant_type": "client_credentials", "scope": CORE}
    assert client.post("/token", data=form, auth=ONEROSTER_CLIENT).status_code == 500


def test_slow(sandbox: RunningSandbox, sis: httpx.Client) -> None:
    sandbox.fault("oneroster/orgs", "slow", seconds=0.3, times=1)
    began = time.monotonic()
    assert sis.get(f"{ROSTERING}/orgs").status_code == 200
    assert time.monotonic() - began >= 0.3


def test_truncate_cuts_the_body(sandbox: RunningSandbox, sis: httpx.Client) -> None:
    whole = sis.get(USERS).content
    sandbox.fault("oneroster/users", "truncate", times=1)
    cut = sis.get(USERS)
    assert cut.status_code == 200
    assert cut.content == whole[: len(whole) // 2]
    with pytest.raises(ValueError):
        cut.json()


def test_html_in_place_of_json(sandbox: RunningSandbox, lms: httpx.Client) -> None:
    sandbox.fault("canvas/courses", "html", times=1)
    page = lms.get(COURSES)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_duplicate_rows_of_a_roster(sandbox: RunningSandbox, sis: httpx.Client, share: float) -> None:
    clean = ids(sis.get(USERS, params={"limit": 1000}))
    sandbox.fault("oneroster/users", "duplicate", share=share)
    doubled = ids(sis.get(USERS, params={"limit": 1000}))
    assert set(doubled) == set(clean)
    assert len(doubled) == pytest.approx(len(clean) * (1 + share), rel=0.05)


def test_duplicate_rows_of_a_filter(sandbox: RunningSandbox, web_filter: httpx.Client) -> None:
    clean = web_filter.get(ACTIVITY).json()["data"]
    sandbox.fault("umbrella/activity", "duplicate", share=0.25)
    doubled = web_filter.get(ACTIVITY).json()["data"]
    assert len(doubled) == pytest.approx(1.25 * len(clean), rel=0.02)
    assert {repr(row) for row in doubled} == {repr(row) for row in clean}


def test_late_rows_come_when_it_is_over(sandbox: RunningSandbox, web_filter: httpx.Client) -> None:
    clean = web_filter.get(ACTIVITY).json()["data"]
    sandbox.fault("umbrella/activity", "late", share=0.3)
    held = web_filter.get(ACTIVITY).json()["data"]
    assert len(held) == pytest.approx(0.7 * len(clean), rel=0.1)
    sandbox.mend()
    assert web_filter.get(ACTIVITY).json()["data"] == clean


def test_late_rows_of_a_roster_are_the_newest(sandbox: RunningSandbox, sis: httpx.Client) -> None:
    sandbox.set_clock(now=datetime(2025, 8, 4, 20, tzinfo=UTC))  # the day on which the roster was loaded
    clean = ids(sis.get(USERS, params={"limit": 1000}))
    sandbox.fault("oneroster/users", "late", share=0.4)
    held = ids(sis.get(USERS, params={"limit": 1000}))
    assert set(held) < set(clean)
    sandbox.set_clock(now=datetime(2025, 8, 7, tzinfo=UTC))
    assert ids(sis.get(USERS, params={"limit": 1000})) == clean


def test_vanish_leaves_no_tombstone(sandbox: RunningSandbox, sis: httpx.Client) -> None:
    clean = ids(sis.get(USERS, params={"limit": 1000}))
    sandbox.fault("oneroster/users", "vanish", share=0.2)
    left = ids(sis.get(USERS, params={"limit": 1000}))
    assert set(left) < set(clean)
    assert len(left) == pytest.approx(0.8 * len(clean), rel=0.1)
    assert ids(sis.get(USERS, params={"limit": 1000})) == left, "the same rows each time"


def test_vanish_of_one_school(sandbox: RunningSandbox, sis: httpx.Client) -> None:
    sandbox.fault("oneroster/classes", "vanish", school="ORG-002")
    rows = sis.get(f"{ROSTERING}/classes", params={"limit": 1000}).json()["classes"]
    assert {row["school"]["sourcedId"] for row in rows} == {"ORG-001", "ORG-003"}


@pytest.mark.parametrize("path", [f"{ROSTERING}/users?limit=100", f"{COURSES}?per_page=50", ACTIVITY])
def test_clamp_gives_smaller_pages_without_a_word(
    sandbox: RunningSandbox, request: pytest.FixtureRequest, path: str
) -> None:
    vendor = "sis" if "ims" in path else "lms" if "api/v1" in path else "web_filter"
    client: httpx.Client = request.getfixturevalue(vendor)
    sandbox.fault("*", "clamp", size=7)
    answer = client.get(path)
    assert answer.status_code == 200
    body: Any = answer.json()
    rows = body if isinstance(body, list) else body.get("users", body.get("data"))
    assert len(rows) == 7


def test_clamped_walk_still_reaches_the_end(sandbox: RunningSandbox, sis: httpx.Client) -> None:
    clean = ids(sis.get(USERS, params={"limit": 1000}))
    sandbox.fault("oneroster/users", "clamp", size=50)
    walked: list[str] = []
    while page := ids(sis.get(USERS, params={"limit": 1000, "offset": len(walked)})):
        walked += page
    assert walked == clean


def test_no_totals(sandbox: RunningSandbox, sis: httpx.Client) -> None:
    sandbox.fault("oneroster/*", "no_totals")
    answer = sis.get(USERS)
    assert "x-total-count" not in answer.headers
    assert "link" not in answer.headers


def test_roster_feed_of_a_named_school(sandbox: RunningSandbox, sis: httpx.Client) -> None:
    sandbox.fault("oneroster/enrollments", "roster_feed", school="ORG-003")
    rows = sis.get(f"{ROSTERING}/enrollments", params={"limit": 5000}).json()["enrollments"]
    assert {row["school"]["sourcedId"] for row in rows} == {"ORG-001", "ORG-002"}


def test_the_control_desk(client: httpx.Client) -> None:
    rule = {"endpoint": "canvas/*", "fault": "slow", "seconds": 0.1}
    assert client.put("/_sandbox/faults", json=rule).status_code == 200
    client.put("/_sandbox/faults", json=rule | {"seconds": 0.2})
    assert [found["seconds"] for found in client.get("/_sandbox/faults").json()] == [0.2], "replaced, not added"
    assert client.put("/_sandbox/faults", json={"endpoint": "x", "fault": "rain"}).status_code == 422
    assert client.put("/_sandbox/faults", json=rule | {"sped": 1}).status_code == 422
    assert client.delete("/_sandbox/faults", params={"endpoint": "umbrella/*"}).json() == {"removed": 0}
    assert client.delete("/_sandbox/faults").json() == {"removed": 1}


def test_every_fault_is_explained() -> None:
    assert set(MEANING) == set(Fault.model_fields["fault"].annotation.__args__)  # type: ignore[union-attr]


def test_a_rule_waits_and_then_counts() -> None:
    faults = Faults()
    faults.add(Fault(endpoint="oneroster/*", fault="error500", after=2, times=2))
    acting = ["error500" in faults.take("oneroster/users") for _ in range(6)]
    assert acting == [False, False, True, True, False, False]
    assert faults.rules == []
