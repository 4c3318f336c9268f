"""`make bench`: every benchmark in turn, each in a process of its own, so that none warms another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = (
    [sys.executable, "-m", "benchmarks.roster"],
    [sys.executable, "-m", "benchmarks.log_file"],
    [sys.executable, "-m", "benchmarks.usage_day"],
    [sys.executable, "-m", "benchmarks.learnplatform"],
    [sys.executable, "-m", "benchmarks.large_day"],
    [sys.executable, "-m", "benchmarks.micro_batch"],
    [sys.executable, "-m", "benchmarks.pages"],
    [sys.executable, "-m", "benchmarks.evidence_speed"],
    [sys.executable, "-m", "benchmarks.evidence_portfolio"],
    [sys.executable, "-m", "benchmarks.receiver"],
)

if __name__ == "__main__":
    failed = [subprocess.run(command, cwd=ROOT, check=False).returncode for command in BENCHMARKS]
    sys.exit(max(failed))
