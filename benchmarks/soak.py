"""The whole of it for half an hour, with everything going wrong: is nothing lost, nothing twice, and does nothing grow?

    python -m benchmarks.soak [--minutes 30] [--events-per-second 700] [--students 2000] [--seed N]

700 filter events a second are the pace of one of the three large districts (20 million in a school day of eight hours),
pushed to a real receiver as Cloudflare's log push sends them. Beside that, a simulated district serves roster, LMS and
filter, which are pulled. One `uptake run` after another pulls, builds, checks and publishes, as cron would.

Meanwhile: runs are killed with SIGKILL at a random moment (the command itself, dbt, or the checker), the receiver too;
vendors throttle, answer 500, serve rows twice and late; senders send again; one record in a thousand is broken; the
disk is full for a while, for the receiver (its reserve) and for a whole run (RLIMIT_FSIZE: every write beyond fails).
The last third is left in peace but for the load, so that growth would show.
"""

from __future__ import annotations

import argparse
import gzip
import os
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import httpx
import numpy as np
import orjson
import psutil
import yaml
from sqlalchemy import func, select

from benchmarks.report import Line, show
from uptake import pipeline
from uptake.errors import UptakeError
from uptake.freshness import recent_p95
from uptake.landing import ledger
from uptake.operations.models import Outcome, QuarantineFile
from uptake.operations.session import reading
from uptake.project import Project
from uptake.receiver import keys
from uptake.sandbox.running import RunningSandbox, running_sandbox
from uptake.warehouse.publish import read_current

UPTAKE = Path(sys.executable).parent / "uptake"
DISTRICT, PUSHED = "riverbend", "gateway"
MORNING = datetime(2026, 4, 14, 14, 0, tzinfo=UTC)  # nine o'clock at school
LINES_AT_ONCE = 500
BROKEN, AGAIN, LATE = 1000, 200, 100  # one record in so many
FULL_DISK_BYTES = 256 * 1024  # no file may grow beyond
WITHOUT_ROOM = "without-room.yaml"
USUAL_SECONDS = 15.0  # until a run has been measured
KILLED, DISK_FULL = "killed", "disk full"
VENDOR_FAULTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("umbrella/activity", "throttle", {"times": 2}),
    ("canvas/*", "throttle", {"times": 3, "status": 403}),
    ("oneroster/*", "error500", {"times": 2}),
    ("umbrella/activity", "duplicate", {"share": 0.05, "times": 20}),
    ("canvas/page_views", "late", {"share": 0.05, "times": 20}),
    ("umbrella/activity", "truncate", {"times": 1}),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """seconds: of load. runs_killed: share of the runs that are killed while there are faults. seed: of all chances."""

    seconds: float
    students: int = 2000
    events_per_second: int = 700
    history_days: int = 3
    runs_killed: float = 0.4
    seed: int = 1
    compares_with_a_clean_build: bool = True


@dataclass(slots=True)
class Sent:
    """What the receiver acknowledged. bodies_again: requests that had to be sent more than once."""

    good: int = 0
    broken: int = 0
    requests: int = 0
    bodies_again: int = 0
    refused: int = 0  # answers 503 and 429


@dataclass(slots=True)
class Run:
    """An `uptake run`: what was done to it, its exit code, seconds, and the most memory (MiB) of all its processes."""

    fault: str | None
    code: int
    seconds: float
    peak: float


@dataclass(slots=True)
class Found:
    """What came of it all. unequal: rows of the facts that a clean build makes otherwise (None: not asked)."""

    sent: Sent
    landed: int = 0
    quarantined: int = 0
    unaccounted: int = 0
    unequal: int | None = None
    facts: int = 0
    runs: list[Run] = field(default_factory=list)
    receiver_kills: int = 0
    receiver_memory: list[float] = field(default_factory=list)  # MiB, once a second, since its last start
    receiver_files: list[int] = field(default_factory=list)
    reads: int = 0
    unreadable: list[str] = field(default_factory=list)
    snapshots: int = 0
    p95: float = 0.0

    def unexplained(self) -> list[Run]:
        """Runs that a person would have had to act upon, although nothing was done to them."""
        return [run for run in self.runs if run.fault is None and run.code not in (0, 75)]


class Sender(threading.Thread):
    """Sends at a steady pace, each request again and again until a 2xx came."""

    def __init__(self, url: str, token: str, emails: Sequence[str], plan: Plan) -> None:
        super().__init__(name="sender", daemon=True)
        self.sent = Sent()
        self._url, self._emails, self._plan = url, emails, plan
        self._headers = {"Authorization": f"Bearer {token}", "Content-Encoding": "gzip"}
        self._chance = np.random.default_rng(plan.seed)
        self._is_over = threading.Event()
        self._earlier: bytes | None = None

    def finish(self) -> None:
        """Return when everything that was begun is acknowledged."""
        self._is_over.set()
        self.join(120)
        if self.is_alive():
            raise SystemExit("the sender found no receiver at the end")

    def run(self) -> None:
        number, began = 0, time.monotonic()
        with httpx.Client(timeout=10, headers=self._headers) as client:
            while not self._is_over.is_set():
                lines = [self._line(one) for one in range(number, number + LINES_AT_ONCE)]
                broken = sum(line is None for line in lines)
                body = [line or b'{"Datetime": "%d"}' % (number + place) for place, line in enumerate(lines)]
                if self._earlier is not None:
                    body.append(self._earlier)  # an event that was sent before, and counts once
                self._earlier = next((line for line in lines if line), None) if self._chance.random() < 0.5 else None
                self._deliver(client, gzip.compress(b"\n".join(body), compresslevel=1))
                self.sent.good += LINES_AT_ONCE - broken
                self.sent.broken += broken
                number += LINES_AT_ONCE
                time.sleep(max(0.0, began + number / self._plan.events_per_second - time.monotonic()))

    def _deliver(self, client: httpx.Client, body: bytes) -> None:
        tries = 0
        while True:
            tries += 1
            try:
                status = client.post(self._url, content=body).status_code
            except httpx.TransportError:
                status = 0
            if status == 200:
                break
            self.sent.refused += status in (429, 503)
            if status not in (0, 429, 503):
                raise SystemExit(f"the receiver answered {status}")
            time.sleep(0.1)
        self.sent.requests += 1
        self.sent.bodies_again += tries > 1

    def _line(self, number: int) -> bytes | None:
        """A record of Cloudflare's gateway, one of its own for each number; None where a broken one is to be sent."""
        if number % BROKEN == BROKEN - 1:
            return None
        at = MORNING + timedelta(seconds=number / self._plan.events_per_second)
        if number % LATE == LATE - 1:
            at -= timedelta(days=1)
        host = f"tool{self._chance.integers(300)}.example" if number % 3 else "suite.quillworks.example"
        record = {
            "Datetime": f"{at:%Y-%m-%dT%H:%M:%SZ}",
            "Email": self._emails[self._chance.integers(len(self._emails))],
            "URL": f"https://{host}/write/a?q={number}",
            "HTTPHost": host,
            "Action": "allow",
            "RequestID": f"{number:032x}",
        }
        return orjson.dumps(record)


class Receiver:
    """The receiver's process: watched once a second, and killed and started again."""

    def __init__(self, config: Path, port: int, log: Path) -> None:
        self._config, self._port, self._log = config, port, log
        self.kills = 0
        self.memory: list[float] = []
        self.files: list[int] = []
        self._process = self._started(config)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self.kills += 1
        self._process = self._started(self._config)

    def full_disk(self, seconds: float) -> None:
        """For so long a receiver that has no room, after a kill and before one."""
        self._process.kill()
        self._process.wait()
        self._process = self._started(self._config.with_name(WITHOUT_ROOM), is_full=True)
        time.sleep(seconds)
        self.kill()

    def watch(self) -> None:
        process = psutil.Process(self._process.pid)
        self.memory.append(process.memory_info().rss / 2**20)
        self.files.append(process.num_fds())

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)

    def _started(self, config: Path, *, is_full: bool = False) -> subprocess.Popen[bytes]:
        self.memory.clear()
        self.files.clear()
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [UPTAKE, "receive", "--config", config, "--port", str(self._port)], stdout=log, stderr=log
            )
        for _ in range(600):
            try:
                if httpx.get(f"{self.url}/health", timeout=1).status_code == (503 if is_full else 200):
                    return process
            except httpx.TransportError:
                time.sleep(0.05)
        raise SystemExit(f"the receiver does not answer; see {self._log}")


class Reader(threading.Thread):
    """Opens the snapshot that is up, as the dashboard does, twice a second."""

    def __init__(self, project: Project) -> None:
        super().__init__(name="reader", daemon=True)
        self._folder = project.published(DISTRICT)
        self.reads, self.seen, self.unreadable = 0, set[str](), list[str]()
        self.is_over = threading.Event()

    def run(self) -> None:
        is_last = False
        while not is_last:
            is_last = self.is_over.wait(0.5)
            try:
                snapshot = read_current(self._folder)
                if snapshot is None:
                    continue
                with snapshot.open("leaders") as connection:
                    connection.execute("select count(*) from mart_source_health").fetchall()
                with snapshot.open("restricted") as connection:
                    connection.execute("select sum(events) from fct_student_tool_day").fetchall()
                self.reads += 1
                self.seen.add(snapshot.id)
            except (UptakeError, duckdb.Error, OSError, ValueError) as error:
                self.unreadable.append(f"{type(error).__name__}: {error}")


def _usual_seconds(found: Found) -> float:
    """What a run takes that nothing is done to."""
    return statistics.median([run.seconds for run in found.runs if run.fault is None] or [USUAL_SECONDS])


def uptake_run(config: Path, fault: str | None, dies_after: float) -> Run:
    """One `uptake run`. KILLED: SIGKILL, after so many seconds, to it or to a process that it started."""
    began = time.monotonic()
    with config.with_name("runs.log").open("ab") as out:
        command = [UPTAKE, "run", "--config", config, "--district", DISTRICT]
        process = subprocess.Popen(command, stdout=out, stderr=out)
    if fault == DISK_FULL:
        psutil.Process(process.pid).rlimit(psutil.RLIMIT_FSIZE, (FULL_DISK_BYTES, FULL_DISK_BYTES))
    peak, is_to_die = 0.0, fault == KILLED
    while process.poll() is None:
        family = _family(process.pid)
        peak = max(peak, sum(_memory(member) for member in family) / 2**20)
        if is_to_die and family and time.monotonic() - began >= dies_after:
            is_to_die = False
            with suppress(ProcessLookupError):
                os.kill(secrets.choice(family).pid, signal.SIGKILL)
        time.sleep(0.2)
    return Run(fault, process.returncode, time.monotonic() - began, peak)


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def soak(root: Path, plan: Plan, *, port: int) -> Found:
    """Everything of the module's text, in the folder `root`. Leaves nothing running."""
    state = root / "sandbox"
    with running_sandbox(state=state, students=plan.students, now=MORNING, speed=1.0) as sandbox:
        return soak_on(sandbox, root, plan, port=port)


def soak_on(sandbox: RunningSandbox, root: Path, plan: Plan, *, port: int) -> Found:
    """As `soak`, on a district that is served already. What state there is under `root` is gone on with."""
    with _environment(sandbox.environment):
        return _soak(sandbox, root, plan, port)


def _soak(sandbox: RunningSandbox, root: Path, plan: Plan, port: int) -> Found:
    config = write_config(root, sandbox, plan)
    project = Project.load(config)
    token = keys.add(project, DISTRICT, PUSHED, "soak").token
    receiver, reader = Receiver(config, port, root / "receiver.log"), Reader(project)
    path = f"{receiver.url}/logs/{DISTRICT}/cloudflare-gateway-http"
    sender = Sender(path, token, [str(email) for email in sandbox.district.people.emails], plan)
    found = Found(sender.sent)
    try:
        sender.start()
        reader.start()
        with _watched(receiver):
            _run_under_load(found, plan, sandbox, receiver, config)
            sender.finish()
            found.receiver_memory, found.receiver_files = list(receiver.memory), list(receiver.files)
    finally:
        receiver.stop()
    sandbox.mend()
    found.runs.append(uptake_run(config, None, 0))
    last_third = timedelta(seconds=plan.seconds / 3)
    fresh = recent_p95(project, project.district(DISTRICT), now=datetime.now(UTC), window=last_third)
    found.p95 = fresh.get(PUSHED, 0.0)
    _count(project, found)
    if plan.compares_with_a_clean_build:
        _compare(project, found)
    reader.is_over.set()
    reader.join(10)
    found.receiver_kills = receiver.kills
    found.reads, found.unreadable, found.snapshots = reader.reads, reader.unreadable, len(reader.seen)
    return found


def _run_under_load(found: Found, plan: Plan, sandbox: RunningSandbox, receiver: Receiver, config: Path) -> None:
    """One run after another; two thirds of the time with faults."""
    chance = np.random.default_rng(plan.seed + 1)
    if read_current(Project.load(config).published(DISTRICT)) is None:
        found.runs.append(uptake_run(config, None, 0))
    began = time.monotonic()
    had_full_disk = False
    while (spent := time.monotonic() - began) < plan.seconds:
        fault, dies_after = None, 0.0
        if spent < plan.seconds * 2 / 3:
            endpoint, name, options = VENDOR_FAULTS[chance.integers(len(VENDOR_FAULTS))]
            sandbox.fault(endpoint, name, **options)
            if spent > plan.seconds / 3 and not had_full_disk:
                had_full_disk, fault = True, DISK_FULL
                receiver.full_disk(min(10.0, plan.seconds / 10))
            elif chance.random() < plan.runs_killed:
                fault = KILLED
                dies_after = chance.uniform(0.1, _usual_seconds(found))
            if chance.random() < 0.3 or receiver.kills == 0:
                receiver.kill()
        else:
            sandbox.mend()
        run = uptake_run(config, fault, dies_after)
        found.runs.append(run)
        say(f"{spent:5.0f} s: {fault or 'untouched'}, ended with {run.code} after {run.seconds:.0f} s, "
            f"{run.peak:.0f} MiB; {found.sent.good:,} sent")  # fmt: skip


def write_config(root: Path, sandbox: RunningSandbox, plan: Plan) -> Path:
    """The demo's configuration with a source of pushed logs; beside it the same on a disk without room."""
    config = sandbox.write_config(root / "uptake.yaml", state_dir=root / "var", history_days=plan.history_days)
    settings = yaml.safe_load(config.read_text())
    pushed = {"name": PUSHED, "kind": "logpush", "format": "cloudflare-gateway-http"}
    settings["districts"][0]["sources"].append(pushed)
    receiver = {"reserve_mb": 0, "requests_per_second": 1_000_000}
    config.write_text(yaml.safe_dump(settings | {"receiver": receiver}))
    without_room = yaml.safe_dump(settings | {"receiver": receiver | {"reserve_mb": 10**9}})
    config.with_name(WITHOUT_ROOM).write_text(without_room)
    return config


@contextmanager
def _watched(receiver: Receiver) -> Iterator[None]:
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(1.0):
            with suppress(psutil.Error):  # it was killed just now
                receiver.watch()

    thread = threading.Thread(target=watch, name="watcher", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _count(project: Project, found: Found) -> None:
    """What is landed and what is in quarantine of the pushed source; and pulls that do not add up."""
    files = [
        str(project.lake / file.path)
        for file in ledger.live_files(project.operations, DISTRICT, PUSHED, "gateway_http")
    ]
    with duckdb.connect() as connection:
        query = "select count(distinct event_key) from read_parquet(?, hive_partitioning = false)"
        found.landed = connection.execute(query, [files]).fetchall()[0][0] if files else 0
    with reading(project.operations) as session:
        held = select(func.coalesce(func.sum(QuarantineFile.row_count), 0)).where(QuarantineFile.source == PUSHED)
        found.quarantined = session.scalar(held.where(QuarantineFile.superseded_at.is_(None))) or 0
        found.unaccounted = (
            session.scalar(
                select(func.count())
                .select_from(Outcome)
                .where(Outcome.step == "land", Outcome.rows_in != Outcome.rows_out + Outcome.rows_quarantined)
            )
            or 0
        )


def _compare(project: Project, found: Found) -> None:
    """The facts as they came about, against those of a build that makes everything from the lake anew."""
    fact = "marts.fct_student_tool_day"
    warehouse, copy = project.warehouse(DISTRICT), project.state_dir / "as-it-came-about.parquet"
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute(f"copy (select * from {fact}) to '{copy}'")
    pipeline.build(project, DISTRICT, full_refresh=True)
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        came = f"(select * from read_parquet('{copy}'))"
        anew = f"(select * from {fact})"
        query = f"select count(*) from (({came} except all {anew}) union all ({anew} except all {came}))"
        found.unequal = connection.execute(query).fetchall()[0][0]
        found.facts = connection.execute(f"select count(*) from {fact}").fetchall()[0][0]


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ |= values
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def report(found: Found) -> list[Line]:
    sent, runs = found.sent, found.runs
    killed = sum(run.fault == KILLED for run in runs)
    quiet = [run.peak for run in runs if run.fault is None and run.code == 0]
    third = max(1, len(quiet) // 3)
    early, late = statistics.median(quiet[1 : 1 + third]), statistics.median(quiet[-third:])
    memory, files = found.receiver_memory, found.receiver_files
    settled, last = (statistics.median(part) for part in (memory[: len(memory) // 3], memory[-len(memory) // 3 :]))
    # What had to be sent again may have been kept the first time too: a broken record is then in quarantine twice.
    most = sent.broken + sent.bodies_again * LINES_AT_ONCE
    return [
        Line(f"events sent, {found.receiver_kills} kills of the receiver, {sent.bodies_again} requests sent again, "
             f"{sent.refused} refused", f"{found.landed:,} landed and {found.quarantined:,} in quarantine",
             f"{sent.good:,} and {sent.broken:,} sent", None, "all, each counted once",
             found.landed == sent.good and sent.broken <= found.quarantined <= most),
        Line("landed windows whose rows do not add up", str(found.unaccounted), "none", None, "0",
             found.unaccounted == 0),
        Line(f"rows of the facts other than in a clean build of {found.facts:,}", str(found.unequal), "none", None, "0",
             found.unequal == 0),
        Line(f"{len(runs)} runs, {killed} killed: ended badly with nothing done to them",
             str(len(found.unexplained())), "none", None, "0", not found.unexplained()),
        Line(f"reads of the snapshot that is up ({found.snapshots} different ones), that failed",
             str(len(found.unreadable)), f"{found.reads:,} reads", None, "0",
             not found.unreadable and found.reads > 0),
        Line("the receiver's memory at the end", f"{last:.0f} MiB", f"{settled:.0f} MiB at first", last / settled,
             "at most 1.1", last <= 1.1 * settled),
        Line("its open files at the end", str(files[-1]), f"{max(files[: len(files) // 3])} at first", None,
             "no more", files[-1] <= max(files[: len(files) // 3]) + 2),
        Line("largest memory of a run, the last third", f"{late:.0f} MiB", f"{early:.0f} MiB at first", late / early,
             "at most 1.3", late <= 1.3 * early),
        Line("pushed events to a page, 95 %, in the last third", f"{found.p95:.0f} s", "60 s", None, "at most 60",
             0 < found.p95 <= 60),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--events-per-second", type=int, default=700)
    parser.add_argument("--students", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--port", type=int, default=8739)
    options = parser.parse_args()
    plan = Plan(options.minutes * 60, options.students, events_per_second=options.events_per_second, seed=options.seed)
    say(f"seed {plan.seed}")
    with tempfile.TemporaryDirectory(prefix="uptake-soak-") as folder:
        lines = report(soak(Path(folder), plan, port=options.port))
    show(lines)
    sys.exit(not all(line.is_met for line in lines))


if __name__ == "__main__":
    main()
