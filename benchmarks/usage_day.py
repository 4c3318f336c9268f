"""A simulated school day of filter events, from landed to published, against one hand-written query for the fact.

    python -m benchmarks.usage_day [--events 2000000] [--students 30000]

The district is published once with its roster; then a batch of one event, which shows what any batch costs however
small it is, and then the day. Every stage is the function that `uptake run` and the DAGs call. dbt's start-up is
reported apart. The query reads the same Parquet files and gives the same rows of fct_student_tool_day (compared at
the end); all other marts, tests, checks and the snapshot are what the first ratio has and the query has not.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from sqlalchemy import select

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "warehouse"))
from lake import DISTRICT, Lake, at, enrollment, roster, user

from benchmarks.report import Line, show
from uptake import pipeline
from uptake.contracts import Window
from uptake.landing import ledger
from uptake.landing.ledger import At, Record
from uptake.landing.writer import WindowWriter
from uptake.operations.models import Outcome
from uptake.sources.registry import warehouse_resources
from uptake.warehouse.dbt import target_dir

GOAL = 2.0
DAY = date(2026, 3, 3)  # a Tuesday
FACT = (
    "int_local_quarter",
    "int_usage_address",
    "int_usage_person",
    "int_usage_event",
    "int_usage_lane_day",
    "fct_student_tool_day",
)

STAGES = {
    "dbt": "dbt: models and tests, two at a time",
    "around_dbt": "what is new is found and remembered",
    "candidate": "candidate snapshot",
    "checks": "checks",
    "publication": "publication",
    "fact": "of dbt's work: models behind the fact",
    "other_models": "of dbt's work: all other models",
    "tests": "of dbt's work: tests",
    "dbt_startup": "not counted: dbt's start-up",
    "pages": "not counted: pages of the checks, after",
}

# Same rules as the models: a request counts once; the path before the host before the domain; sessions by idle gap.
QUERY = """
with event as (
    select event_key, any_value("timestamp") as seen_at, any_value(user_label) as label, any_value(url) as url
    from read_parquet({files})
    where verdict <> 'blocked' and user_label is not null
    group by event_key
),
tool as (
    select url, arg_max(tool_id, length(path_prefix)) as tool_key
    from (select distinct url from event) as seen
    join config.tool_address as known
      on split_part(url, '/', 1) = known.host
      and (known.path_prefix = '' or starts_with(url || '/', known.host || '/' || known.path_prefix || '/'))
    group by url
),
timed as (
    select
        email.sourcedId as student_key,
        event.url,
        event.seen_at,
        timezone('America/Chicago', event.seen_at) as local_at,
        lead(event.seen_at) over day - event.seen_at as to_next,
        event.seen_at - lag(event.seen_at) over day as since_previous
    from event
    join (select distinct email, sourcedId from read_parquet({users}) where email is not null) as email
      on email.email = event.label
    window day as (
      partition by email.sourcedId, cast(timezone('America/Chicago', event.seen_at) as date)
      order by event.seen_at, event.url
    )
),
numbered as (
    select
        *,
        sum(case when since_previous <= interval 10 minute then 0 else 1 end) over (
            partition by student_key, cast(local_at as date) order by seen_at, url
            range between unbounded preceding and current row) as session_no
    from timed
)
select
    numbered.student_key,
    tool.tool_key,
    cast(local_at as date) as on_date,
    cast(local_at as time) between time '08:00' and time '15:29:59.999999' as is_in_school,
    sum(case when to_next <= interval 10 minute then epoch_us(to_next) else 0 end) / 60000000.0 as active_minutes,
    count(distinct session_no) as sessions,
    count(*) as events
from numbered
join tool on tool.url = numbered.url
group by all
"""


@dataclass(frozen=True, slots=True)
class Way:
    """Seconds of one batch's way from landed to published. dbt_startup and pages are part of no other figure.

    fact, other_models and tests are parts of dbt's time, and are more than it together, as some run side by side.
    """

    dbt: float
    fact: float
    other_models: float
    tests: float
    around_dbt: float  # what is landed is found and remembered
    candidate: float
    checks: float
    publication: float
    dbt_startup: float
    pages: float

    @property
    def build(self) -> float:
        return self.dbt + self.around_dbt

    @property
    def published(self) -> float:
        return self.build + self.candidate + self.checks + self.publication


@dataclass(frozen=True, slots=True)
class Day:
    """Columns of a day's events: who (a number of a student), when (UTC), and which of `urls`."""

    person: np.ndarray
    when: np.ndarray
    url: np.ndarray


def labels(students: int) -> np.ndarray:
    """What the door makes of the students' e-mail addresses."""
    return np.array([f"{number:032x}" for number in np.random.default_rng(7).integers(2**62, size=students)])


def urls() -> np.ndarray:
    known = ["mathgym.example", "app.mathgym.example", "docs.bigco.example/document", "docs.bigco.example/forms"]
    return np.array(known + [f"site{number}.example" for number in range(400)])


def land_roster(lake: Lake, students: int) -> None:
    """All but 3 in 100 of the people that the filter sees are students of the roster."""
    users = [
        user(f"{number:032x}", "03" if number % 2 else "04", "north" if number % 2 else "south", email=str(label))
        for number, label in enumerate(labels(students)[: int(students * 0.97)])
    ]
    base = {"status": "active", "dateLastModified": at("2025-08-01T12:00:00")}
    lake.land("oneroster", "users", [base | row for row in users])
    lake.land(
        "oneroster",
        "enrollments",
        [enrollment(f"e{row['sourcedId']}", row["sourcedId"], row["primaryOrg_sourcedId"]) for row in users],
    )


def school_day(on_date: date, events: int, students: int) -> Day:
    """06:00 to 20:00 local. People browse in bouts: a start for each bout, and small steps inside it."""
    generator = np.random.default_rng(on_date.toordinal())
    shares = np.r_[[0.15, 0.05, 0.15, 0.05], np.full(400, 0.6 / 400)]
    size = min(events, 40)
    bouts = events // size
    person = np.repeat(generator.integers(students, size=bouts), size)
    start = np.repeat(generator.normal(6 * 3600, 2.5 * 3600, size=bouts).clip(0, 13 * 3600), size)
    step = generator.exponential(45, size=(bouts, size)).cumsum(axis=1).ravel()
    dawn = np.datetime64(on_date, "us") + np.timedelta64(12, "h")
    when = dawn + ((start + step) * 1e6).astype("timedelta64[us]")
    return Day(person, when, generator.choice(len(shares), p=shares, size=len(person)))


def land_day(lake: Lake, on_date: date, events: int, students: int) -> None:
    """The day in windows of an hour; about 1 event in 200 arrives twice."""
    day = school_day(on_date, events, students)
    generator = np.random.default_rng(on_date.toordinal() + 1)
    resource = warehouse_resources()["umbrella", "activity"]
    count = len(day.person)
    everything = pa.table(
        {
            "timestamp": pa.array(day.when).cast(pa.timestamp("us", tz="UTC")),
            "user_label": labels(students)[day.person],
            "device_label": pa.nulls(count, pa.string()),
            "network_label": np.full(count, "campus"),
            "identity_type": np.full(count, "user"),
            "verdict": np.where(generator.random(count) < 0.03, "blocked", "allowed"),
            "domain": urls()[day.url],
            "url": urls()[day.url],
            "type": np.full(count, "proxy"),
            "categories": pa.array([["Education"]] * count, pa.list_(pa.string())),
            "event_key": np.array([f"{number:064x}" for number in generator.integers(2**62, size=count)]),
        },
        schema=resource.landed_schema,
    )
    hour = (day.when - np.datetime64(on_date, "us")).astype("timedelta64[h]").astype(int)
    again = generator.random(count) < 0.005  # the next window brings them again
    for number in sorted(set(hour.tolist())):
        rows = everything.filter(pa.array((hour == number) | (again & (hour == number - 1))))
        place = At(DISTRICT, "filter", "activity")
        window = Window("file", f"{on_date}-hour-{number}")
        with WindowWriter(lake.project.lake, place, window.token, resource) as writer:
            writer.add(rows)
            file = writer.finish()
        ledger.commit_window(
            lake.project.operations, place, window, run_id="bench", namespace="umbrella", file=file, quarantined=(),
            record=Record("land", rows_in=rows.num_rows, rows_out=rows.num_rows, rows_quarantined=0), is_entity=False,
        )  # fmt: skip


def to_published(lake: Lake) -> Way:
    """Build, check and publish what is landed."""
    project = lake.project
    with pipeline.checker(project, DISTRICT) as checker:
        summary = pipeline.build(project, DISTRICT)
        results = json.loads((target_dir(project, DISTRICT) / "run_results.json").read_text())["results"]
        spent = {result["unique_id"]: result["execution_time"] for result in results}
        fact = sum(spent.get(f"model.uptake.{name}", 0.0) for name in FACT)
        tests = sum(seconds for name, seconds in spent.items() if name.startswith("test."))
        started = time.perf_counter()
        checked = pipeline.check(project, DISTRICT, by=checker)
        after_check = time.perf_counter()
        if checked.failed_critical:
            raise SystemExit(f"the day is not fit to be published: {checked.failed_critical}")
        pipeline.publish(project, DISTRICT)
        done = time.perf_counter()
    pages = time.perf_counter() - done
    candidate = seconds_of_candidate(lake)
    return Way(
        dbt=summary.dbt_seconds,
        fact=fact,
        other_models=sum(spent.values()) - fact - tests,
        tests=tests,
        around_dbt=summary.seconds - summary.dbt_startup_seconds - summary.dbt_seconds,
        candidate=candidate,
        checks=after_check - started - candidate,
        publication=done - after_check,
        dbt_startup=summary.dbt_startup_seconds,
        pages=pages,
    )


def seconds_of_candidate(lake: Lake) -> float:
    query = select(Outcome.details).where(Outcome.step == "check").order_by(Outcome.id.desc()).limit(1)
    with lake.project.operations.connect() as connection:
        return float((connection.execute(query).scalar() or {})["candidate_seconds"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--students", type=int, default=30_000)
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it")
    options = parser.parse_args()
    root = options.keep or Path(tempfile.mkdtemp(prefix="uptake-usage-day-"))
    root.mkdir(parents=True, exist_ok=True)
    try:
        lake = Lake(root)
        roster(lake)
        land_roster(lake, options.students)
        to_published(lake)
        land_day(lake, DAY - timedelta(days=1), 1, options.students)
        fixed = to_published(lake)
        land_day(lake, DAY, options.events, options.students)
        way = to_published(lake)
        by_hand, is_equal = hand_written(lake)
    finally:
        if options.keep is None:
            shutil.rmtree(root, ignore_errors=True)
    tell(fixed, way, by_hand, options.events)
    if not is_equal:
        raise SystemExit("the query and the fact differ")


def tell(fixed: Way, way: Way, by_hand: float, events: int) -> None:
    def line(what: str, seconds: float, goal: float) -> Line:
        ratio = seconds / by_hand
        return Line(
            what, f"{seconds:.1f} s", f"one query {by_hand:.1f} s", ratio, f"at most {goal:g} times", ratio <= goal
        )

    what = f"a day of {events:,} filter events"
    show(
        [
            line(f"{what}, landed to the fact", way.fact, GOAL),
            line(f"{what}, landed to published", way.published, GOAL),
            line("of that, what a batch of one event costs too", fixed.published, GOAL),
            line("of that, what the events cost", way.published - fixed.published, GOAL),
        ]
    )
    print("                                         the day   one event")
    for name, text in STAGES.items():
        print(f"  {text:38} {getattr(way, name):6.2f} s    {getattr(fixed, name):6.2f} s")


def hand_written(lake: Lake) -> tuple[float, bool]:
    files = {
        name: [
            str(lake.project.lake / row.path)
            for row in ledger.live_files(lake.project.operations, DISTRICT, source, name)
            if name != "activity" or row.window_token.startswith(f"{DAY}-")
        ]
        for source, name in (("filter", "activity"), ("sis", "users"))
    }
    query = QUERY.format(files=files["activity"], users=files["users"])
    with duckdb.connect(
        str(lake.project.warehouse(DISTRICT)),
        config={"memory_limit": "2GB", "threads": 2, "preserve_insertion_order": False},
    ) as connection:
        connection.execute("set TimeZone = 'UTC'")
        started = time.perf_counter()
        connection.execute(f"create temp table by_hand as {query}")
        seconds = time.perf_counter() - started
        columns = "student_key, tool_key, on_date, is_in_school, active_minutes, sessions, events"
        fact = f"select {columns} from marts.fct_student_tool_day where on_date = '{DAY}'"
        different = connection.execute(
            f"select count(*) from ((from by_hand except all {fact}) union all ({fact} except all from by_hand))"
        ).fetchall()
        rows = connection.execute("select count(*) from by_hand").fetchall()
    return seconds, different[0][0] == 0 and rows[0][0] > 0


if __name__ == "__main__":
    main()
