"""Builds a district's warehouse: prepare, dbt in a process of its own, and what it says when it fails.

dbt is a subprocess because DuckDB's file lock then ends with it, however it ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from uptake.config import District
from uptake.errors import PermanentError, TransientError
from uptake.project import Project
from uptake.warehouse import prepare as preparation
from uptake.warehouse.dbt_project import DECIDING, dbt_project_dir, project_digest
from uptake.warehouse.prepare import Work

MEMORY_VARIABLE = "UPTAKE_MEMORY_LIMIT"
DEFAULT_MEMORY = "2GB"
LOCK_WAIT_SECONDS = 600.0
UNCHANGED = "UNCHANGED"  # what dbt_project/macros/made.sql answers for a model that it leaves as it is

# Tables of the touched dates only.
LOOKUPS = (
    "base_umbrella__repeated",
    "int_local_quarter",
    "int_usage_address",
    "int_usage_person",
    "int_usage_lane_day",
    "int_tool_report",
    "int_tool_reported_day",
)
# A pass over more dates, and the last pass: then also whatever reads the facts, and the weeks.
DATES_ONLY = (
    *LOOKUPS,
    "config.incremental_strategy:replace_dates",
    "config.incremental_strategy:replace_summary_dates",
)
DATES_AND_ALL_THAT_READS_THEM = (
    *(f"{name}+" for name in LOOKUPS),
    "source:landing.touched_date+",
    "source:landing.touched_summary_date+",
    "source:landing.touched_week+",
)


WATCH_SECONDS = 0.25
# `12 of 99 START sql table model marts.dim_tool ... [RUN]`, and the same with how it ended.
_NODE = re.compile(r"^\S+ +(\d+) of (\d+) (\w+) (?:.* )?([^\s.]\S*) +\.*\s*\[")


class Steps(Protocol):
    """Told of a build's or a check's advance: `done` of `total` are done, and what is being worked at."""

    def __call__(self, done: int, total: int, now: str) -> None: ...


class BuildError(PermanentError):
    """A model or a test of the warehouse failed. The published snapshot stays as it is."""


@dataclass(slots=True)
class BuildSummary:
    """seconds: all of it. dbt_seconds: from the beginning of dbt's first model or test to the end of the last, several
    at a time. dbt_startup_seconds: what dbt needs before and after, for its own import, parse and bookkeeping.

    models, unchanged: how many were made, and how many were looked at and left as they are.
    passes: how often dbt ran; more than once for many events, and when the roster made unknown people known.
    nothing_new: no file, setting or record had changed since the last good build, and no model ran.
    """

    seconds: float = 0.0
    dbt_seconds: float = 0.0
    dbt_startup_seconds: float = 0.0
    models: int = 0
    unchanged: int = 0
    tests: int = 0
    touched_dates: int = 0
    passes: int = 0
    nothing_new: bool = False
    warnings: list[str] = field(default_factory=list)


def build_warehouse(
    project: Project,
    district: District | str,
    *,
    full_refresh: bool = False,
    run_id: str = "",
    progress: Steps | None = None,
) -> BuildSummary:
    """Bring the district's warehouse up to its landed files. Returns at once when there is nothing new.

    progress: is told of each model and test, pass by pass.

    Raises BuildError naming the model and its message, TransientError while another build is writing.
    """
    district = project.district(district) if isinstance(district, str) else district
    memory = os.environ.get(MEMORY_VARIABLE, DEFAULT_MEMORY)
    started = time.monotonic()
    summary = BuildSummary()
    with _alone(project, district) as lock:
        work = preparation.prepare(
            project,
            district,
            models_signature=project_digest(dbt_project_dir(), DECIDING),
            full_refresh=full_refresh,
            memory_limit=memory,
        )
        if work.is_nothing:
            summary.nothing_new = True
        else:
            _run(
                project,
                district,
                summary,
                lock,
                select=_selection(work),
                with_views=work.is_everything or work.has_new_shapes,
                full_refresh=work.full_refresh,
                progress=progress,
            )
            passes = preparation.remaining_passes(project, district, work, memory)
            for number, (dates, weeks) in enumerate(passes, start=1):
                preparation.touch(project, district, work, dates, weeks, memory)
                _run(
                    *(project, district, summary, lock),
                    select=DATES_AND_ALL_THAT_READS_THEM if number == len(passes) else DATES_ONLY,
                    with_views=False,
                    full_refresh=False,
                    progress=progress,
                )
            if passes:
                preparation.finish(work, memory)
        summary.touched_dates = len(work.dates)
    summary.seconds = time.monotonic() - started
    return summary


def target_dir(project: Project, district_id: str) -> Path:
    """dbt's manifest, partial parse and run results of a district."""
    return project.state_dir / "dbt" / district_id / "target"


def run_dbt(
    project: Project,
    district: District,
    arguments: Sequence[str],
    *,
    pass_fds: Sequence[int] = (),
    progress: Steps | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """`dbt <arguments>` on the district's warehouse; its output goes to dbt.log beside the target folder.

    progress: is told what that log says. dbt writes to the file itself: it may outlive whoever started it.
    """
    target = target_dir(project, district.id)
    target.mkdir(parents=True, exist_ok=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {
        "UPTAKE_WAREHOUSE": str(project.warehouse(district.id)),
        MEMORY_VARIABLE: os.environ.get(MEMORY_VARIABLE, DEFAULT_MEMORY),
        "DBT_PROFILES_DIR": str(dbt_project_dir()),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    command = [
        *(sys.executable, "-m", "uptake.warehouse.dbt_process"),
        # A debug log is a tenth of its time. What it says on its output is kept, and the SQL is in target/compiled.
        *("--no-use-colors", "--log-level-file", "none"),
        *arguments,
        *("--project-dir", str(dbt_project_dir()), "--target-path", str(target)),
    ]
    with (target.parent / "dbt.log").open("wb") as log, _told(Path(log.name), progress):
        return subprocess.run(
            command, env=environment, stdout=log, stderr=subprocess.STDOUT, pass_fds=tuple(pass_fds), check=False
        )


@contextmanager
def _told(log: Path, progress: Steps | None) -> Iterator[None]:
    """Tell, from a thread of its own, what is written to the log in this context."""
    if progress is None:
        yield
        return
    is_over = threading.Event()

    def watch() -> None:
        with log.open("rb") as said:
            while not is_over.wait(WATCH_SECONDS):
                tell_steps(said, progress)
            tell_steps(said, progress)

    thread = threading.Thread(target=watch, name="dbt.log", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def tell_steps(log: BinaryIO, progress: Steps) -> None:
    """Tell what dbt has written to its log since the last look. Half a line is left for the next."""
    for line in log:
        if not line.endswith(b"\n"):
            log.seek(-len(line), os.SEEK_CUR)
            return
        if found := _NODE.match(line.decode(errors="replace")):
            number, total, word, name = found.groups()
            progress(int(number) - (word == "START"), int(total), name.rpartition(".")[2])


def _run(
    project: Project,
    district: District,
    summary: BuildSummary,
    lock: int,
    *,
    select: Sequence[str],
    with_views: bool,
    full_refresh: bool,
    progress: Steps | None,
) -> None:
    results = target_dir(project, district.id) / "run_results.json"
    results.unlink(missing_ok=True)
    arguments = ["build", "--exclude-resource-type", "unit_test"]
    arguments += ["--full-refresh"] if full_refresh else []
    arguments += ["--select", *select] if select else []
    # A view is the same for as long as its SQL and the columns that it reads are, whatever its rows.
    arguments += [] if with_views else ["--exclude", "config.materialized:view"]
    started = time.monotonic()
    done = run_dbt(project, district, arguments, pass_fds=[lock], progress=progress)
    seconds = time.monotonic() - started
    log = target_dir(project, district.id).parent / "dbt.log"
    if not results.exists() and done.returncode == 0:  # no model reads what changed
        return
    if not results.exists():
        last = log.read_text(errors="replace").rpartition("Encountered an error:")[2]
        raise BuildError(
            f"dbt could not start: {' '.join(last.split())[-600:]}",
            district=district.id,
            remedy=f"read {log}.",
        )
    said = json.loads(results.read_text())
    found = said["results"]
    failed = [result for result in found if result["status"] in ("error", "fail", "runtime error")]
    if failed or done.returncode != 0:
        raise _error(failed, district, log)
    summary.passes += 1
    models = [result for result in found if result["unique_id"].startswith(("model.", "seed."))]
    unchanged = sum(result.get("message") == UNCHANGED for result in models)
    summary.models += len(models) - unchanged
    summary.unchanged += unchanged
    summary.tests += sum(result["unique_id"].startswith("test.") for result in found)
    summary.warnings += [_said(result) for result in found if result["status"] == "warn"]
    at_work = _seconds_at_work(found)
    summary.dbt_seconds += at_work
    summary.dbt_startup_seconds += max(0.0, seconds - at_work)


def _seconds_at_work(found: Sequence[dict[str, Any]]) -> float:
    """From the first node's beginning to the last one's end; dbt's own count has its look at the catalogue in it."""
    times = [part for result in found for part in result["timing"]]
    if not times:
        return 0.0
    first = min(datetime.fromisoformat(part["started_at"]) for part in times)
    last = max(datetime.fromisoformat(part["completed_at"]) for part in times)
    return (last - first).total_seconds()


def _error(failed: Sequence[dict[str, Any]], district: District, log: Path) -> BuildError:
    if not failed:
        return BuildError("dbt ended with an error", district=district.id, remedy=f"read {log}.")
    first = failed[0]
    others = f" ({len(failed) - 1} more failed)" if len(failed) > 1 else ""
    is_test = first["unique_id"].startswith("test.")
    return BuildError(
        f"{_said(first)}{others}",
        district=district.id,
        model=first["unique_id"].split(".")[2],
        remedy=(
            f"the test's own text says how to resolve it; the rows are found with its SQL in {log.parent}."
            if is_test
            else f"mend the model or its input, then build again; the whole log is {log}."
        ),
    )


def _said(result: dict[str, Any]) -> str:
    name = result["unique_id"].split(".")[2]
    message = str(result.get("message") or result["status"]).partition("\n  > in macro")[0]
    return f"{name}: {' '.join(message.split())}"


def _selection(work: Work) -> list[str]:
    """The models that read, through however many others, something that changed; none named: every model.

    A micro-batch of events then leaves the roster's models alone, and its cost follows the batch.
    """
    if work.is_everything:
        return []
    return [f"source:{name}+" for name in sorted(work.sources)]


@contextmanager
def _alone(project: Project, district: District) -> Iterator[int]:
    """The build's lock; dbt inherits it, so a dbt that outlives a killed build is waited for too."""
    folder = project.state_dir / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"build.{district.id}").open("w") as file:
        until = time.monotonic() + LOCK_WAIT_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > until:
                    raise TransientError(
                        "another build of this district is running",
                        district=district.id,
                        remedy="wait for it to end; the lock frees itself with its process.",
                    ) from error
                time.sleep(0.5)
        yield file.fileno()
