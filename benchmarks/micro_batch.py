"""A batch of five minutes after one day of history, and the same after 180: does its cost follow the batch?

    python -m benchmarks.micro_batch [--students 500] [--days 1 30 90 180] [--batches 3] [--csv docs/scale.csv]

One district's history grows day by day into the past. After so many days it is built, checked and published, which is
timed; then batches of one morning are landed one after the other, and for each the commands build, check and publish
are timed, as the scheduler runs them. `--csv` keeps what was measured; `scripts/plot_scale.py` draws it.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from benchmarks.large_day import ROSTER, land_pieces, project_of, say, timed
from benchmarks.report import Line, machine, show
from uptake import pipeline
from uptake.config import District
from uptake.operations.models import LandedFile
from uptake.operations.session import reading
from uptake.project import Project
from uptake.sandbox.large import LargeDay
from uptake.sandbox.running import running_sandbox
from uptake.warehouse.publish import current_snapshot

TODAY = date(2026, 4, 14)
NOW = datetime(2026, 4, 14, 17, 0, tzinfo=UTC)
FIRST_BATCH = "20260414T1500"  # ten in the morning
STAGES = ("build", "check", "publish")
GOAL = 1.2


@dataclass(frozen=True, slots=True)
class Measured:
    """After `days` of history: events and bytes held, seconds of the history's own build, check and publication, and
    medians of a batch's: seconds, and of CPU, which other work of the machine changes least."""

    days: int
    events: int
    lake_bytes: int
    warehouse_bytes: int
    snapshot_bytes: int
    history_seconds: float
    batch_events: float
    batch_build: float
    batch_check: float
    batch_publish: float
    batch_cpu: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--students", type=int, default=500)
    parser.add_argument("--per-student", type=int, default=200, help="events of a school day")
    parser.add_argument("--days", type=int, nargs="+", default=[1, 30, 90, 180], help="calendar days of history")
    parser.add_argument("--batches", type=int, default=3)
    parser.add_argument("--csv", type=Path, help="write what was measured here")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it, for benchmarks.viewers")
    options = parser.parse_args()
    root = options.keep or Path(tempfile.mkdtemp(prefix="uptake-micro-batch-"))
    root.mkdir(parents=True, exist_ok=True)
    try:
        found = measure(root, options.students, options.per_student, sorted(options.days), options.batches)
    finally:
        if options.keep is None:
            shutil.rmtree(root, ignore_errors=True)
    if options.csv:
        write(found, options.csv, options.students)
    show(report(found))


def report(found: Sequence[Measured]) -> list[Line]:
    short, long = found[0], found[-1]
    what = {"batch_cpu": "seconds of CPU"} | {f"batch_{stage}": stage for stage in STAGES}
    lines = []
    for name, words in what.items():
        ours, theirs = getattr(long, name), getattr(short, name)
        title = f"five-minute batch, {words}, after {long.days} days"
        peer = f"{theirs:.1f} s after {short.days}"
        lines.append(Line(title, f"{ours:.1f} s", peer, ours / theirs, f"at most {GOAL}", ours <= GOAL * theirs))
    held = long.events / 1e6
    sizes = {"lake": long.lake_bytes, "warehouse": long.warehouse_bytes, "one snapshot": long.snapshot_bytes}
    said = ", ".join(f"{name} {size / held / 2**20:.1f}" for name, size in sizes.items())
    return [*lines, Line(f"MiB for each million of {held:.1f} M events", said, "60 in the lake", None, "at most 60",
                         long.lake_bytes / held <= 60 * 2**20)]  # fmt: skip


def measure(root: Path, students: int, per_student: int, days: Sequence[int], batches: int) -> list[Measured]:
    """What was measured after each number of `days`, which is in order."""
    with running_sandbox(state=root / "sandbox", students=students, now=NOW) as sandbox:
        os.environ |= sandbox.environment | {"UPTAKE_CONFIG": str(root / "uptake.yaml")}
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        project = project_of(sandbox, root, 1)
        district = project.config.districts[0]
        pipeline.pull(project, district.id, "sis", resources=ROSTER)
        pipeline.pull(project, district.id, "registers")
        today = dict(LargeDay(sandbox.district, TODAY, per_student=per_student).pieces(minutes=5))
        waiting = sorted(today)
        early = [name for name in waiting if name < FIRST_BATCH]
        land_pieces(project, district, {name: today[name] for name in early}, now=NOW)
        waiting = waiting[len(early) :]
        found, held = [], 0
        for wanted in days:
            for back in range(held + 1, wanted + 1):
                on = TODAY - timedelta(days=back)
                pieces = LargeDay(sandbox.district, on, per_student=per_student).pieces(minutes=24 * 60)
                # What arrived on the days after is theirs by its name, and would take the place of what they landed.
                land_pieces(project, district, {f"{on}-{name}": piece for name, piece in pieces}, now=NOW)
            held = wanted
            history_seconds = sum(timed(stage, district).seconds for stage in STAGES)
            took: dict[str, list[float]] = {stage: [] for stage in STAGES}
            sizes, cpu = [], []
            for name in waiting[:batches]:
                sizes.append(today[name].num_rows)
                land_pieces(project, district, {name: today[name]}, now=NOW)
                one = {stage: timed(stage, district) for stage in STAGES}
                for stage, spent in one.items():
                    took[stage].append(spent.seconds)
                cpu.append(sum(spent.cpu for spent in one.values()))
            waiting = waiting[batches:]
            median = {f"batch_{stage}": statistics.median(seconds) for stage, seconds in took.items()}
            median |= {"batch_events": statistics.median(sizes), "batch_cpu": statistics.median(cpu)}
            found.append(Measured(wanted, *_held(project, district), history_seconds, **median))
            say(f"after {wanted} days: {found[-1]}")
    return found


def _held(project: Project, district: District) -> tuple[int, int, int, int]:
    """Events that count; bytes of their files, of the warehouse, and of the snapshot that is up."""
    with reading(project.operations) as session:
        live = (LandedFile.district == district.id, LandedFile.source == "filter", LandedFile.superseded_at.is_(None))
        events, size = session.execute(
            select(func.sum(LandedFile.row_count), func.sum(LandedFile.byte_count)).where(*live)
        ).one()
    snapshot = current_snapshot(project, district.id)
    assert snapshot is not None
    published = sum(path.stat().st_size for path in snapshot.path.rglob("*") if path.is_file())
    return events, size, project.warehouse(district.id).stat().st_size, published


def write(found: Sequence[Measured], path: Path, students: int) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        file.write(f"# python -m benchmarks.micro_batch --students {students}, {date.today()}, {machine()}\n")
        out = csv.DictWriter(file, [field.name for field in fields(Measured)])
        out.writeheader()
        out.writerows({name: round(value, 2) for name, value in asdict(one).items()} for one in found)


if __name__ == "__main__":
    main()
