"""From a sender's request to the fact of use: receiver, spool, pull and models, without dbt's own start."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
from lake import CONFIG, DISTRICT, Lake, roster
from test_usage_fact import make_fact

from uptake import pipeline
from uptake.landing.land import open_door
from uptake.receiver import keys
from uptake.receiver.app import make_app
from uptake.warehouse.dbt import BuildSummary, target_dir
from uptake.warehouse.prepare import prepare

PUSHED = (
    CONFIG.replace("state_dir: state", "state_dir: state\nreceiver: {reserve_mb: 0}")
    + """\
    sources:
      - {name: events, kind: caliper}
"""
)
FACT = """
    select student_key, tool_key, on_date, is_in_school, minutes_method, active_minutes, sessions, events
    from marts.fct_student_tool_day order by all
"""


@pytest.fixture
def pushed(tmp_path: Path) -> Lake:
    """The district with a roster; its student s1 is user 101 of Canvas, s2 is 102."""
    lake = Lake(tmp_path, config=PUSHED)
    roster(lake)
    door, vault = open_door(lake.project, lake.district)
    with vault:
        users = [{"id": door.pseudonym("canvas_user", f"10{number}"), "sis_user_id": f"s{number}"} for number in (1, 2)]
    lake.land("canvas", "users", users)
    return lake


def send(lake: Lake, requests: list[tuple[str, str, str, Any]]) -> list[httpx.Response]:
    """(method, path, source, body) of each; the receiver is stopped afterwards, so that everything waits for a pull."""

    async def run() -> list[httpx.Response]:
        app = make_app(lake.project)
        tokens = {source: keys.add(lake.project, DISTRICT, source, "test") for source in {r[2] for r in requests}}
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://receiver") as client:
                return [
                    await client.request(
                        method,
                        path,
                        headers={"Authorization": tokens[source].token, "X-Experience-API-Version": "1.0.3"},
                        json=body,
                    )
                    for method, path, source, body in requests
                ]

    return asyncio.run(run())


def fact(lake: Lake, built: tuple[Lake, BuildSummary]) -> list[tuple[Any, ...]]:
    prepare(lake.project, lake.district, models_signature="m")
    with duckdb.connect(str(lake.project.warehouse(DISTRICT))) as connection:
        connection.execute("set TimeZone = 'UTC'")
        make_fact(connection, target_dir(built[0].project, DISTRICT))
        return connection.execute(FACT).fetchall()


def caliper(number: int, when: str, user: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"urn:uuid:00000000-0000-4000-8000-{number:012d}",
        "type": "NavigationEvent",
        "actor": {"id": f"urn:instructure:canvas:user:{user}", "type": "Person"},
        "action": "NavigatedTo",
        "object": "https://elsewhere.example/page",
        "eventTime": f"2026-02-03T{when}.000Z",
        "edApp": {"id": "https://mathgym.example/app?who=me", "type": "SoftwareApplication"},
    } | changes


def test_caliper_events_become_minutes_of_their_tool(built: tuple[Lake, BuildSummary], pushed: Lake) -> None:
    events = [
        caliper(1, "15:00:00", 101),
        caliper(2, "15:04:00", 101),
        caliper(2, "15:04:00", 101),
        caliper(3, "15:30:00", 101),
        caliper(4, "15:00:00", 102),
        caliper(5, "15:01:00", 102, actor={"id": "https://lms.example", "type": "SoftwareApplication"}),
        caliper(6, "15:02:00", 999),
    ]
    body = {"sensor": "https://lms.example", "sendTime": "2026-02-03T16:00:00Z", "data": events}
    assert [answer.status_code for answer in send(pushed, [("POST", "/caliper/maple", "events", body)])] == [200]
    pipeline.pull(pushed.project, DISTRICT, "events")
    day = date(2026, 2, 3)
    assert fact(pushed, built) == [
        ("s1", "mathgym", day, True, "event_sessionised", 4.0, 2, 3),
        ("s2", "mathgym", day, True, "event_sessionised", 0.0, 1, 1),
    ]
    assert pushed.query("select sum(events) from intermediate.int_usage_person_day") == [(6,)]
