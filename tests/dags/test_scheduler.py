"""The demo, small, through the real Airflow scheduler: sandbox -> DAGs -> published snapshot -> every process ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from sqlalchemy import create_engine, text

ROOT = Path(__file__).resolve().parents[2]
SHIFT = 21_000  # ports of its own, beside a demo that may be running


@pytest.mark.timeout(420)
def test_a_run_through_the_scheduler_publishes_and_leaves_no_process(tmp_path):
    environment = os.environ | {"UPTAKE_STATE_DIR": str(tmp_path)}
    for name in ("AIRFLOW_HOME", "PYTHONDONTWRITEBYTECODE", "UPTAKE_CONFIG"):
        environment.pop(name, None)
    demo = [
        sys.executable,
        ROOT / "scripts" / "demo.py",
        "--until-published",
        "--size",
        "small",
        "--shift-ports",
        str(SHIFT),
    ]
    done = subprocess.run(demo, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400)
    logs = "\n".join(path.read_text()[-1500:] for path in sorted((tmp_path / "logs").glob("*.log")))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{logs}"
    assert "Ready after" in done.stdout

    published = tmp_path / "published" / "riverbend"
    snapshot = (published / "current").read_text().strip()
    manifest = json.loads((published / snapshot / "manifest.json").read_text())
    assert manifest["is_simulated"] is True
    assert manifest["data_complete_through"] >= "2026-04-13"

    operations = create_engine(f"sqlite:///{tmp_path / 'operations' / 'uptake.db'}")
    with operations.connect() as connection:
        runs = connection.execute(
            text("SELECT DISTINCT step FROM outcome WHERE status <> 'failed' AND run_id LIKE 'asset_triggered__%'")
        ).scalars()
        assert {"build", "check", "publish"} <= set(runs), "published by the DAG that the assets started"
        unequal = connection.execute(
            text("SELECT count(*) FROM outcome WHERE step = 'land' AND rows_in <> rows_out + rows_quarantined")
        ).scalar()
        assert unequal == 0

    left = [
        process.info["cmdline"]
        for process in psutil.process_iter(["cmdline", "environ"])
        if str(tmp_path) in " ".join((process.info["environ"] or {}).values()) and process.pid != os.getpid()
    ]
    assert left == []
