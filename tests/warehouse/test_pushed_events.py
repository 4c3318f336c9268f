"""From a sender's request to the fact of use: receiver, spool, pull and models, without dbt's own start."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
from dropped import drop
from lake import CONFIG, DISTRICT, Lake, roster
from test_usage_fact import make_models

from uptake import pipeline
from uptake.landing.land import open_door
from uptake.receiver import keys
from uptake.receiver.app import make_app
from uptake.warehouse.dbt import BuildSummary, target_dir
from uptake.warehouse.prepare import finish, prepare

PUSHED = (
    CONFIG.replace("state_dir: state", "state_dir: state\nreceiver: {reserve_mb: 0}")
    + """\
    sources:
      - {name: events, kind: caliper}
      - {name: statements, kind: xapi}
      - {name: gateway, kind: logpush, format: cloudflare-gateway-http}
      - {name: proxy, kind: filterlog, format: squid, folder: squid, user_domain: maple.k12.example}
      - {name: lookups, kind: filterlog, format: umbrella-dns, folder: umbrella, schema_version: 10}
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


@contextmanager
def made(lake: Lake, built: tuple[Lake, BuildSummary]) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse, after the models' SQL has run."""
    prepare(lake.project, lake.district, models_signature="m")
    with duckdb.connect(str(lake.project.warehouse(DISTRICT))) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for schema in ("staging", "intermediate", "marts"):
            connection.execute(f"drop schema if exists {schema} cascade; create schema {schema}")
        make_models(connection, target_dir(built[0].project, DISTRICT), "fct_student_tool_day", "int_event_day_count")
        yield connection


def fact(lake: Lake, built: tuple[Lake, BuildSummary]) -> list[tuple[Any, ...]]:
    with made(lake, built) as connection:
        return connection.execute(FACT).fetchall()


def finish_as_good(lake: Lake) -> None:
    """What a build leaves behind that succeeded."""
    work = prepare(lake.project, lake.district, models_signature="m")
    finish(work)


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


def statement(number: int, when: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"00000000-0000-4000-8000-{number:012d}",
        "actor": {"account": {"homePage": "https://canvas.example", "name": "101"}},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/answered"},
        "object": {"id": "https://mathgym.example/quiz/5"},
        "timestamp": f"2026-02-03T{when}Z",
    } | changes


def void(number: int, target: int) -> dict[str, Any]:
    target_id = f"00000000-0000-4000-8000-{target:012d}"
    verb = {"id": "http://adlnet.gov/expapi/verbs/voided"}
    return statement(number, "20:00:00", verb=verb, object={"objectType": "StatementRef", "id": target_id}) | {
        "timestamp": "2026-03-01T20:00:00Z"
    }


def test_a_statement_that_is_voided_later_counts_no_longer(built: tuple[Lake, BuildSummary], pushed: Lake) -> None:
    """The voiding comes a month after the statement: the statement's own date is made again."""
    door, vault = open_door(pushed.project, pushed.district)
    with vault:
        who = door.pseudonym("xapi_actor", "https://canvas.example|101")
    sent = [statement(1, "15:00:00"), statement(2, "15:03:00"), statement(3, "15:05:00")]
    send(pushed, [("POST", "/xapi/maple/statements", "statements", sent)])
    pipeline.pull(pushed.project, DISTRICT, "statements")
    with made(pushed, built) as connection:
        query = """
            select identifier, exclusion_reason, sum(events), sum(active_micros) / 60e6
            from intermediate.int_usage_person_day where source = 'statements' group by all order by 2 nulls first
        """
        assert connection.execute(query).fetchall() == [(who, None, 3, 5.0)]
    finish_as_good(pushed)

    send(pushed, [("POST", "/xapi/maple/statements", "statements", [void(9, 2), void(8, 77)])])
    pipeline.pull(pushed.project, DISTRICT, "statements")
    work = prepare(pushed.project, pushed.district, models_signature="m")
    assert work.dates == {date(2026, 2, 3)}
    with made(pushed, built) as connection:
        assert connection.execute(query).fetchall() == [(who, None, 2, 5.0), (who, "voided", 1, 0.0)]


def test_pushed_logs_count_as_a_filters(built: tuple[Lake, BuildSummary], pushed: Lake) -> None:
    door, vault = open_door(pushed.project, pushed.district)
    with vault:
        mail = door.pseudonym("email", "kid@maple.k12.example")
    lines = [
        {"Datetime": "2026-02-03T15:00:00Z", "Email": "Kid@maple.k12.example", "URL": "https://mathgym.example/a"},
        {"Datetime": "2026-02-03T15:02:00Z", "Email": "kid@maple.k12.example", "URL": "https://mathgym.example/b"},
        {
            "Datetime": "2026-02-03T15:02:30Z",
            "Email": "kid@maple.k12.example",
            "HTTPHost": "x.example",
            "Action": "block",
        },
        {
            "Datetime": "2026-02-03T15:02:40Z",
            "Email": "kid@maple.k12.example",
            "URL": "https://ads.example/",
            "CategoryNames": ["Advertisements"],
        },
    ]
    send(pushed, [("POST", "/logs/maple/cloudflare-gateway-http", "gateway", lines)] * 2)
    pipeline.pull(pushed.project, DISTRICT, "gateway")
    with made(pushed, built) as connection:
        found = connection.execute(
            """
            select identifier, minutes_method, exclusion_reason, sum(events), sum(active_micros) / 60e6
            from intermediate.int_usage_person_day group by all order by 3 nulls first
            """
        ).fetchall()
        counted = connection.execute(
            "select landed_rows, distinct_rows from intermediate.int_event_day_count"
        ).fetchall()
    assert found == [
        (mail, "filter_sessionised", None, 2, 2.0),
        (mail, "filter_sessionised", "background", 1, 0.0),
        (mail, "filter_sessionised", "blocked", 1, 0.0),
    ]
    assert counted == [(8, 4)]


def test_log_files_become_the_use_that_a_pushed_log_is(built: tuple[Lake, BuildSummary], pushed: Lake) -> None:
    door, vault = open_door(pushed.project, pushed.district)
    with vault:
        mail = door.pseudonym("email", "kid@maple.k12.example")
    squid = "{} 900000 10.1.2.3 {}/200 99 {} {} {} HIER_DIRECT/1.2.3.4 -\n"
    drop(
        pushed.project.config_path.parent / "squid",
        "access.log",
        squid.format("1770130800.000", "TCP_TUNNEL", "CONNECT", "mathgym.example:443", "MAPLE\\kid")
        + squid.format("1770130920.000", "TCP_MISS", "GET", "http://mathgym.example/a?q=1", "kid")
        + squid.format("1770130930.000", "TCP_DENIED", "GET", "http://x.example/", "kid"),
    )
    umbrella = ["2026-02-03 15:00:00", "Kid (kid@maple.k12.example)", "", "10.1.2.3", "1.2.3.4", "Allowed", "1 (A)"]
    umbrella += ["NOERROR", "mathgym.example.", "Education", "AD Users", "", "", "1", "", "2"]
    drop(pushed.project.config_path.parent / "umbrella", "a.csv.gz", ",".join(f'"{part}"' for part in umbrella) + "\n")
    for source in ("proxy", "lookups"):
        pipeline.pull(pushed.project, DISTRICT, source)
    with made(pushed, built) as connection:
        found = connection.execute(
            """
            select identifier, minutes_method, exclusion_reason, sum(events), sum(active_micros) / 60e6
            from intermediate.int_usage_person_day group by all order by 2, 3 nulls first
            """
        ).fetchall()
    assert [row[:4] for row in found] == [
        (mail, "filter_sessionised", None, 2),
        (mail, "filter_sessionised", "blocked", 1),
        (mail, "hour_bucket", None, 1),
    ]
    assert found[0][4] == 2.0  # from one request to the next; the tunnel was open for 15 minutes
