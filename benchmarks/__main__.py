"""`make bench`: every benchmark in turn, each in a process of its own, so that none warms another.

Then one table of all figures, each beside its peer and its goal. It takes some two hours."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.report import TABLE_VARIABLE, machine, table

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = (
    "roster",
    "log_file",
    "usage_day",
    "learnplatform",
    "large_day",
    "micro_batch",
    "pages",
    "viewers",
    "many_districts",
    "evidence_speed",
    "evidence_portfolio",
    "receiver",
    "soak",
)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="uptake-bench-") as folder:
        kept = Path(folder) / "lines.json"
        kept.touch()
        environment = os.environ | {TABLE_VARIABLE: str(kept)}
        failed = [
            subprocess.run(
                [sys.executable, "-m", f"benchmarks.{name}"], cwd=ROOT, env=environment, check=False
            ).returncode
            for name in BENCHMARKS
        ]
        print(f"\n{machine()}\n\n{table(kept)}")
    sys.exit(max(failed))


if __name__ == "__main__":
    main()
