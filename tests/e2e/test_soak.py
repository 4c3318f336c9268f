"""The soak of benchmarks/soak.py for a few seconds: kills of runs and receiver, a full disk, faults of the vendors."""

from __future__ import annotations

import shutil
import socket
import sys
from pathlib import Path

import pytest
from whole_way import WholeWay

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.soak import DISK_FULL, KILLED, Plan, soak_on

SECONDS = 6  # of load; the runs that it meets take longer


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_nothing_is_lost_or_twice_and_readers_always_read(whole_way: WholeWay, tmp_path: Path) -> None:
    whole_way.project.operations.dispose()
    shutil.copytree(whole_way.project.state_dir, tmp_path / "var")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    plan = Plan(SECONDS, events_per_second=400, history_days=49, runs_killed=1.0, compares_with_a_clean_build=False)
    try:
        found = soak_on(whole_way.sandbox, tmp_path, plan, port=port)
    finally:
        whole_way.sandbox.mend()

    assert found.landed == found.sent.good > SECONDS * 100, found.sent
    assert found.sent.broken <= found.quarantined <= found.sent.broken * 2, found.sent
    assert found.unaccounted == 0
    assert {run.fault for run in found.runs} >= {None, KILLED} and found.receiver_kills > 0, found.runs
    assert found.unexplained() == [], f"{found.runs}; see runs.log in {tmp_path}"
    assert found.runs[-1].fault is None and found.runs[-1].code == 0, found.runs
    assert found.unreadable == [] and found.reads > 2 and found.snapshots >= 2
    assert DISK_FULL not in {run.fault for run in found.runs} or found.sent.refused > 0
