"""A simulated school day of filter events, landed, built into fct_student_tool_day, against one hand-written query.

    python benchmarks/usage_day.py [--events 2000000] [--students 30000]

The hand-written query reads the same Parquet files and gives the same rows (compared at the end). dbt's start-up is
reported apart. The models' time includes what the query does not make: unmatched use, the tests, every other model.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "warehouse"))
from lake import DISTRICT, Lake, at, enrollment, roster, user

from uptake.contracts import Window
from uptake.landing import ledger
from uptake.landing.ledger import At, Record
from uptake.landing.writer import WindowWriter
from uptake.sources.registry import warehouse_resources
from uptake.warehouse.dbt import build_warehouse, target_dir

USAGE = (
    "int_local_quarter",
    "int_usage_address",
    "int_usage_person",
    "int_usage_event",
    "int_usage_person_day",
    "fct_student_tool_day",
)

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


def land_day(lake: Lake, events: int, students: int, seed: int = 7) -> None:
    """Events of one Tuesday, 06:00 to 20:00 local, in windows of an hour; about 1 in 200 arrives twice."""
    generator = np.random.default_rng(seed)
    labels = np.array([f"{number:032x}" for number in generator.integers(2**62, size=students)])
    urls = np.array(
        ["mathgym.example", "app.mathgym.example", "docs.bigco.example/document", "docs.bigco.example/forms"]
        + [f"site{number}.example" for number in range(400)]
    )
    shares = np.r_[[0.15, 0.05, 0.15, 0.05], np.full(400, 0.6 / 400)]
    # people browse in bouts: a start for each bout, and small steps inside it
    bouts = events // 40
    person = np.repeat(generator.integers(students, size=bouts), 40)
    start = np.repeat(generator.normal(6 * 3600, 2.5 * 3600, size=bouts).clip(0, 13 * 3600), 40)
    step = generator.exponential(45, size=(bouts, 40)).cumsum(axis=1).ravel()
    when = np.datetime64("2026-03-03T12:00:00", "us") + ((start + step) * 1e6).astype("timedelta64[us]")
    url = generator.choice(len(urls), p=shares, size=len(person))
    users = [
        user(f"{number:032x}", "03" if number % 2 else "04", "north" if number % 2 else "south", email=str(label))
        for number, label in enumerate(labels[: int(students * 0.97)])
    ]
    base = {"status": "active", "dateLastModified": at("2025-08-01T12:00:00")}
    lake.land("oneroster", "users", [base | row for row in users])
    lake.land(
        "oneroster",
        "enrollments",
        [enrollment(f"e{row['sourcedId']}", row["sourcedId"], row["primaryOrg_sourcedId"]) for row in users],
    )
    resource = warehouse_resources()["umbrella", "activity"]
    keys = np.array([f"{number:064x}" for number in generator.integers(2**62, size=len(person))])
    everything = pa.table(
        {
            "timestamp": pa.array(when).cast(pa.timestamp("us", tz="UTC")),
            "user_label": labels[person],
            "device_label": pa.nulls(len(person), pa.string()),
            "network_label": np.full(len(person), "campus"),
            "identity_type": np.full(len(person), "user"),
            "verdict": np.where(generator.random(len(person)) < 0.03, "blocked", "allowed"),
            "domain": urls[url],
            "url": urls[url],
            "type": np.full(len(person), "proxy"),
            "categories": pa.array([["Education"]] * len(person), pa.list_(pa.string())),
            "event_key": keys,
        },
        schema=resource.landed_schema,
    )
    hour = (when - np.datetime64("2026-03-03T00:00:00", "us")).astype("timedelta64[h]").astype(int)
    again = generator.random(len(person)) < 0.005  # the next window brings them again
    for number in sorted(set(hour.tolist())):
        rows = everything.filter(pa.array((hour == number) | (again & (hour == number - 1))))
        place = At(DISTRICT, "filter", "activity")
        window = Window("file", f"hour-{number}")
        with WindowWriter(lake.project.lake, place, window.token, resource) as writer:
            writer.add(rows)
            file = writer.finish()
        ledger.commit_window(
            lake.project.operations, place, window, run_id="bench", namespace="umbrella", file=file, quarantined=(),
            record=Record("land", rows_in=rows.num_rows, rows_out=rows.num_rows, rows_quarantined=0), is_entity=False,
        )  # fmt: skip


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
        build_warehouse(lake.project, DISTRICT)  # an empty year: the day below is then an ordinary increment
        land_day(lake, options.events, options.students)
        summary = build_warehouse(lake.project, DISTRICT)
        results = json.loads((target_dir(lake.project, DISTRICT) / "run_results.json").read_text())["results"]
        seconds = {result["unique_id"].split(".")[2]: result["execution_time"] for result in results}
        models = sum(seconds.get(name, 0.0) for name in USAGE)
        by_hand, is_equal = hand_written(lake)
    finally:
        if options.keep is None:
            shutil.rmtree(root, ignore_errors=True)
    print(f"machine: {platform.processor() or platform.machine()}, {os.cpu_count()} cores, DuckDB {duckdb.__version__}")
    print(f"events: {options.events:,}, students: {options.students:,}, same rows: {is_equal}")
    print(f"hand-written query        {by_hand:6.2f} s")
    print(f"models behind the fact    {models:6.2f} s   ratio {models / by_hand:.2f}")
    print(f"whole build without dbt's start-up {summary.seconds - summary.dbt_startup_seconds:.2f} s")
    print(f"dbt's start-up            {summary.dbt_startup_seconds:6.2f} s")
    for name in USAGE:
        print(f"  {name:24} {seconds.get(name, 0.0):6.2f} s")
    if not is_equal:
        raise SystemExit("the query and the fact differ")


def hand_written(lake: Lake) -> tuple[float, bool]:
    files = {
        name: [
            str(lake.project.lake / row.path)
            for row in ledger.live_files(lake.project.operations, DISTRICT, source, name)
        ]
        for source, name in (("filter", "activity"), ("sis", "users"))
    }
    query = QUERY.format(files=files["activity"], users=files["users"])
    with duckdb.connect(
        str(lake.project.warehouse(DISTRICT)), config={"memory_limit": "2GB", "threads": 2}
    ) as connection:
        connection.execute("set TimeZone = 'UTC'")
        started = time.perf_counter()
        connection.execute(f"create temp table by_hand as {query}")
        seconds = time.perf_counter() - started
        columns = "student_key, tool_key, on_date, is_in_school, active_minutes, sessions, events"
        fact = f"select {columns} from marts.fct_student_tool_day"
        different = connection.execute(
            f"select count(*) from ((from by_hand except all {fact}) union all ({fact} except all from by_hand))"
        ).fetchall()
        rows = connection.execute("select count(*) from by_hand").fetchall()
    return seconds, different[0][0] == 0 and rows[0][0] > 0


if __name__ == "__main__":
    main()
