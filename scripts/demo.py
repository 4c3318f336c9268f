"""`make demo`: the simulated district, Airflow and the dashboard, on this machine only, until Ctrl-C.

Every process it starts runs in a session of its own and is ended by that session's id, since Airflow's processes leave
children behind when they are told to stop. All state lies under var/, so a second start resumes.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import psutil
from sqlalchemy import select
from sqlalchemy.orm import Session

from uptake.operations.models import Outcome
from uptake.project import CONFIG_VARIABLE, Project
from uptake.receiver import keys
from uptake.sandbox.credentials import connection_environment
from uptake.sandbox.demo import CONFIG, STUDIES, demo_file, write_demo

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
HOST = "127.0.0.1"
PUSHED_SOURCE, SENSOR = "labbench", "simulated LabBench"
PORTS = {"sandbox": 8710, "airflow": 8080, "dashboard": 8501, "data docs": 8502, "receiver": 8720}
PUBLISH_WITHIN_SECONDS = 900


def say(text: str) -> None:
    print(f"{datetime.now():%H:%M:%S}  {text}", flush=True)


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


class Processes:
    """Children, each in a session of its own, with a log file; `stop` ends whole sessions."""

    def __init__(self, logs: Path, environment: dict[str, str]) -> None:
        self.logs = logs
        self.environment = environment
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, *command: str | Path) -> None:
        with (self.logs / f"{name.replace(' ', '_')}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [str(part) for part in command],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, name: str, *command: str | Path) -> None:
        """Run a short command to its end; its output goes to the log."""
        with (self.logs / f"{name}.log").open("ab") as log:
            done = subprocess.run(
                [str(part) for part in command], cwd=ROOT, env=self.environment, stdout=log, stderr=subprocess.STDOUT
            )
        if done.returncode:
            raise SystemExit(f"{name} failed; see {shown(self.logs / (name + '.log'))}")

    def ended(self) -> str | None:
        return next((name for name, process in self.running.items() if process.poll() is not None), None)

    def stop(self) -> None:
        sessions = {process.pid for process in self.running.values()}
        for sign, patience in ((signal.SIGTERM, 8.0), (signal.SIGKILL, 3.0)):
            for pid in _members(sessions):
                _signal(pid, sign)
            deadline = time.monotonic() + patience
            while _members(sessions) and time.monotonic() < deadline:
                for process in self.running.values():
                    process.poll()  # reap
                time.sleep(0.1)


def _members(sessions: set[int]) -> list[int]:
    found = []
    for pid in psutil.pids():
        try:
            if os.getsid(pid) in sessions and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def _signal(pid: int, sign: int) -> None:
    try:
        os.kill(pid, sign)
    except ProcessLookupError:
        return


def airflow_settings(home: Path) -> dict[str, str]:
    """Airflow on SQLite, on loopback, small: four processes at most do the district's work."""
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "3",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",  # loopback only: no password to print or lose
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{HOST}:{PORTS['airflow']}/execution/",
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(PORTS["airflow"]),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "60",
        # A changed file is read at the next look; one that stands still need not be read every half minute, as by
        # default: five files at 0.8 s of CPU each are an eighth of a core.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
        # What a Ctrl-C cut short is taken up again soon after the next start, not after Airflow's five minutes.
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "20",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "40",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
    }


@contextmanager
def until_stopped(processes: Processes) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    # SIGINT too: Python leaves it ignored where whoever started it had done so, as shells do for what they put aside.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), stop)
    try:
        yield
    except KeyboardInterrupt:
        print(flush=True)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        say("Stopping everything ...")
        processes.stop()
        say("Stopped. Run `make demo` again to go on where it was; `make clean` forgets it all.")


def wait_for(processes: Processes, url: str, what: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (name := processes.ended()) is not None:
            raise SystemExit(f"{name} ended early; its log is in {shown(processes.logs)}")
        try:
            with urlopen(url, timeout=2):
                return
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.3)
    raise SystemExit(f"{what} did not answer at {url} within {seconds:.0f} s")


def require_free_ports() -> None:
    for name, port in PORTS.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                raise SystemExit(
                    f"port {port} ({name}) is taken: another demo may be running; stop it, then try again"
                ) from None


def start_sender(project: Project) -> None:
    """Give the simulated tool that pushes its events a key of its own; the key of an earlier run ends."""
    district = project.config.districts[0].id
    for row in keys.listed(project, district):
        if row.sensor == SENSOR and row.revoked_at is None:
            keys.revoke(project, row.id)
    key = keys.add(project, district, PUSHED_SOURCE, SENSOR)
    url = f"http://{HOST}:{PORTS['receiver']}"
    body = json.dumps({"url": f"{url}/caliper/{district}", "key": key.token}).encode()
    with urlopen(Request(f"http://{HOST}:{PORTS['sandbox']}/_sandbox/sender", data=body), timeout=10):
        pass


def report_progress(project: Project, seen: int) -> int:
    """Say what each finished step did, once; what landed, as a line a source. Returns the last outcome told."""
    query = select(Outcome).where(Outcome.id > seen).order_by(Outcome.id)
    with Session(project.operations) as session:
        rows = list(session.scalars(query))
    landed: dict[str, list[int]] = {}
    for row in rows:
        seen = row.id
        if row.status == "failed":
            say(f"{row.step} of {row.source} {row.resource} failed: {row.message}".replace(" * *", ""))
        elif row.step == "land":
            counts = landed.setdefault(row.source, [0, 0])
            counts[0] += row.rows_out or 0
            counts[1] += row.rows_quarantined or 0
        elif row.step in ("build", "check", "publish"):
            say(f"{row.step} done in {row.seconds:.0f} s")
    for source, (out, held_back) in landed.items():
        if out or held_back:
            say(f"{source}: {out:,} rows landed" + (f", {held_back:,} in quarantine" if held_back else ""))
    return seen


def import_pools(processes: Processes, file: Path) -> None:
    """Give Airflow the district's pools. The file stands at its name only once they are there."""
    beside = file.with_name("pools.new.json")
    made = subprocess.run(
        [sys.executable, ROOT / "scripts" / "airflow_pools.py"],
        env=processes.environment,
        check=True,
        capture_output=True,
        text=True,
    )
    beside.write_text(made.stdout)
    processes.run("airflow_pools", BIN / "airflow", "pools", "import", beside)
    beside.replace(file)


def run_studies(processes: Processes, folder: Path) -> None:
    """Plan the district's two studies, run what is due; the next snapshot shows them. Nothing is due a second time."""
    folder.mkdir(exist_ok=True)
    for name in STUDIES:
        (folder / name).write_bytes(demo_file(name))
        processes.run("studies", BIN / "uptake", "study", "plan", folder / name)
    processes.run("studies", BIN / "uptake", "study", "due")
    say("Two studies are on record; the next snapshot shows them on Impact and Value.")


def last_outcome(project: Project) -> int:
    with project.operations.connect() as connection:
        return connection.execute(select(Outcome.id).order_by(Outcome.id.desc()).limit(1)).scalar() or 0


def data_through(pointer: Path) -> str:
    manifest = json.loads((pointer.parent / pointer.read_text().strip() / "manifest.json").read_text())
    return str(manifest["data_complete_through"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--until-published", action="store_true", help="stop once the first snapshot is up (for tests)")
    parser.add_argument("--size", default="demo", help="size of the simulated district: small, demo")
    parser.add_argument("--shift-ports", type=int, default=0, metavar="N", help="add N to each port")
    arguments = parser.parse_args()
    for name in PORTS:
        PORTS[name] += arguments.shift_ports
    # The demo's own configuration reads these, so a shifted demo finds its own district and its own state.
    os.environ.setdefault("UPTAKE_SANDBOX_URL", f"http://{HOST}:{PORTS['sandbox']}")

    began = time.monotonic()
    require_free_ports()
    write_demo(ROOT / "demo", force=True)
    config = ROOT / "demo" / CONFIG
    project = Project.load(config)
    state = project.state_dir
    os.environ.setdefault("UPTAKE_DROP_DIR", str(state / "sandbox" / "drop"))
    environment = (
        {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        | airflow_settings(state / "airflow")
        | connection_environment()
        | {
            CONFIG_VARIABLE: str(config),
            "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}",
            "UPTAKE_DASHBOARD_MODE": "demo",
            "UPTAKE_DATA_DOCS_URL": f"http://{HOST}:{PORTS['data docs']}",
        }
    )
    processes = Processes(state / "logs", environment)
    with until_stopped(processes):
        say(f"Everything lives under {shown(state)}/; Ctrl-C ends it all.")
        say("Starting the simulated district (three vendors' protocols) ...")
        processes.start(
            "sandbox",
            BIN / "uptake",
            "sandbox",
            "serve",
            "--size",
            arguments.size,
            "--port",
            str(PORTS["sandbox"]),
            "--state",
            state / "sandbox",
            "--speed",
            "120",
            "--drop",
            os.environ["UPTAKE_DROP_DIR"],
        )
        processes.run("init", BIN / "uptake", "init", "--config", config)
        seen = last_outcome(project)

        pools = state / "airflow" / "pools.json"
        if is_first_start := not pools.exists():
            say("Preparing Airflow's database (first start only) ...")
            processes.run("airflow_migrate", BIN / "airflow", "db", "migrate")
        wait_for(processes, f"http://{HOST}:{PORTS['sandbox']}/_sandbox/clock", "the simulated district")
        say("Starting Airflow, the dashboard and the data docs ...")
        # Not all at once, as `airflow standalone` does: a run that is due at once would fail for want of the API.
        processes.start("airflow api", BIN / "airflow", "api-server")
        processes.start(
            "dashboard",
            BIN / "streamlit",
            "run",
            ROOT / "dashboard" / "app.py",
            "--server.port",
            str(PORTS["dashboard"]),
            "--server.address",
            HOST,
            "--server.headless",
            "true",
            "--browser.gatherUsageStats",
            "false",
        )
        project.data_docs.mkdir(parents=True, exist_ok=True)
        processes.start(
            "data docs",
            sys.executable,
            "-m",
            "http.server",
            str(PORTS["data docs"]),
            "--bind",
            HOST,
            "--directory",
            project.data_docs,
        )
        port = str(PORTS["receiver"])
        processes.start("receiver", BIN / "uptake", "receive", "--config", config, "--port", port)
        if is_first_start:  # while the others start: only the scheduler needs the pools
            import_pools(processes, pools)
        wait_for(processes, f"http://{HOST}:{PORTS['airflow']}/api/v2/monitor/health", "Airflow")
        wait_for(processes, f"http://{HOST}:{port}/health", "the receiver")
        start_sender(project)
        for part, *options in (("scheduler",), ("dag-processor",), ("triggerer", "--skip-serve-logs")):
            processes.start(f"airflow {part}", BIN / "airflow", part, *options)
        district = project.config.districts[0]
        pointer = project.published(district.id) / "current"
        if pointer.exists():
            say(f"Going on from the last run: data through {data_through(pointer)}.")
        else:
            say("Its DAGs will pull, build, check and publish; the first round takes a few minutes.")
        while not pointer.exists():
            if time.monotonic() - began > PUBLISH_WITHIN_SECONDS:
                raise SystemExit(f"nothing was published in time; see {shown(processes.logs)}")
            if (name := processes.ended()) is not None:
                raise SystemExit(f"{name} ended early; its log is in {shown(processes.logs)}")
            seen = report_progress(project, seen)
            time.sleep(3)
        seen = report_progress(project, seen)
        wait_for(processes, f"http://{HOST}:{PORTS['dashboard']}/_stcore/health", "the dashboard")
        say(f"Ready after {time.monotonic() - began:.0f} s.")
        print(
            f"""
    Dashboard   http://{HOST}:{PORTS["dashboard"]}        look at Home first, then Value: a licence nobody uses
    Airflow     http://{HOST}:{PORTS["airflow"]}        the DAGs: ingest, publish, backfill
    Data docs   http://{HOST}:{PORTS["data docs"]}        every check, for an auditor
    Receiver    http://{HOST}:{PORTS["receiver"]}        takes pushed events: docs/receiver.md
    Simulated district: new events keep arriving, and "data through" moves by itself. Ctrl-C ends it all.
""",
            flush=True,
        )
        if arguments.until_published:
            return
        run_studies(processes, state / "studies")
        published = pointer.read_text()
        while (name := processes.ended()) is None:
            time.sleep(2)
            if (now := pointer.read_text()) != published:
                published = now
                say(f"New snapshot: data through {data_through(pointer)}.")
        raise SystemExit(f"{name} ended; its log is in {shown(processes.logs)}")


if __name__ == "__main__":
    main()
