"""kill -9 at random instants of a pull, then a rerun: no row lost, none twice, and nothing half-written counts."""

from __future__ import annotations

import random
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import crash_pull
import pyarrow.parquet as pq
import pytest
import ready
from fake_source import make_project
from sqlalchemy import select

from uptake.landing import ledger
from uptake.landing.land import open_door
from uptake.operations.models import Outcome
from uptake.operations.session import reading
from uptake.project import Project

ATTEMPTS = 14
SECONDS_PER_PAGE = 0.02
EXPECTED = {"people": 400, "visits": 300, "courses": 20}
BROKEN = {"people": 7, "visits": 1}


def start(folder: Path, seconds: float, source: str = "sis") -> BaseProcess:
    """A pull that has loaded its modules and is about to begin."""
    process, heard = ready.forked(crash_pull.main, folder, seconds, source)
    assert heard.recv() == "ready"
    return process


def ended(process: BaseProcess) -> int | None:
    process.join()
    return process.exitcode


def ledger_is_true(project: Project) -> None:
    """Every live file is whole and says what its row says; every window's outcome adds up."""
    for row in ledger.live_files(project.operations, "lakeside"):
        assert pq.read_metadata(project.lake / row.path).num_rows == row.row_count
    for held in ledger.quarantine_files(project.operations, "lakeside"):
        assert pq.read_metadata(project.quarantine / held.path).num_rows == held.row_count
    with reading(project.operations) as session:
        for outcome in session.scalars(select(Outcome).filter_by(step="land")):
            assert outcome.rows_in == (outcome.rows_out or 0) + (outcome.rows_quarantined or 0)


def landed(project: Project, source: str = "sis") -> dict[str, list[str]]:
    found: dict[str, list[str]] = {name: [] for name in EXPECTED}
    for row in ledger.live_files(project.operations, "lakeside", source):
        table = pq.read_table(project.lake / row.path, partitioning=None)
        found[row.resource].extend(table["id"].to_pylist())
    return found


@pytest.mark.timeout(240)
def test_killed_at_random_instants_and_run_again(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    killed, lengths = 0, [1.2]
    for _ in range(ATTEMPTS):
        process = start(tmp_path, SECONDS_PER_PAGE)
        began = time.monotonic()
        process.join(chance.uniform(0, max(lengths)))
        if process.is_alive():
            process.kill()
            killed += ended(process) == -signal.SIGKILL
        else:
            lengths.append(time.monotonic() - began)
        ledger_is_true(project)
    assert killed, f"nothing was killed (seed {seed})"

    process = start(tmp_path, 0)
    assert ended(process) == 0
    ledger_is_true(project)
    lake = {path.relative_to(project.lake).as_posix() for path in project.lake.rglob("*.*") if path.is_file()}
    assert lake == ledger.named_paths(project.operations, "lakeside", "sis"), "what the killed left was swept"
    found = landed(project)
    assert {name: len(ids) for name, ids in found.items()} == EXPECTED, f"seed {seed}"
    assert {name: len(set(ids)) for name, ids in found.items()} == EXPECTED, f"seed {seed}"
    waiting: dict[str, int] = {}
    for held in ledger.quarantine_files(project.operations, "lakeside"):
        waiting[held.resource] = waiting.get(held.resource, 0) + held.row_count
    assert waiting == BROKEN, f"seed {seed}"

    door, vault = open_door(project, project.district("lakeside"))
    with vault:
        for number in (0, 399):
            who = door.pseudonym("sis_user", f"sis-{number}")
            assert who in found["people"]
            assert vault.identifier("sis_user", who or "") == f"sis-{number}"


def test_two_sources_are_pulled_by_two_processes_at_once(tmp_path: Path) -> None:
    make_project(tmp_path)
    processes = [start(tmp_path, 0.005, source) for source in crash_pull.SOURCES for _ in range(2)]
    assert sorted(ended(process) for process in processes)[:2] == [0, 0]  # one more of each may find its source taken
    project = make_project(tmp_path)
    ledger_is_true(project)
    for source in crash_pull.SOURCES:
        found = landed(project, source)
        assert {name: len(set(ids)) for name, ids in found.items()} == EXPECTED
        assert {name: len(ids) for name, ids in found.items()} == EXPECTED
