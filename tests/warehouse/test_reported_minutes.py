"""What tools report of time on task: any order of arrival, any batches and any repeats give the same minutes, which are
those of an independent reckoning, report by report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from compiled import Warehouse, copied
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lake import Lake, at, request, roster
from test_usage_fact import CHICAGO, in_school, reckoned

from uptake.warehouse.dbt import BuildSummary

Event = dict[str, Any]
Key = tuple[str, str, date, bool]  # student, tool, date, in school

FACT = """
    select student_key, on_date, is_in_school, minutes_method, active_minutes, events
    from marts.fct_student_tool_day where tool_key = 'mathgym' order by all
"""


def use(key: str, when: str, who: str = "s1", measures: Sequence[tuple[float, str | None]] = (), **more: Any) -> Event:
    """A Caliper event; `measures`: minutes on task, and since when."""
    listed = [
        {
            "metric": "MinutesOnTask",
            "metricValue": minutes,
            "maxMetricValue": None,
            "startedAtTime": at(since) if since else None,
            "endedAtTime": None,
        }
        for minutes, since in measures
    ]
    return {
        "event_key": key,
        "eventTime": at(when),
        "action": "Used",
        "actor_id": who,
        "actor_sis_id": who,
        "ed_app": "mathgym.example",
        "measures": listed or None,
    } | more


def statement(key: str, when: str, seconds: float | None, who: str = "s1@mail", **more: Any) -> Event:
    return {
        "id": key,
        "timestamp": at(when),
        "verb": "completed",
        "actor_id": who,
        "actor_email": who,
        "activity": "mathgym.example",
        "object_type": "Activity",
        "duration_seconds": seconds,
    } | more


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory, built: tuple[Lake, BuildSummary]) -> Iterator[Path]:
    """A district with a roster and nothing else, to be copied."""
    lake = Lake(tmp_path_factory.mktemp("empty"))
    roster(lake)
    lake.project.operations.dispose()
    yield lake.root


@pytest.fixture
def warehouse(tmp_path: Path, empty: Path, built: tuple[Lake, BuildSummary]) -> Warehouse:
    return copied(empty, tmp_path / "district", built[0])


def test_increases_of_a_cumulative_measure_count(warehouse: Warehouse) -> None:
    """Baseline, increase, repeated report, reset, and a report that comes late: each changes only what it must."""
    lake = warehouse.lake
    lake.land(
        "caliper",
        "event",
        [
            use("a", "2026-02-03T15:00:00", measures=[(500, None)]),  # a baseline: nothing is known of these
            use("b", "2026-02-03T15:40:00", measures=[(512, None)]),
            use("b", "2026-02-03T15:40:00", measures=[(512, None)]),
            use("c", "2026-02-03T16:00:00", measures=[(7, None)]),  # begun anew
        ],
    )
    assert warehouse.build() == {date(2026, 2, 3)}
    assert warehouse.lake.query(FACT) == [("s1", date(2026, 2, 3), True, "tool_reported", 19.0, 3)]

    lake.land("caliper", "event", [use("f", "2026-02-06T15:00:00", measures=[(67, None)])])
    warehouse.build()
    assert warehouse.lake.query(FACT)[1:] == [("s1", date(2026, 2, 6), True, "tool_reported", 60.0, 1)]

    lake.land("caliper", "event", [use("e", "2026-02-05T15:00:00", measures=[(37, None)])])
    assert warehouse.build() == {date(2026, 2, 5), date(2026, 2, 6)}, "the next report's increase is another one"
    assert [row[1:5] for row in warehouse.lake.query(FACT)[1:]] == [
        (date(2026, 2, 5), True, "tool_reported", 30.0),
        (date(2026, 2, 6), True, "tool_reported", 30.0),
    ]


def test_never_more_than_the_time_that_passed(warehouse: Warehouse) -> None:
    warehouse.lake.land(
        "caliper",
        "event",
        [
            use("a", "2026-02-03T15:00:00", measures=[(10, "2026-02-03T14:45:00")]),
            use("b", "2026-02-03T15:10:00", measures=[(45, "2026-02-03T14:45:00")]),
            # The same ten minutes, over the year.
            use("c", "2026-02-03T15:10:00", measures=[(4000, "2025-08-20T14:45:00")]),
            use("d", "2026-02-03T15:30:00", measures=[(4011, "2025-08-20T14:45:00"), (11, "2026-02-03T15:15:00")]),
        ],
    )
    warehouse.build()
    assert warehouse.lake.query(FACT) == [("s1", date(2026, 2, 3), True, "tool_reported", 31.0, 4)]


def test_durations_that_overlap_count_once_and_stop_at_midnight(warehouse: Warehouse) -> None:
    """A lesson of 20 minutes and two answers in it; one that began before midnight; one that was taken back."""
    lake = warehouse.lake
    lake.land(
        "xapi",
        "statement",
        [
            statement("1", "2026-02-03T15:05:00", 60),
            statement("2", "2026-02-03T15:10:00", 90),
            statement("3", "2026-02-03T15:20:00", 1200),
            statement("4", "2026-02-03T15:25:00", 120),
            statement("5", "2026-02-03T15:40:00", 600),
            statement("6", "2026-02-04T06:10:00", 1200),
            statement("7", "2026-02-03T16:10:00", None),
        ],
    )
    lake.land("xapi", "voided", [{"statement_id": "5", "voided_at": at("2026-02-03T20:00:00")}])
    warehouse.build()
    assert warehouse.lake.query(FACT) == [
        ("s1", date(2026, 2, 3), True, "tool_reported", 22.0, 5),
        ("s1", date(2026, 2, 4), False, "tool_reported", 10.0, 1),
    ]


def test_a_report_is_never_added_to_another_method(warehouse: Warehouse) -> None:
    lake = warehouse.lake
    filtered = [request(f"2026-02-03T15:0{minute}:00", "s1@mail") for minute in range(9)]
    lake.land("umbrella", "activity", filtered)
    lake.land("caliper", "event", [use(str(n), f"2026-02-03T15:0{n}:00") for n in range(5)])
    warehouse.build()
    assert warehouse.lake.query(FACT) == [("s1", date(2026, 2, 3), True, "filter_sessionised", 8.0, 9)]
    lake.land("caliper", "event", [use("x", "2026-02-03T15:08:00", measures=[(3, "2026-02-03T15:00:00")])])
    lake.land("xapi", "statement", [statement("1", "2026-02-03T15:08:00", 120)])
    warehouse.build()
    assert warehouse.lake.query(FACT) == [("s1", date(2026, 2, 3), True, "tool_reported", 3.0, 7)]


# ---- properties -----------------------------------------------------------------------------------------------------

# Local midnights and changes of the clock, as minutes after 17:00 UTC on the Friday before each change.
CHANGES = {
    datetime(2025, 10, 31, 17, tzinfo=UTC): [0, 720, 2160, 2280, 3660],  # 06:00 and 07:00 UTC are both 1 o'clock
    datetime(2026, 3, 6, 17, tzinfo=UTC): [0, 780, 2220, 2340, 3600],  # there is no 2 o'clock
}
SEEN = st.tuples(
    st.integers(0, 4),  # near which of these
    st.integers(-12, 25),
    st.sampled_from(["s1", "s2"]),
    st.sampled_from(["mathgym.example", "mathgym.example", "docs.bigco.example/document"]),
    st.sampled_from(["filter", "tool", "report", "report"]),
    st.sampled_from([0, 5, 17, 40]),  # minutes on task
    st.sampled_from([None, None, 0, 700]),  # start of the span
)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Event], list[Event], list[list[tuple[str, Event]]]]:
    """Requests, Caliper events, and in what batches they come: shuffled, some of them twice."""
    first = draw(st.sampled_from(sorted(CHANGES)))
    requests, events, sent = [], [], []
    for number, (near, off, who, url, kind, value, start) in enumerate(
        draw(st.lists(SEEN, min_size=6, max_size=24, unique_by=lambda one: (CHANGES[first][one[0]] + one[1], one[2])))
    ):
        minute = CHANGES[first][near] + off
        when = (first + timedelta(minutes=minute)).replace(tzinfo=None).isoformat()
        if kind == "filter":
            requests.append(request(when, f"{who}@mail", url))
            sent.append(("umbrella", requests[-1]))
            continue
        since = first + timedelta(minutes=start) if start is not None and start <= minute else None
        text = since.replace(tzinfo=None).isoformat() if since else None
        measures = [(float(value), text)] if kind == "report" and url == "mathgym.example" else []
        events.append(use(f"e{number:02}", when, who, measures, ed_app=url))
        sent.append(("caliper", events[-1]))
    arrived = draw(st.permutations([*sent, *draw(st.lists(st.sampled_from(sent), max_size=4))]))
    cuts = sorted(draw(st.sets(st.integers(1, len(arrived) - 1), max_size=2)))
    return requests, events, [arrived[a:b] for a, b in zip([0, *cuts], [*cuts, len(arrived)], strict=True)]


def reported(events: list[Event]) -> dict[Key, float]:
    """Minutes that the tool reported, by the rules as they are written, one report after another."""
    found: dict[Key, float] = defaultdict(float)
    last: dict[tuple[str, datetime | None], float] = {}
    told: dict[str, datetime] = {}
    for event in sorted(events, key=lambda one: one["eventTime"]):
        if not event["measures"]:
            continue
        who, when = event["actor_sis_id"], event["eventTime"]
        value, start = event["measures"][0]["metricValue"], event["measures"][0]["startedAtTime"]
        before, told_before = last.get((who, start)), told.get(who)
        last[who, start], told[who] = value, when
        if before is None and (start is None or when - start > timedelta(hours=25)):
            continue
        increase = value if before is None or value < before else value - before
        since = max(moment for moment in (start, told_before) if moment is not None)
        key = (who, "mathgym", when.astimezone(CHICAGO).date(), in_school(when.astimezone(CHICAGO)))
        found[key] += min(increase, (when - since).total_seconds() / 60, 1440)
    return found


def expected(requests: list[Event], events: list[Event]) -> dict[Key, tuple[str, float]]:
    """The method of each row of the fact, and its minutes."""
    as_requests = [request("2026-01-01T00:00:00", f"{e['actor_sis_id']}@mail", e["ed_app"]) for e in events]
    pushed = [
        r | {"timestamp": e["eventTime"], "event_key": e["event_key"]} for r, e in zip(as_requests, events, strict=True)
    ]
    found = {key[:4]: ("event_sessionised", value[0]) for key, value in reckoned(pushed).items()}
    found |= {key[:4]: ("filter_sessionised", value[0]) for key, value in reckoned(requests).items()}
    return found | {key: ("tool_reported", minutes) for key, minutes in reported(events).items()}


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=deliveries())
def test_order_batches_and_repeats_do_not_matter(
    tmp_path_factory: pytest.TempPathFactory,
    empty: Path,
    built: tuple[Lake, BuildSummary],
    drawn: tuple[list[Event], list[Event], list[list[tuple[str, Event]]]],
) -> None:
    """Two tools at once, seen by a filter and telling of themselves, over midnights and changes of the clock; built
    after each batch."""
    requests, events, batches = drawn
    warehouse = copied(empty, tmp_path_factory.mktemp("drawn") / "district", built[0])
    try:
        for batch in batches:
            for namespace, resource in (("umbrella", "activity"), ("caliper", "event")):
                rows = [row for kind, row in batch if kind == namespace]
                if rows:
                    warehouse.lake.land(namespace, resource, rows)
            warehouse.build()
        rows = warehouse.lake.query(
            "select student_key, tool_key, on_date, is_in_school, minutes_method, active_minutes "
            "from marts.fct_student_tool_day"
        )
    finally:
        warehouse.lake.project.operations.dispose()
    right = expected(requests, events)
    assert {row[:4]: row[4] for row in rows} == {key: method for key, (method, _) in right.items()}
    assert {row[:4]: row[5] for row in rows} == pytest.approx({key: minutes for key, (_, minutes) in right.items()})
