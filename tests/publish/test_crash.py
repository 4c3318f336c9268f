"""kill -9 at random instants of candidate making and publication, while another process reads all the time."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

from uptake.operations.models import Snapshot
from uptake.operations.session import reading
from uptake.project import Project
from uptake.quality import summary
from uptake.quality.summary import CheckSummary
from uptake.warehouse.publish import publish_latest, read_current
from uptake.warehouse.snapshot import make_candidate

LOOP = Path(__file__).parent / "publish_loop.py"
KILLS = 6


def publish(project: Project) -> str:
    district = project.district("maple")
    candidate = make_candidate(project, district, "run")
    summary.save(CheckSummary(candidate.id, 1), candidate.path)
    return publish_latest(project, district, "run").id


def test_killed_anywhere_the_last_snapshot_stays_readable(project: Project, tmp_path: Path) -> None:
    publish(project)
    # What the seconds of a kill hit differs between machines, so the seed only spreads the kills.
    chance = random.Random(20260414)
    reader = subprocess.Popen(
        [sys.executable, LOOP, "read", tmp_path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        for _ in range(KILLS):
            with subprocess.Popen(
                [sys.executable, LOOP, "write", tmp_path], stdout=subprocess.PIPE, text=True
            ) as writer:
                assert writer.stdout is not None
                assert writer.stdout.readline() == "published\n"  # a run after a kill works at once
                time.sleep(chance.uniform(0, 0.4))
                writer.kill()
            assert reader.poll() is None, reader.communicate()[1]
    finally:
        (tmp_path / "stop").touch()
        said, errors = reader.communicate(timeout=60)
    assert reader.returncode == 0, errors
    assert int(said) > KILLS

    folder = project.published("maple")
    last = publish(project)
    current = read_current(folder)
    assert current is not None and current.id == last
    left = {path.name for path in folder.iterdir()} - {"current", "manifests"}
    assert all(name[0].isdigit() for name in left), left  # nothing half made is left behind
    with reading(project.operations) as session:
        rows = {row.id: row.status for row in session.query(Snapshot)}
    assert rows[last] == "published"
    for snapshot_id in (name for name, status in rows.items() if status == "published"):
        kept = [folder / snapshot_id / "manifest.json", folder / "manifests" / f"{snapshot_id}.json"]
        assert any(path.exists() for path in kept), snapshot_id
