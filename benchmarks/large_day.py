"""A school day of 300,000 students in three districts, 60 million filter events: landed -> published.

    python -m benchmarks.large_day [--students 100000] [--districts 3] [--at-once 2] [--per-student 200] [--keep DIR]

Rosters come over OneRoster from simulated districts, contracts from their drop folder, the day's events through
the same door as any source's. Each district is published once before, so that the day is an ordinary increment. One
district more than asked for is built by itself, beside one hand-written DuckDB query that makes the same fact from the
same files. The others are then brought to a published snapshot as the scheduler does it, each by a process of its own
(`pipeline.update`), some at once; the clock runs from the first one's start to the last one's end.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa
import yaml

from benchmarks.report import Line, show
from benchmarks.usage_day import QUERY
from uptake import pipeline
from uptake.config import District
from uptake.contracts import Batch, Window
from uptake.landing import ledger
from uptake.landing.land import land, open_door
from uptake.project import Project
from uptake.sandbox.large import LargeDay
from uptake.sandbox.running import RunningSandbox, running_sandbox
from uptake.sources.umbrella import RESOURCES, Umbrella

ACTIVITY = RESOURCES["activity"]
AFTER = datetime(2026, 4, 18, 15, 0, tzinfo=UTC)  # the Saturday: the day's week is over, and its marts are made too
DAY = date(2026, 4, 17)
ROSTER = ("orgs", "academicSessions", "courses", "classes", "users", "enrollments", "demographics")
UPDATE = """
import sys
from uptake import pipeline
from uptake.project import Project
pipeline.update(Project.load(), sys.argv[1])
"""


class Delivered(Umbrella):
    """Pieces of a day as a filter delivers them, in order of arrival."""

    def __init__(self, pieces: dict[str, pa.Table]) -> None:
        self.pieces = pieces

    def pull(self, resource: object, window: Window) -> Iterator[Batch]:
        yield Batch(self.pieces[window.token].select(ACTIVITY.schema.names).cast(ACTIVITY.schema))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--students", type=int, default=100_000, help="of each district")
    parser.add_argument("--districts", type=int, default=3)
    parser.add_argument("--per-student", type=int, default=200, help="events of the day")
    parser.add_argument("--at-once", type=int, default=2, help="districts that are updated side by side")
    parser.add_argument("--memory", type=int, default=2000, help="MB that DuckDB may use for all; beyond it, it spills")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it")
    options = parser.parse_args()
    root = options.keep or Path(tempfile.mkdtemp(prefix="uptake-large-day-"))
    root.mkdir(parents=True, exist_ok=True)
    try:
        lines = run(root, options)
    finally:
        if options.keep is None:
            shutil.rmtree(root, ignore_errors=True)
    show(lines)


def run(root: Path, options: argparse.Namespace) -> list[Line]:
    with running_sandbox(state=root / "sandbox", students=options.students, now=AFTER) as sandbox:
        os.environ |= sandbox.environment | {"UPTAKE_MEMORY_LIMIT": f"{options.memory}MB"}
        project = project_of(sandbox, root, options.districts + 1)
        os.environ["UPTAKE_CONFIG"] = str(root / "uptake.yaml")
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        for district in project.config.districts:
            pipeline.pull(project, district.id, "sis", resources=ROSTER)
            pipeline.pull(project, district.id, "registers")
            updated(district)
            pieces = dict(LargeDay(sandbox.district, DAY, per_student=options.per_student).pieces())
            started = time.perf_counter()
            events = land_pieces(project, district, pieces, now=AFTER)
            say(f"{district.id}: {events:,} events landed in {time.perf_counter() - started:.1f} s")
        alone, *others = project.config.districts
        build = timed("build", alone)
        query = hand_written(project, alone)
        say(f"{alone.id}: the same fact by one query {query:.1f} s")
        os.environ["UPTAKE_MEMORY_LIMIT"] = f"{options.memory // options.at_once}MB"
        started = time.perf_counter()
        with ThreadPoolExecutor(options.at_once) as pool:
            updates = list(pool.map(updated, others))
        whole = time.perf_counter() - started
    events = options.students * options.districts * options.per_student
    cpu = sum(update.cpu for update in updates)
    peak = max(build.peak, sum(sorted(update.peak for update in updates)[-options.at_once :]))
    return [
        Line(f"{events / 1e6:.0f} M events of {options.districts} districts, {options.at_once} at once, to published "
             f"(CPU {cpu:.0f} s)", f"{whole:.0f} s", "120 s", None, "at most 120 s", whole <= 120),
        Line("one district's build, by itself, against one query for the same fact", f"{build.seconds:.0f} s",
             f"{query:.0f} s", build.seconds / query, "at most 1.5", build.seconds / query <= 1.5),
        Line("largest processes, together", f"{peak / 2**20:.2f} GiB", "4 GiB", None, "at most 4", peak <= 4 * 2**20),
    ]  # fmt: skip


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def project_of(sandbox: RunningSandbox, root: Path, districts: int) -> Project:
    """One district of the demo's configuration, under as many names; the roster server does not mind."""
    path = sandbox.write_config(root / "uptake.yaml", state_dir=root / "var")
    config = yaml.safe_load(path.read_text())
    first = config["districts"][0]
    config["districts"] = [first | {"id": f"district{number + 1}"} for number in range(districts)]
    path.write_text(yaml.safe_dump(config))
    return Project.load(path)


# A process of its own between: a child's peak begins with that of the process that started it.
TIMED = """
import json, os, subprocess, sys, time
started = time.perf_counter()
process = subprocess.Popen([sys.executable, "-c", *sys.argv[1:]], stdout=2)
_, status, usage = os.wait4(process.pid, 0)
cpu = usage.ru_utime + usage.ru_stime
print(json.dumps([os.waitstatus_to_exitcode(status), time.perf_counter() - started, usage.ru_maxrss, cpu]))
"""


class Timed(NamedTuple):
    """peak: memory of the largest process, KiB. cpu: seconds of all cores, which other work of the machine changes
    least."""

    seconds: float
    peak: int
    cpu: float


def timed(stage: str, district: District) -> Timed:
    """One command of `uptake`, with what it starts."""
    return _timed(stage, district, "from uptake.cli import main; main()", stage, "--district")


def updated(district: District) -> Timed:
    """Build, check and publication as the scheduler makes them."""
    return _timed("update", district, UPDATE)


def _timed(what: str, district: District, *command: str) -> Timed:
    asked = [sys.executable, "-c", TIMED, *command, district.id]
    failed, *took = json.loads(subprocess.run(asked, stdout=subprocess.PIPE, check=True).stdout)
    if failed:
        raise SystemExit(f"{what} of {district.id} failed")
    timed = Timed(*took)
    say(f"{district.id}: {what} {timed.seconds:.1f} s, {timed.cpu:.1f} s of CPU, {timed.peak / 2**20:.2f} GiB")
    return timed


def land_pieces(project: Project, district: District, pieces: dict[str, pa.Table], *, now: datetime) -> int:
    """Rows landed, each piece as a window of its own."""
    door, vault = open_door(project, district)
    source, landed = Delivered(pieces), 0
    with vault:
        for token in pieces:
            landed += land(
                project, district, district.source("filter"), source, ACTIVITY, Window("file", token),
                run_id="bench", door=door, now=now,
            ).landed  # fmt: skip
    return landed


def hand_written(project: Project, district: District) -> float:
    files = {
        name: [str(project.lake / row.path) for row in ledger.live_files(project.operations, district.id, source, name)]
        for source, name in (("filter", "activity"), ("sis", "users"))
    }
    query = QUERY.format(files=files["activity"], users=files["users"])
    limits = {"memory_limit": os.environ["UPTAKE_MEMORY_LIMIT"], "threads": 2}
    with duckdb.connect(str(project.warehouse(district.id)), config=limits) as connection:
        connection.execute("set TimeZone = 'UTC'")
        started = time.perf_counter()
        connection.execute(f"create temp table by_hand as {query}")
        return time.perf_counter() - started


if __name__ == "__main__":
    main()
