"""What each benchmark prints: the figure, its peer, their ratio beside the goal, and the machine."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

TABLE_VARIABLE = "UPTAKE_BENCH_TABLE"  # a file to which every benchmark adds its lines


@dataclass(frozen=True, slots=True)
class Line:
    """ratio: ours against the peer, as `goal` counts it (rows per second: higher is better; seconds: lower)."""

    what: str
    ours: str
    peer: str
    ratio: float | None
    goal: str
    is_met: bool


def machine() -> str:
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in _read("/proc/cpuinfo").splitlines()
            if line.lower().startswith("model name")
        ),
        platform.processor() or platform.machine(),
    )
    memory = next((int(line.split()[1]) for line in _read("/proc/meminfo").splitlines() if "MemTotal" in line), 0)
    return f"{os.cpu_count()} cores ({model}), {memory / 2**20:.0f} GiB, Python {platform.python_version()}"


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123  a kernel's file
            return file.read()
    except FileNotFoundError:
        return ""


def show(lines: list[Line]) -> None:
    keep(lines)
    print(machine())
    for line in lines:
        ratio = f", ratio {line.ratio:.2f}" if line.ratio is not None else ""
        verdict = "met   " if line.is_met else "MISSED"
        print(f"{verdict}  {line.what}: {line.ours} against {line.peer}{ratio} (goal {line.goal})")


def keep(lines: Sequence[Line]) -> None:
    """Add the lines to the table of all benchmarks, where one is wanted."""
    if path := os.environ.get(TABLE_VARIABLE):
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(asdict(line)) + "\n" for line in lines)


def table(path: Path) -> str:
    """Markdown: every figure that was kept, beside its peer and its goal."""
    lines = [Line(**json.loads(text)) for text in path.read_text(encoding="utf-8").splitlines()]
    rows = [("", "figure", "beside", "ratio", "goal", "")]
    for line in lines:
        ratio = f"{line.ratio:.2f}" if line.ratio is not None else ""
        rows.append((line.what, line.ours, line.peer, ratio, line.goal, "met" if line.is_met else "MISSED"))
    rows.insert(1, tuple("---" for _ in rows[0]))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
