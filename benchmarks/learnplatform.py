"""The whole LearnPlatform set (188 districts, 13.3 million rows): files -> landed -> built, in seconds and peak memory.

python -m benchmarks.learnplatform        # the set lies in ../shared/data/learnplatform, or UPTAKE_LEARNPLATFORM_DIR
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import Line, show

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "examples" / "learnplatform" / "uptake.yaml"
GOAL_SECONDS = 60
GOAL_GIB = 3.0


def run() -> list[Line]:
    with tempfile.TemporaryDirectory() as state:
        environment = os.environ | {"UPTAKE_STATE_DIR": state, "UPTAKE_CONFIG": str(CONFIG)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        seconds: dict[str, float] = {}
        for step in ("pull", "build"):
            started = time.perf_counter()
            subprocess.run(
                [Path(sys.executable).parent / "uptake", step], env=environment, check=True, stdout=subprocess.DEVNULL
            )
            seconds[step] = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    total = sum(seconds.values())
    parts = ", ".join(f"{step} {value:.0f} s" for step, value in seconds.items())
    return [
        Line(
            "LearnPlatform, whole set, landed and built", f"{total:.0f} s ({parts})", f"{GOAL_SECONDS} s",
            total / GOAL_SECONDS, f"at most {GOAL_SECONDS} s", total <= GOAL_SECONDS,
        ),
        Line(
            "LearnPlatform, largest process", f"{peak:.2f} GiB", f"{GOAL_GIB:g} GiB",
            peak / GOAL_GIB, f"at most {GOAL_GIB:g} GiB", peak <= GOAL_GIB,
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    show(run())
