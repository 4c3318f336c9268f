"""Each service's own entry point, run natively from the compose file's words.

Its command, its environment, its secrets by file, its health check: only paths and ports of containers are exchanged.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import postgres

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
BIN = ROOT / ".venv" / "bin"
SERVICES = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
HEALTHY_WITHIN_SECONDS = 150


def stage_environment(target: str) -> dict[str, str]:
    """ENV of the image's stages, as the Dockerfile sets them."""
    text = (DOCKER / "Dockerfile").read_text()
    found: dict[str, str] = {}
    for stage in ("base", target):
        body = re.search(rf"AS {stage}\n(.*?)(?=^FROM|\Z)", text, re.M | re.S).group(1)
        for block in re.findall(r"^ENV (.+?)(?<!\\)$", body, re.M | re.S):
            found |= dict(word.split("=", 1) for word in block.replace("\\\n", " ").split())
    return found


class Machine:
    """What the containers have, on this machine: folders for volumes and secrets, free ports, a PostgreSQL."""

    def __init__(self, folder: Path, database: str, operations: str) -> None:
        secrets = folder / "secrets"
        script = folder / "make-secrets.sh"
        script.write_text((DOCKER / "make-secrets.sh").read_text())
        subprocess.run(["sh", str(script)], check=True, capture_output=True)
        (secrets / "airflow_database_url").write_text(database)
        (secrets / "operations_url").write_text(operations)
        ports = {port: free_port() for port in ("8080", "8501", "8502", "8710", "8720", "8974", "8793")}
        self.folder = folder
        self.exchange = {
            "/opt/uptake": str(ROOT),
            "/var/lib/uptake": str(folder / "state"),
            "/var/lib/airflow": str(folder / "airflow"),
            "/etc/uptake": str(ROOT / "src" / "uptake" / "sandbox" / "data"),
            "/run/secrets": str(secrets),
            "//sandbox:": "//127.0.0.1:",
            "//airflow-api:": "//127.0.0.1:",
            "0.0.0.0": "127.0.0.1",
        } | {rf"(?<![0-9]){port}(?![0-9])": str(free) for port, free in ports.items()}
        self.ports = ports
        for name in ("state", "airflow"):
            (folder / name).mkdir()

    def native(self, text: str) -> str:
        for there, here in self.exchange.items():
            text = re.sub(there, here, text) if there.startswith("(?<") else text.replace(there, here)
        return text

    def environment(self, service: dict) -> dict[str, str]:
        inside = stage_environment(service["build"]["target"]) | service.get("environment", {})
        inside.pop("PATH", None)
        inside = {name: re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", value) for name, value in inside.items()}
        outside = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AIRFLOW", "UPTAKE")) and name != "PYTHONDONTWRITEBYTECODE"
        }
        return (
            outside
            | {name: self.native(value) for name, value in inside.items()}
            | {
                "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
                # Ports that a container has to itself, and that two services of one machine would fight for.
                "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(self.ports["8974"]),
                "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(self.ports["8793"]),
            }
        )

    def command(self, words: list[str]) -> list[str]:
        return [str(DOCKER / "entrypoint.sh"), *(self.native(word) for word in words)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def machine(tmp_path_factory, postgres_server) -> Machine:
    folder = tmp_path_factory.mktemp("compose")
    machine = Machine(folder, postgres.new_database(postgres_server), postgres.new_database(postgres_server))
    init = SERVICES["airflow-init"]
    done = subprocess.run(
        machine.command(init["command"]), env=machine.environment(init), capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return machine


@contextmanager
def running(machine: Machine, name: str) -> Iterator[subprocess.Popen[bytes]]:
    service = SERVICES[name]
    log = machine.folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            machine.command(service["command"]),
            env=machine.environment(service),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=ROOT,
        )
    try:
        yield process
    finally:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            members = [pid for pid in psutil.pids() if _session(pid) == process.pid]
            for pid in members:
                try:
                    os.kill(pid, sign)
                except ProcessLookupError:
                    continue
            psutil.wait_procs([psutil.Process(pid) for pid in members if psutil.pid_exists(pid)], timeout=10)
        process.wait()


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def wait_until_healthy(machine: Machine, name: str, process: subprocess.Popen[bytes]) -> None:
    service = SERVICES[name]
    kind, *words = service["healthcheck"]["test"]
    assert kind == "CMD"
    deadline = time.monotonic() + HEALTHY_WITHIN_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, (machine.folder / f"{name}.log").read_text()[-3000:]
        asked = subprocess.run(
            machine.command(words), env=machine.environment(service), capture_output=True, timeout=60
        )
        if asked.returncode == 0:
            return
        time.sleep(1)
    raise AssertionError(f"{name} is not healthy: {(machine.folder / f'{name}.log').read_text()[-3000:]}")


def test_init_makes_the_pools_and_the_operations_database(machine):
    from sqlalchemy import create_engine, inspect, text

    secrets = machine.folder / "secrets"
    airflow = create_engine((secrets / "airflow_database_url").read_text())
    with airflow.connect() as connection:
        pools = dict(connection.execute(text("SELECT pool, slots FROM slot_pool")).all())
    assert pools["warehouse_riverbend"] == 1
    operations = create_engine((secrets / "operations_url").read_text())
    assert {"landed_file", "outcome", "snapshot"} <= set(inspect(operations).get_table_names())
    for engine in (airflow, operations):
        engine.dispose()


@pytest.mark.parametrize("name", ["sandbox", "dashboard", "data-docs", "receiver"])
def test_service_starts_and_is_healthy(machine, name):
    (machine.folder / "state" / "data_docs").mkdir(exist_ok=True)
    with running(machine, name) as process:
        wait_until_healthy(machine, name, process)


def test_the_airflow_services_start_together_and_find_the_dags(machine):
    from sqlalchemy import create_engine, text

    with (
        running(machine, "airflow-api") as api,
        running(machine, "airflow-dag-processor") as processor,
        running(machine, "airflow-scheduler") as scheduler,
    ):
        wait_until_healthy(machine, "airflow-api", api)
        wait_until_healthy(machine, "airflow-scheduler", scheduler)
        wait_until_healthy(machine, "airflow-dag-processor", processor)
        airflow = create_engine((machine.folder / "secrets" / "airflow_database_url").read_text())
        deadline = time.monotonic() + 60
        found: set[str] = set()
        while time.monotonic() < deadline and "publish__riverbend" not in found:
            with airflow.connect() as connection:
                found = set(connection.execute(text("SELECT dag_id FROM dag")).scalars())
            time.sleep(1)
        with airflow.connect() as connection:
            errors = connection.execute(text("SELECT stacktrace FROM import_error")).scalars().all()
        airflow.dispose()
        assert {"publish__riverbend", "backfill__riverbend", "ingest__riverbend__sis"} <= found
        assert errors == []
