"""The usage fact against an independent reckoning, event by event, and against every order of arrival."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
from conftest import filter_day
from lake import DISTRICT, Lake, Row, roster

from uptake.warehouse.dbt import BuildSummary, target_dir
from uptake.warehouse.prepare import prepare

CHICAGO = ZoneInfo("America/Chicago")
TOOLS = {"mathgym.example": "mathgym", "cdn.mathgym.example": "mathgym", "docs.bigco.example/document": "docs"}
STUDENTS = {f"s{number}@mail": f"s{number}" for number in range(1, 5)}
Fact = dict[tuple[str, str, date, bool, str], tuple[float | None, int, int]]


def reckoned(events: list[Row], idle: timedelta = timedelta(minutes=10)) -> Fact:
    """(student, tool, date, in school, method) -> (minutes, sessions, events), by the definition and nothing clever."""
    lines: dict[tuple[str, date], list[Row]] = defaultdict(list)
    hours: dict[tuple[str, str, date, bool, str], list[datetime]] = defaultdict(list)
    for event in {event["event_key"]: event for event in events}.values():
        if event["verdict"] == "blocked" or event["user_label"] not in STUDENTS:
            continue
        student, local = STUDENTS[event["user_label"]], event["timestamp"].astimezone(CHICAGO)
        if event["type"] == "proxy":
            lines[student, local.date()].append(event)
        elif event["url"] in TOOLS:
            key = (student, TOOLS[event["url"]], local.date(), in_school(local), "hour_bucket")
            hours[key].append(event["timestamp"].replace(minute=0, second=0))
    minutes: dict[tuple[str, str, date, bool, str], float] = defaultdict(float)
    sessions: dict[tuple[str, str, date, bool, str], set[int]] = defaultdict(set)
    counts: dict[tuple[str, str, date, bool, str], int] = defaultdict(int)
    for (student, day), line in lines.items():
        # at one instant: hosts without a tool come first, then tools by name
        line.sort(key=lambda event: (event["timestamp"], TOOLS.get(event["url"], "")))
        session = 0
        for place, (event, following) in enumerate(pairwise([*line, None])):
            if place and event["timestamp"] - line[place - 1]["timestamp"] > idle:
                session += 1
            tool = TOOLS.get(event["url"])
            if tool is None:
                continue
            key = (student, tool, day, in_school(event["timestamp"].astimezone(CHICAGO)), "filter_sessionised")
            gap = following["timestamp"] - event["timestamp"] if following else timedelta(0)
            minutes[key] += gap.total_seconds() / 60 if gap <= idle else 0
            sessions[key].add(session)
            counts[key] += 1
    fact: Fact = {key: (round(minutes[key], 6), len(sessions[key]), counts[key]) for key in counts}
    for key, seen in hours.items():
        if (*key[:4], "filter_sessionised") not in fact:
            fact[key] = (None, len(set(seen)), len(seen))
    return fact


def in_school(local: datetime) -> bool:
    return local.weekday() < 5 and time(8) <= local.time() < time(15, 30)


def fact_of(rows: list[tuple[object, ...]]) -> Fact:
    return {
        (row[0], row[1], row[2], row[3], row[4]): (None if row[5] is None else round(row[5], 6), row[6], row[7])  # type: ignore[misc,call-overload]
        for row in rows
    }


FACT = """select student_key, tool_key, on_date, is_in_school, minutes_method, active_minutes, sessions, events
from marts.fct_student_tool_day"""


def test_the_fact_is_what_the_definition_says(built: tuple[Lake, BuildSummary]) -> None:
    lake, _ = built
    events = [event for day in (2, 3, 4) for event in filter_day(date(2026, 2, day), 300, day)]
    expected = reckoned(events)
    assert {key[4] for key in expected} == {"filter_sessionised", "hour_bucket"}
    assert len(expected) > 20 and {key[3] for key in expected} == {True, False}
    found = fact_of(lake.query(f"{FACT} where tool_key <> 'lms'"))
    assert found == expected


def test_lms_time_is_its_own(built: tuple[Lake, BuildSummary]) -> None:
    lake, _ = built
    rows = lake.query(f"{FACT} where tool_key = 'lms'")
    # a masquerade, a background request and a person who is not known are not use of a student
    assert rows == [("s1", "lms", date(2026, 2, 3), True, "lms_interaction", 75.5 / 60, 1, 2)]
    unmatched = "select reason, events, persons from marts.fct_unmatched_usage_day where host = 'maple.lms.example'"
    assert lake.query(unmatched) == [("unmatched_person", 1, 1)]


def test_every_event_is_accounted_for(built: tuple[Lake, BuildSummary]) -> None:
    """Seen once by key = counted as use + unmatched + of staff + excluded for a reason."""
    lake, _ = built
    landed = lake.query("select count(distinct event_key) from landing.umbrella__activity")[0][0]
    counted = "select sum(events) from intermediate.int_usage_person_day where source = 'filter'"
    assert lake.query(counted) == [(landed,)]
    reasons = dict(
        lake.query("select exclusion_reason, sum(events) from intermediate.int_usage_person_day group by all")
    )
    assert set(reasons) == {None, "blocked", "background"}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_order_splits_and_repeats_do_not_matter(built: tuple[Lake, BuildSummary], lake: Lake, seed: int) -> None:
    """The same events in other files, shuffled, some twice, give the same fact. Runs the models' SQL without dbt."""
    generator = random.Random(seed)
    events = [event for day in (2, 3, 4) for event in filter_day(date(2026, 2, day), 300, day)]
    delivered = events + generator.sample(events, 60)
    generator.shuffle(delivered)
    cuts = sorted(generator.sample(range(len(delivered)), 5))
    roster(lake)
    for first, end in pairwise([0, *cuts, len(delivered)]):
        lake.land("umbrella", "activity", delivered[first:end])
    prepare(lake.project, lake.district, models_signature="m")
    with duckdb.connect(str(lake.project.warehouse(DISTRICT))) as connection:
        connection.execute("set TimeZone = 'UTC'")
        make_fact(connection, target_dir(built[0].project, DISTRICT))
        found = fact_of(connection.execute(FACT).fetchall())
    assert found == reckoned(events)


def make_fact(connection: duckdb.DuckDBPyConnection, target: Path) -> None:
    make_models(connection, target, "fct_student_tool_day")


def make_models(connection: duckdb.DuckDBPyConnection, target: Path, *names: str) -> None:
    """Run what dbt compiled for these models and for everything that they are made from."""
    manifest = json.loads((target / "manifest.json").read_text())
    made: set[str] = set()

    def make(unique_id: str) -> None:
        node = manifest["nodes"].get(unique_id)
        if node is None or unique_id in made:
            return
        made.add(unique_id)
        for parent in node["depends_on"]["nodes"] if node["resource_type"] == "model" else ():
            make(parent)
        name = f"{node['schema']}.{node['alias']}"
        if node["resource_type"] == "seed":
            path = Path(node["root_path"]) / node["original_file_path"]
            connection.execute(f"create table {name} as from read_csv('{path}')")
            return
        kind = "view" if node["config"]["materialized"] == "view" else "table"
        compiled = (target / "compiled" / "uptake" / node["original_file_path"]).read_text()
        database = f'"{built_database(manifest)}".'
        connection.execute(f"create {kind} {name} as {compiled.replace(database, '')}")

    for wanted in names:
        make(f"model.uptake.{wanted}")


def built_database(manifest: dict[str, object]) -> str:
    nodes = manifest["nodes"]
    assert isinstance(nodes, dict)
    return str(nodes["model.uptake.fct_student_tool_day"]["database"])


def test_an_hour_that_happens_twice_is_two_hours(lake: Lake, built: tuple[Lake, BuildSummary]) -> None:
    """1 November 2025, clocks go back at 07:00 UTC: 06:30 and 07:30 UTC are both 01:30, an hour apart."""
    from lake import request

    roster(lake)
    events = [
        request("2025-11-02T06:28:00", "s1@mail"),
        request("2025-11-02T06:30:00", "s1@mail"),
        request("2025-11-02T07:30:00", "s1@mail"),
        request("2025-11-02T07:33:00", "s1@mail"),
        request("2025-11-03T05:59:00", "s1@mail"),  # 23:59 of the same date
        request("2025-11-03T06:01:00", "s1@mail"),  # the next date
    ]
    lake.land("umbrella", "activity", events)
    prepare(lake.project, lake.district, models_signature="m")
    with duckdb.connect(str(lake.project.warehouse(DISTRICT))) as connection:
        connection.execute("set TimeZone = 'UTC'")
        make_fact(connection, target_dir(built[0].project, DISTRICT))
        found = fact_of(connection.execute(FACT).fetchall())
    assert found == reckoned(events)
    assert found["s1", "mathgym", date(2025, 11, 2), False, "filter_sessionised"] == (5.0, 3, 5)
    assert datetime(2025, 11, 2, 7, 30, tzinfo=UTC).astimezone(CHICAGO).time() == time(1, 30)
