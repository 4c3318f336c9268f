"""The simulated web filter keeps to Umbrella Reporting v2."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import numpy as np
import pytest

from uptake.sandbox.running import RunningSandbox
from uptake.sandbox.schoolyear import instant
from uptake.sandbox.umbrella import _page_rows

PATH = "/reports/v2/activity"
DAY = datetime(2026, 4, 13, 5, tzinfo=UTC)  # a Monday, local midnight
HOUR = 3_600_000


def ask(web_filter: httpx.Client, start: int, end: int, **params: Any) -> list[dict[str, Any]]:
    answer = web_filter.get(PATH, params={"from": start, "to": end, "limit": 5000, "offset": 0, **params})
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["data"]
    return rows


def day_rows(web_filter: httpx.Client) -> list[dict[str, Any]]:
    start = instant(DAY)
    return [row for hour in range(24) for row in ask(web_filter, start + hour * HOUR, start + (hour + 1) * HOUR)]


def key(row: dict[str, Any]) -> str:
    return repr(sorted(row.items()))


def test_the_token_has_no_scopes_and_is_needed(client: httpx.Client) -> None:
    assert client.get(PATH, params={"from": "-1days", "to": "now"}).status_code == 401
    assert client.post("/auth/v2/token", data={"grant_type": "client_credentials"}).status_code == 401


@pytest.mark.parametrize(
    "query",
    ["to=now", "from=-1days", "from=x&to=now", "from=-1days&to=now&limit=5001", "from=-1days&to=now&offset=10001"],
)
def test_limits_are_enforced(web_filter: httpx.Client, query: str) -> None:
    assert web_filter.get(f"{PATH}?{query}").status_code == 400


def test_rows_lie_within_the_window_newest_first_by_second(web_filter: httpx.Client) -> None:
    start = instant(DAY) + 9 * HOUR
    rows = ask(web_filter, start, start + HOUR)
    assert len(rows) > 50
    assert all(start <= row["timestamp"] < start + HOUR for row in rows)
    seconds = [row["timestamp"] // 1000 for row in rows]
    assert seconds == sorted(seconds, reverse=True)
    ascending = ask(web_filter, start, start + HOUR, order="asc")
    assert {key(row) for row in ascending} == {key(row) for row in rows}
    seconds = [row["timestamp"] // 1000 for row in ascending]
    assert seconds == sorted(seconds)


def test_windows_of_one_hour_and_pages_give_the_same_rows(web_filter: httpx.Client) -> None:
    start = instant(DAY)
    count = web_filter.get("/reports/v2/total-requests", params={"from": start, "to": start + 24 * HOUR}).json()
    by_hour = day_rows(web_filter)
    assert len(by_hour) == len({key(row) for row in by_hour}) == count["data"]["count"] > 500
    pages = [ask(web_filter, start, start + 24 * HOUR, limit=200, offset=offset) for offset in range(0, 10_000, 200)]
    # A row of a second that two pages share may come twice or not at all, since the order within it changes between
    # pages; the number of rows is right all the same.
    assert sum(map(len, pages)) == len(by_hour)


def test_there_is_no_order_within_a_second() -> None:
    at = np.sort(np.repeat(np.arange(4) * 1000, 50) + np.tile(np.arange(50), 4))
    first = _page_rows(at, 0, 100, ascending=True, double=0.0)
    assert (np.diff(at[first] // 1000) >= 0).all()
    assert (np.diff(first) < 0).any()
    assert set(first) == set(range(100))
    overlapping = _page_rows(at, 10, 100, ascending=True, double=0.0)
    assert list(first[10:50]) != list(overlapping[:40]), "another order at another offset"


def test_identities_are_people_devices_and_networks(web_filter: httpx.Client) -> None:
    rows = day_rows(web_filter)
    nearest = [row["identities"][0]["type"]["type"] for row in rows]
    assert set(nearest) == {"directory_user", "anyconnect", "network"}
    labels = {row["identities"][0]["label"] for row in rows if row["identities"][0]["type"]["type"] == "directory_user"}
    assert any(label != label.lower() for label in labels), "capital letters are not to be relied on"


def test_dns_rows_have_no_url_and_proxy_rows_do(web_filter: httpx.Client) -> None:
    rows = day_rows(web_filter)
    assert {row["type"] for row in rows} == {"dns", "proxy"}
    assert all(("url" in row) == (row["type"] == "proxy") for row in rows)
    start = instant(DAY) + 9 * HOUR
    for kind in ("dns", "proxy"):
        answer = web_filter.get(f"{PATH}/{kind}", params={"from": start, "to": start + HOUR, "limit": 5000})
        assert {row["type"] for row in answer.json()["data"]} == {kind}
    assert {row["verdict"] for row in rows} == {"allowed", "blocked"}


def test_events_appear_with_the_clock_some_of_them_late(sandbox: RunningSandbox, web_filter: httpx.Client) -> None:
    start, noon = instant(DAY), DAY + timedelta(hours=12)
    sandbox.set_clock(now=noon)
    then = ask(web_filter, start, instant(noon))
    assert all(row["timestamp"] <= instant(noon) for row in then)
    assert not ask(web_filter, instant(noon) + 1, instant(noon) + HOUR)
    sandbox.set_clock(now=noon + timedelta(hours=3))
    later = ask(web_filter, start, instant(noon))
    assert {key(row) for row in then} < {key(row) for row in later}
    sandbox.set_clock(now=noon + timedelta(days=2))
    assert ask(web_filter, start, instant(noon)) == later


def test_relative_times(web_filter: httpx.Client) -> None:
    rows = ask(web_filter, "-1days", "now")  # type: ignore[arg-type]
    assert rows
