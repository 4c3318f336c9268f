"""A hundred districts in one installation: how many DAGs, how long Airflow takes to read them, how large the ledger is.

    python -m benchmarks.many_districts [--districts 100] [--live-minutes 3]

Real Airflow on SQLite: `airflow dags reserialize` reads every file and writes all DAGs to its database, `airflow dags
list` shows them. The ledger's size is that of what one landed window leaves (a pull, a file, an outcome, a freshness
record), measured, times the windows of the demo's sources for as long as each is kept: OneRoster's resources each ten
minutes, the others each two, a segment each five seconds of school. Last, all DAGs are live for some minutes
(benchmarks.live_districts); --live-minutes 0 leaves that out.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import yaml
from sqlalchemy import text

from benchmarks import live_districts
from benchmarks.report import Line, show
from uptake.operations.models import Base, Freshness, LandedFile, Outcome, Pull
from uptake.operations.session import open_engine, writing
from uptake.sandbox.demo import CATALOGUE, CONFIG, demo_file

ROOT = Path(__file__).resolve().parents[1]
AIRFLOW = Path(sys.executable).parent / "airflow"
ROWS = 20_000
SCHOOL_HOURS = 8
WINDOWS_A_DAY = (
    24 * 6 * 8 + 24 * 30 * 2 + SCHOOL_HOURS * 720
)  # eight resources of the roster; two event feeds; segments
PARSE_ONE = """
import sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
assert bag.dags and not bag.import_errors, bag.import_errors
"""
# How long rows are kept, in school days: of outcomes and pulls all of a year, of the others a month.
KEPT_DAYS = {Outcome: 180, Pull: 180, LandedFile: 22, Freshness: 22}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--districts", type=int, default=100)
    parser.add_argument("--live-minutes", type=float, default=3)
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit("stopped"))  # through every `finally`
    with tempfile.TemporaryDirectory(prefix="uptake-many-districts-") as folder:
        root = Path(folder)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {
            "UPTAKE_CONFIG": str(config_of(root, options.districts)),
            "AIRFLOW_HOME": str(root / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "300",
            "PYTHONPATH": os.pathsep.join([str(ROOT / "dags"), os.environ.get("PYTHONPATH", "")]),
        }
        lines = measured(root, environment, options.districts)
        if options.live_minutes:
            lines += live_districts.measured(root, environment, options.live_minutes)
    show(lines)


def measured(root: Path, environment: dict[str, str], districts: int) -> list[Line]:
    run([AIRFLOW, "db", "migrate"], environment)
    whole = run([AIRFLOW, "dags", "reserialize"], environment)
    listed = run([AIRFLOW, "dags", "list", "-o", "plain"], environment)
    dags = sum(line.split()[0].count("__") > 0 for line in listed.said.splitlines() if line.strip())
    nothing = run([sys.executable, "-c", "import airflow.dag_processing.dagbag"], environment).cpu
    files = {
        path.name: run([sys.executable, "-c", PARSE_ONE, path], environment).cpu - nothing
        for path in sorted((ROOT / "dags").glob("*.py"))
        if path.name != "dag_support.py"
    }
    slowest = max(files, key=files.__getitem__)
    one = run([sys.executable, "-c", "from uptake.project import Project; Project.load()"], environment)
    sizes = {model: ledger_bytes(root / f"{model.__tablename__}.db", model) for model in KEPT_DAYS}
    year = sum(size * WINDOWS_A_DAY * KEPT_DAYS[model] for model, size in sizes.items())
    return [
        Line(f"DAGs of {districts} districts with 5 sources each", str(dags), f"{9 * districts} expected", None, "all",
             dags == 9 * districts),
        Line("Airflow reads all of them and writes them to its database", f"{whole.seconds:.0f} s",
             f"CPU {whole.cpu:.0f} s", None, "at most 120 s", whole.seconds <= 120),
        Line(f"the slowest file, {slowest}, of {len(files)}", f"{files[slowest]:.1f} s of CPU",
             "30 s, Airflow's own limit", None, "at most 30", files[slowest] <= 30),
        Line("configuration of all districts read, as each task does at its start", f"{one.cpu:.1f} s of CPU", "2 s",
             None, "at most 2", one.cpu <= 2),
        Line(f"ledger of one district and school year, {WINDOWS_A_DAY:,} windows a day", f"{year / 2**30:.2f} GiB",
             f"{sum(sizes.values()):.0f} bytes a window", None, "at most 1", year <= 2**30),
    ]  # fmt: skip


def config_of(root: Path, districts: int) -> Path:
    (root / CATALOGUE).write_bytes(demo_file(CATALOGUE))
    settings = yaml.safe_load(demo_file(CONFIG))
    first = settings["districts"][0]
    settings["state_dir"] = str(root / "var")
    settings["districts"] = [
        first | {"id": f"district{number:03d}", "name": f"District {number}"} for number in range(districts)
    ]
    path = root / "uptake.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


class Done(NamedTuple):
    """cpu: seconds of a command and of all that it started. said: its output."""

    seconds: float
    cpu: float
    said: str


def run(command: list[str | Path], environment: dict[str, str]) -> Done:
    before, began = psutil.Process().cpu_times(), time.monotonic()
    done = subprocess.run([str(part) for part in command], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command} failed: {done.stderr[-2000:]}")
    after = psutil.Process().cpu_times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Done(time.monotonic() - began, cpu, done.stdout)


def ledger_bytes(path: Path, model: type[Base]) -> float:
    """Of a row of the operations database, with its part of the indexes."""
    open_engine(f"sqlite:///{path}").dispose()
    empty = path.stat().st_size
    engine = open_engine(f"sqlite:///{path}")
    with writing(engine) as session:
        session.add_all(row_of(model, number) for number in range(ROWS))
    with engine.connect() as connection:
        connection.execute(text("pragma wal_checkpoint(truncate)"))
    engine.dispose()
    return (path.stat().st_size - empty) / ROWS


def row_of(model: type[Base], number: int) -> Base:
    """As a landed segment leaves it."""
    now, token = datetime.now(UTC), f"segment-20260414T1500{number:010d}Z-{number:08x}"
    place = {"district": "district000", "source": "gateway", "resource": "gateway_http"}
    folder = "district=district000/source=gateway/resource=gateway_http/day=2026-04-14"
    values: dict[type[Base], dict[str, Any]] = {
        Pull: {"mode": "incremental", "status": "good", "started_at": now, "until": now, "finished_at": now},
        LandedFile: {
            "namespace": "logpush", "window_token": token, "window_mode": "file", "landed_at": now, "row_count": 3500,
            "path": f"{folder}/{token}.0123456789abcdef.parquet", "content_hash": f"{number:064x}",
            "byte_count": 200_000,
        },
        Outcome: {
            "step": "land", "status": "good", "at": now, "seconds": 0.1, "window_token": token, "rows_in": 3500,
            "rows_out": 3500, "rows_quarantined": 0,
        },
        Freshness: {
            "snapshot_id": "20260414T150000-000000", "landed_file_id": number + 1, "row_count": 3500,
            "basis": "received", "since_at": now, "landed_at": now, "published_at": now,
        },
    }  # fmt: skip
    run = {} if model is Freshness else {"run_id": f"asset_triggered__2026-04-14T15:00:00.{number:06d}+00:00_Ab3dEf9h"}
    return model(**place, **run, **values[model])


if __name__ == "__main__":
    main()
