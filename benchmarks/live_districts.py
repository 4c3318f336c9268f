"""Airflow with the DAGs of many districts live: what its services cost, and how long after its time a task starts.

Part of benchmarks.many_districts. Airflow runs as the demo starts it: SQLite, LocalExecutor, three tasks at a time. No
source asks a network: four of a district are empty drop folders, one is an empty spool, and each is pulled hourly, as
by default. Two thirds of the time go by as any hour does, each district due at its minute; then all are due at once, as
after an outage. `registers` is due in neither, so that each publication begins and finds that it has to wait for it:
what a build costs is told by benchmarks.micro_batch.
"""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil
import yaml
from croniter import croniter
from scripts.demo import HOST, Processes, airflow_settings, import_pools, wait_for

from benchmarks.report import Line
from uptake.project import CONFIG_VARIABLE

AIRFLOW = Path(sys.executable).parent / "airflow"
SERVICES = ("api", "scheduler", "dag-processor", "triggerer")
PULL_MINUTES = 60
NEVER_DUE = "registers"
GRACE_SECONDS = 20  # what is due in the last seconds of a phase is not counted
GOAL_SECONDS = 30.0


class Spent(NamedTuple):
    """Seconds of CPU of a service's own process, and of all that it started."""

    own: float
    started: float


class Due(NamedTuple):
    """A run that came due. queued, started: seconds until its task was given to the executor, and ran; None where that
    had not come yet."""

    queued: float | None
    started: float | None


class Phase(NamedTuple):
    """spent: by each service, a minute. mib: of memory that each held at the end, what processes share counted once.
    due: runs that came due, but those of the last seconds. started_a_minute: tasks."""

    spent: dict[str, Spent]
    mib: dict[str, float]
    due: list[Due]
    started_a_minute: float

    @property
    def waited(self) -> list[float]:
        return [run.started for run in self.due if run.started is not None]


def without_network(root: Path, config: Path) -> int:
    """Change a configuration so that nothing that is due asks a network. Returns how many sources it has."""
    settings = yaml.safe_load(config.read_text())
    for district in settings["districts"]:
        del district["clock_url"]
        district["is_simulated"] = False
        sources = []
        for source in district["sources"]:
            quiet = {"kind": source["kind"]}
            if source["kind"] != "caliper":
                folder = root / "drop" / district["id"] / source["name"]
                folder.mkdir(parents=True)
                quiet = {"kind": "dropfolder", "folder": str(folder), "mappings": "registers"}
            sources.append(quiet | {"name": source["name"], "pull_every_minutes": PULL_MINUTES})
        district["sources"] = sources
    config.write_text(yaml.safe_dump(settings))
    return sum(len(district["sources"]) for district in settings["districts"])


def measured(root: Path, environment: dict[str, str], minutes: float) -> list[Line]:
    """root: a folder under which Airflow's database holds the DAGs. environment: that of its commands."""
    pulls = without_network(root, Path(environment[CONFIG_VARIABLE]))
    port = free_port()
    environment = environment | airflow_settings(root / "airflow")
    environment |= {
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{HOST}:{port}/execution/",
    }
    database = root / "airflow" / "airflow.db"
    with running(Processes(root / "logs", environment)) as processes:
        processes.start("api", AIRFLOW, "api-server")
        import_pools(processes, root / "pools.json")
        wait_for(processes, f"http://{HOST}:{port}/api/v2/monitor/health", "Airflow")
        began = datetime.now(UTC)
        processes.start("dag-processor", AIRFLOW, "dag-processor")
        processes.start("triggerer", AIRFLOW, "triggerer", "--skip-serve-logs")
        unread = "SELECT count(*) FROM dag WHERE last_parsed_time < ?"
        wait_until(lambda: ask(database, unread, written(began)) == [(0,)], "every DAG read", processes)
        reading = sum(spent(processes, "dag-processor"))
        due_as_in_any_hour(database)
        processes.start("scheduler", AIRFLOW, "scheduler", "--skip-serve-logs")
        up = "SELECT count(*) FROM job WHERE job_type = 'SchedulerJob' AND state = 'running'"
        wait_until(lambda: ask(database, up) == [(1,)], "a scheduler", processes)
        hour = phase(processes, database, minutes * 60 * 2 / 3)
        flood = phase(processes, database, minutes * 60 / 3, begin=due_at_once)
    return [*lines_of_any_hour(hour, reading), *lines_of_flood(flood, pulls)]


def lines_of_any_hour(hour: Phase, reading: float) -> list[Line]:
    if not hour.due:
        raise SystemExit("no run came due: give it more --live-minutes, or more districts")
    cost = {name: hour.spent[name].own + hour.spent[name].started for name in SERVICES}
    cost["scheduler"] = hour.spent["scheduler"].own  # what it started are the tasks
    cpu, held_mib, started = sum(cost.values()), sum(hour.mib.values()), len(hour.waited)
    p50, p95 = (float(wait) for wait in np.quantile(hour.waited or [np.inf], [0.5, 0.95], method="higher"))
    queued = np.median([run.queued for run in hour.due if run.queued is not None] or [np.inf])
    delay = f"from a run's time to its task's start (after {queued:.1f} s it is the executor's)"
    return [
        Line(f"a minute of Airflow's services with all DAGs live: {listed(cost, 's')}", f"{cpu:.1f} s of CPU",
             f"{reading:.0f} s for reading all files once", None, "at most 30 s", cpu <= 30),
        Line(f"their memory: {listed(hour.mib, 'MiB')}", f"{held_mib:.0f} MiB", "2048 MiB", None, "at most 2048",
             held_mib <= 2048),
        Line("runs due as in any hour that were started", str(started), f"{len(hour.due)} due", None, "all",
             started == len(hour.due) > 0),
        Line(delay, f"p50 {p50:.1f} s, p95 {p95:.1f} s", f"{GOAL_SECONDS:g} s", None,
             f"p95 at most {GOAL_SECONDS:g} s", p95 <= GOAL_SECONDS),
    ]  # fmt: skip


def lines_of_flood(flood: Phase, pulls: int) -> list[Line]:
    rate, asked = flood.started_a_minute, 2 * pulls / PULL_MINUTES
    if not rate:
        raise SystemExit("no task was started: give it more --live-minutes")
    one = flood.spent["scheduler"].started / rate
    whole = sum(sum(spent) for spent in flood.spent.values()) / rate
    behind = f"{len(flood.due)} due at once: the last after some {len(flood.due) / rate:.0f} minutes"
    return [
        Line(f"tasks started a minute ({behind})", f"{rate:.0f}",
             f"{asked:.1f} asked for by a pull and a publication of each source an hour", rate / asked, "at least 1",
             rate >= asked),
        Line("a task that finds nothing new", f"{one:.1f} s of CPU, {whole:.1f} s with the services' part",
             f"{60 * (os.cpu_count() or 1) / whole:.0f} a minute, had they all cores to themselves", None,
             "at most 5", one <= 5),
    ]  # fmt: skip


def listed(figures: dict[str, float], unit: str) -> str:
    return ", ".join(f"{name} {figure:.{0 if figure >= 10 else 1}f} {unit}" for name, figure in figures.items())


@contextmanager
def running(processes: Processes) -> Iterator[Processes]:
    """Every process is ended, also when this one is told to stop."""
    try:
        yield processes
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        processes.stop()


def free_port() -> int:
    with socket.socket() as free:
        free.bind((HOST, 0))
        return int(free.getsockname()[1])


def wait_until(has_come: Callable[[], bool], what: str, processes: Processes, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not has_come():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not come within {seconds:.0f} s: {last_words(processes)}")
        time.sleep(0.5)


def last_words(processes: Processes) -> str:
    return "\n".join(log.read_text()[-1000:] for log in sorted(processes.logs.glob("*.log")))


def phase(
    processes: Processes, database: Path, seconds: float, begin: Callable[[Path], None] = lambda database: None
) -> Phase:
    began = datetime.now(UTC)
    begin(database)
    before = {name: spent(processes, name) for name in SERVICES}
    time.sleep(seconds)
    ended = datetime.now(UTC)
    after = {name: spent(processes, name) for name in SERVICES}
    if name := processes.ended():
        raise SystemExit(f"{name} ended: {last_words(processes)}")
    minutes = (ended - began) / timedelta(minutes=1)
    a_minute = {
        name: Spent(*((late - early) / minutes for late, early in zip(after[name], before[name], strict=True)))
        for name in SERVICES
    }
    mib = {name: sum(held(process) for process in family(processes, name)) / 2**20 for name in SERVICES}
    due = due_between(database, began, ended - timedelta(seconds=GRACE_SECONDS))
    tasks = ask(database, "SELECT count(*) FROM task_instance WHERE start_date >= ?", written(began))[0][0]
    return Phase(a_minute, mib, due, tasks / minutes)


def family(processes: Processes, name: str) -> list[psutil.Process]:
    """A service's own process, and all that it started and that live."""
    own = psutil.Process(processes.running[name].pid)
    return [own, *own.children(recursive=True)]


def spent(processes: Processes, name: str) -> Spent:
    """By a service since its start. Of processes that ended the one that waited for them holds the sum."""
    own, *others = [times_of(process) for process in family(processes, name)]
    return Spent(own[0], own[1] + sum(sum(other) for other in others))


def times_of(process: psutil.Process) -> tuple[float, float]:
    """Seconds of CPU of a process, and of those that it started and that have ended."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0, 0.0
    return times.user + times.system, times.children_user + times.children_system


def held(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.NoSuchProcess:
        return 0


def ask(database: Path, query: str, *values: object) -> list[Any]:
    """Airflow's own database, which its processes write meanwhile."""
    with closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        return connection.execute(query, values).fetchall()


def written(moment: datetime) -> str:
    """As Airflow writes times."""
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}"


def read(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


def due_as_in_any_hour(database: Path) -> None:
    """As in an installation that has been up for long: each DAG's next run is at its next time."""
    now = datetime.now(UTC)
    scheduled = ask(database, "SELECT dag_id, timetable_summary FROM dag WHERE next_dagrun IS NOT NULL")
    set_due(
        database,
        {
            dag: croniter(cron, now).get_next(datetime) if is_live(dag) else now + timedelta(hours=1)
            for dag, cron in scheduled
        },
    )


def due_at_once(database: Path) -> None:
    now = datetime.now(UTC)
    set_due(database, {dag: now for (dag,) in ask(database, "SELECT dag_id FROM dag") if is_live(dag)})


def is_live(dag: str) -> bool:
    return dag.startswith("ingest__") and not dag.endswith(f"__{NEVER_DUE}")


def set_due(database: Path, moments: dict[str, datetime]) -> None:
    change = (
        "UPDATE dag SET next_dagrun = :at, next_dagrun_data_interval_start = :at, next_dagrun_data_interval_end = :at,"
        " next_dagrun_create_after = :at WHERE dag_id = :dag"
    )
    with closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        connection.executemany(change, [{"dag": dag, "at": written(moment)} for dag, moment in moments.items()])


def due_between(database: Path, began: datetime, ended: datetime) -> list[Due]:
    """Runs of that time, by the clock or by a renewed asset; those too that the scheduler has not made yet."""
    span = (written(began), written(ended))
    rows = ask(
        database,
        "SELECT run_after, queued_dttm, task_instance.start_date FROM dag_run JOIN task_instance USING (dag_id, run_id)"
        " WHERE run_after BETWEEN ? AND ? UNION ALL"
        " SELECT next_dagrun_create_after, NULL, NULL FROM dag WHERE next_dagrun_create_after BETWEEN ? AND ?",
        *span, *span,
    )  # fmt: skip

    def after(due: datetime, text: str | None) -> float | None:
        moment = read(text)
        return (moment - due).total_seconds() if moment else None

    return [Due(after(due, queued), after(due, started)) for text, queued, started in rows if (due := read(text))]
