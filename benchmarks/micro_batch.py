"""A batch of five minutes after one day of history, and the same batch after 180: does its cost follow the batch?

    python -m benchmarks.micro_batch [--students 1000] [--days 180] [--batches 3]

Each history is landed and built first. Then batches of the next morning are landed one after the other, and for each
the commands build, check and publish are timed, as the scheduler runs them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from benchmarks.large_day import ROSTER, STAGES, land_pieces, project_of, say, timed
from benchmarks.report import Line, show
from uptake import pipeline
from uptake.sandbox.large import LargeDay
from uptake.sandbox.running import running_sandbox

TODAY = date(2026, 4, 14)
NOW = datetime(2026, 4, 14, 17, 0, tzinfo=UTC)
FIRST_BATCH = "20260414T1500"  # ten in the morning


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--students", type=int, default=1000)
    parser.add_argument("--per-student", type=int, default=200, help="events of a school day")
    parser.add_argument("--days", type=int, default=180, help="calendar days of the long history")
    parser.add_argument("--batches", type=int, default=3)
    options = parser.parse_args()
    short, long = (history(days, options) for days in (1, options.days))
    lines = [
        Line(f"five-minute batch, {stage}, after {options.days} days", f"{long[stage]:.1f} s", f"{short[stage]:.1f} s",
             long[stage] / short[stage], "at most 1.2", long[stage] <= 1.2 * short[stage])
        for stage in ("all", *STAGES)
    ]  # fmt: skip
    show(lines)


def history(days: int, options: argparse.Namespace) -> dict[str, float]:
    """Median seconds of each stage of a batch, and of all together, after `days` of history."""
    root = Path(tempfile.mkdtemp(prefix=f"uptake-micro-batch-{days}-"))
    try:
        with running_sandbox(state=root / "sandbox", students=options.students, now=NOW) as sandbox:
            os.environ |= sandbox.environment | {"UPTAKE_CONFIG": str(root / "uptake.yaml")}
            os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
            project = project_of(sandbox, root, 1)
            district = project.config.districts[0]
            pipeline.pull(project, district.id, "sis", resources=ROSTER)
            pipeline.pull(project, district.id, "registers")
            for back in range(days, 0, -1):
                day = LargeDay(sandbox.district, TODAY - timedelta(days=back), per_student=options.per_student)
                land_pieces(project, district, dict(day.pieces(minutes=24 * 60)), now=NOW)
            for stage in STAGES:
                timed(stage, district)
            batches = dict(LargeDay(sandbox.district, TODAY, per_student=options.per_student).pieces(minutes=5))
            found: dict[str, list[float]] = {stage: [] for stage in ("all", *STAGES)}
            for name in sorted(batches)[: sorted(batches).index(FIRST_BATCH) + options.batches]:
                land_pieces(project, district, {name: batches[name]}, now=NOW)
                if name < FIRST_BATCH:  # what came before ten o'clock is built with the first batch
                    continue
                took = {stage: timed(stage, district)[0] for stage in STAGES}
                found["all"].append(sum(took.values()))
                for stage, seconds in took.items():
                    found[stage].append(seconds)
                say(f"after {days} days: {batches[name].num_rows:,} events, {took}")
            return {stage: statistics.median(seconds) for stage, seconds in found.items()}
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
