"""The receiver on one core: events a second, the 99th percentile of an answer, and what kill -9 takes away (nothing).

    python -m benchmarks.receiver [--seconds 10] [--connections 32]

The server runs on the first core, the load on the second. Loads: Caliper envelopes of one event (as Canvas sends them),
Caliper envelopes of fifty, xAPI batches of fifty without ids, and web-filter lines, a thousand at a time, gzipped. The
peer answers 200 to the same requests on the same core after reading the body, keeps nothing and knows nobody: the least
that an ASGI application can do. In each load the receiver is killed half-way, started again, and the load goes on; at
the end everything that was acknowledged must be landed, each event once.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path

import httpx
import orjson
import pyarrow.parquet as pq

from benchmarks.report import Line, keep, machine
from uptake import pipeline
from uptake.landing import ledger
from uptake.project import Project
from uptake.receiver import keys

PORT = 8729
HOST = "127.0.0.1"
SERVER_CORE, LOAD_CORE = 0, 1
CONFIG = """
state_dir: var
receiver: {reserve_mb: 64, segment_seconds: 5, requests_per_second: 1000000}
districts:
  - id: bench
    name: Benchmark district
    time_zone: America/Chicago
    calendar: {school_years: [{name: 2025-26, starts_on: 2025-08-18, ends_on: 2026-06-05}]}
    sources:
      - {name: events, kind: caliper}
      - {name: statements, kind: xapi}
      - {name: gateway, kind: logpush, format: cloudflare-gateway-http}
"""
# Three districts send 60 million events in a school day of eight hours: 2,100 a second, five times that at its peak.
GOAL_EVENTS, GOAL_SINGLE, GOAL_PULLED, GOAL_P99 = 10_000, 1_000, 5_000, 0.250
_PREMADE_A_SECOND = 400


def caliper(numbers: range) -> bytes:
    events = [
        {
            "@context": "http://purl.imsglobal.org/ctx/caliper/v1p1",
            "id": f"urn:uuid:00000000-0000-4000-8000-{number:012d}",
            "type": "NavigationEvent",
            "actor": {"id": f"urn:instructure:canvas:user:{number % 100_000}", "type": "Person"},
            "action": "NavigatedTo",
            "object": {"id": f"https://lms.bench.example/courses/{number % 500}/pages/7", "type": "WebPage"},
            "eventTime": f"2026-04-14T15:{number // 60 % 60:02d}:{number % 60:02d}.000Z",
            "edApp": {"id": "https://lms.bench.example", "type": "SoftwareApplication"},
            "group": {"id": "https://lms.bench.example/courses/7", "type": "CourseSection", "name": "Mathematics 7"},
            "membership": {"id": "https://lms.bench.example/m/1", "type": "Membership", "roles": ["Learner"]},
            "session": {"id": "urn:session:f3a1", "type": "Session", "startedAtTime": "2026-04-14T15:00:00.000Z"},
        }
        for number in numbers
    ]
    envelope = {
        "sensor": "https://lms.bench.example/",
        "sendTime": "2026-04-14T16:00:00.000Z",
        "dataVersion": "http://purl.imsglobal.org/ctx/caliper/v1p1",
        "data": events,
    }
    return orjson.dumps(envelope)


def xapi(numbers: range) -> bytes:
    return orjson.dumps(
        [
            {
                "actor": {"account": {"homePage": "https://lms.bench.example", "name": f"s-{number}"}},
                "verb": {"id": "http://adlnet.gov/expapi/verbs/answered", "display": {"en": "answered"}},
                "object": {"id": f"https://lms.bench.example/quiz/{number % 500}", "definition": {"name": {"en": "Q"}}},
                "result": {"success": True, "duration": "PT34S"},
                "timestamp": f"2026-04-14T15:{number // 60 % 60:02d}:{number % 60:02d}.000Z",
            }
            for number in numbers
        ]
    )


def cloudflare(numbers: range) -> bytes:
    lines = [
        {
            "Datetime": f"2026-04-14T15:{number // 60 % 60:02d}:{number % 60:02d}Z",
            "Email": f"s{number % 100_000}@bench.example",
            "DeviceID": f"device-{number % 100_000}",
            "URL": f"https://tool{number % 300}.example/a/b?q={number}",
            "HTTPHost": f"tool{number % 300}.example",
            "Action": "allow",
            "CategoryNames": ["Education"],
            "HTTPMethod": "GET",
            "HTTPStatusCode": 200,
            "SourceIP": "192.0.2.1",
            "UserAgent": "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36",
            "RequestID": f"{number:032x}",
        }
        for number in numbers
    ]
    return gzip.compress(b"\n".join(map(orjson.dumps, lines)), compresslevel=1)


@dataclass(frozen=True)
class Load:
    name: str
    path: str
    source: str
    resource: str
    key: str
    events: int  # in a request
    body: Callable[[range], bytes]
    goal: int
    is_premade: bool = False  # a body that takes long to make would count as waiting for the answer

    def bodies(self, first: int, seconds: float) -> Iterator[bytes]:
        """Requests from number `first` on, without an end; those made beforehand are as many as can be sent."""
        made = (self.body(range(number * self.events, (number + 1) * self.events)) for number in count(first))
        return iter(list(islice(made, int(seconds * _PREMADE_A_SECOND)))) if self.is_premade else made


LOADS = (
    Load("Caliper, 1 event a request", "/caliper/bench", "events", "event", "event_key", 1, caliper, GOAL_SINGLE),
    Load("Caliper, 50 events a request", "/caliper/bench", "events", "event", "event_key", 50, caliper, GOAL_EVENTS),
    Load(
        "xAPI, 50 statements a request", "/xapi/bench/statements", "statements", "statement",
        "id", 50, xapi, GOAL_EVENTS,
    ),
    Load(
        "log push, 1,000 lines a request, gzip", "/logs/bench/cloudflare-gateway-http", "gateway", "gateway_http",
        "event_key", 1000, cloudflare, GOAL_EVENTS, is_premade=True,
    ),
)  # fmt: skip


@dataclass
class Outcome:
    acknowledged: int = 0
    seconds: list[float] = field(default_factory=list)
    failures: int = 0

    def percentile(self, share: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@contextmanager
def on_core(*command: str | Path, environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        ["taskset", "-c", str(SERVER_CORE), *map(str, command)],
        env=os.environ | (environment or {}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(f"http://{HOST}:{PORT}/health")
        yield process
    finally:
        process.kill()
        process.wait()


def _wait_for(url: str) -> None:
    for _ in range(600):
        try:
            httpx.get(url, timeout=1).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise SystemExit(f"nothing answers at {url}")


def receiver(config: Path) -> list[str | Path]:
    return [Path(sys.executable).parent / "uptake", "receive", "--config", config, "--port", str(PORT)]


def peer() -> list[str | Path]:
    command = ["-m", "uvicorn", "benchmarks.receiver:forgetful", "--port", str(PORT), "--log-level", "warning"]
    return [sys.executable, *command, "--no-access-log"]


async def forgetful(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
    """The peer: reads the body and answers 200."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


class Sender:
    """Connections that send one request after another, and the same one again until a 2xx came."""

    def __init__(self, load: Load, token: str, bodies: Iterator[bytes]) -> None:
        self._load, self._token = load, token
        self._bodies = bodies
        self.outcome = Outcome()

    async def run(self, connections: int, until: float) -> None:
        await asyncio.gather(*(self._connection(until) for _ in range(connections)))

    async def _connection(self, until: float) -> None:
        streams = None
        while time.perf_counter() < until and (body := next(self._bodies, None)) is not None:
            request = self._request(body)
            while True:
                began = time.perf_counter()
                try:
                    streams = streams or await asyncio.open_connection(HOST, PORT)
                    status = await _exchange(*streams, request)
                except (OSError, asyncio.IncompleteReadError):
                    streams = None
                    self.outcome.failures += 1
                    await asyncio.sleep(0.05)
                    continue
                if status == 200:
                    self.outcome.seconds.append(time.perf_counter() - began)
                    self.outcome.acknowledged += self._load.events
                    break
                raise SystemExit(f"the receiver answered {status}")
        if streams:
            streams[1].close()

    def _request(self, body: bytes) -> bytes:
        head = (
            f"POST {self._load.path} HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {self._token}\r\n"
            f"X-Experience-API-Version: 1.0.3\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> int:
    writer.write(request)
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    if length:
        await reader.readexactly(length)
    return int(head[9:12])


def send(load: Load, token: str, bodies: Iterator[bytes], connections: int, seconds: float) -> tuple[Outcome, float]:
    """(what came of it, seconds)."""
    sender = Sender(load, token, bodies)
    began = time.perf_counter()
    asyncio.run(sender.run(connections, began + seconds))
    return sender.outcome, time.perf_counter() - began


def killed_under_load(
    load: Load, token: str, bodies: Iterator[bytes], connections: int, seconds: float, config: Path
) -> Outcome:
    """The same load, with the receiver killed in the middle and started again."""

    async def run() -> Outcome:
        sender = Sender(load, token, bodies)
        work = asyncio.create_task(sender.run(connections, time.perf_counter() + seconds))
        enough = load.events * _PREMADE_A_SECOND * seconds / 3 if load.is_premade else float("inf")
        middle = time.perf_counter() + seconds / 2
        while time.perf_counter() < middle and sender.outcome.acknowledged < enough:
            await asyncio.sleep(0.01)
        first.send_signal(signal.SIGKILL)
        first.wait()
        with on_core(*receiver(config)) as second:
            await work
            second.send_signal(signal.SIGTERM)
            second.wait()
        return sender.outcome

    with on_core(*receiver(config)) as first:
        return asyncio.run(run())


def held(project: Project, load: Load) -> tuple[int, int]:
    """(rows, different events) that are landed of the load's source."""
    files = ledger.live_files(project.operations, "bench", load.source, load.resource)
    seen: list[str] = []
    for file in files:
        seen += pq.read_table(project.lake / file.path, columns=[load.key], partitioning=None)[load.key].to_pylist()
    return len(seen), len(set(seen))


def measure(load: Load, connections: int, seconds: float) -> list[Line]:
    with tempfile.TemporaryDirectory() as temporary:
        config = Path(temporary) / "uptake.yaml"
        config.write_text(CONFIG)
        project = Project.load(config)
        token = keys.add(project, "bench", load.source, "bench").token
        with on_core(*peer()):
            theirs, their_seconds = send(load, token, load.bodies(0, seconds), connections, seconds)
        with on_core(*receiver(config)) as process:
            ours, our_seconds = send(load, token, load.bodies(0, seconds), connections, seconds)
            process.send_signal(signal.SIGTERM)
            process.wait()
        began = time.perf_counter()
        pipeline.pull(project, "bench", load.source)
        drain = time.perf_counter() - began
        once = held(project, load) == (ours.acknowledged, ours.acknowledged)
        fresh = load.bodies(10**8 // load.events, seconds)
        killed = killed_under_load(load, token, fresh, connections, seconds, config)
        pipeline.pull(project, "bench", load.source)
        rows, different = held(project, load)
        expected = ours.acknowledged + killed.acknowledged
    rate, peer_rate = ours.acknowledged / our_seconds, theirs.acknowledged / their_seconds
    slow = ours.percentile(0.99)
    return [
        Line(
            f"receiver on one core, {load.name}",
            f"{rate:,.0f} events/s",
            f"{peer_rate:,.0f} events/s answered and not kept",
            rate / peer_rate,
            f"at least {load.goal:,} events/s",
            rate >= load.goal,
        ),
        Line(
            f"  answers of it, {connections} senders at once",
            f"p50 {ours.percentile(0.5) * 1000:.0f} ms, p99 {slow * 1000:.0f} ms",
            f"p99 {theirs.percentile(0.99) * 1000:.0f} ms",
            None,
            f"p99 at most {GOAL_P99 * 1000:.0f} ms",
            slow <= GOAL_P99,
        ),
        Line(
            "  pulled into the lake, one process",
            f"{ours.acknowledged / drain:,.0f} events/s",
            f"{ours.acknowledged:,} events",
            None,
            f"at least {GOAL_PULLED:,} events/s",
            ours.acknowledged / drain >= GOAL_PULLED,
        ),
        Line(
            "  acknowledged through kill -9 under load",
            f"{different:,} landed once ({rows - different} came twice)",
            f"{expected:,} acknowledged, {killed.failures} requests cut off",
            None,
            "all of them",
            once and different == expected and killed.failures > 0,
        ),
    ]


def show(lines: list[Line]) -> None:
    keep(lines)
    print(machine())
    for line in lines:
        ratio = f", ratio {line.ratio:.2f}" if line.ratio is not None else ""
        print(
            f"{'met   ' if line.is_met else 'MISSED'}  {line.what}: {line.ours}; {line.peer}{ratio} (goal {line.goal})"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--only", help="loads whose name holds this")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {LOAD_CORE})
    show(
        [
            line
            for load in LOADS
            if not arguments.only or arguments.only in load.name
            for line in measure(load, arguments.connections, arguments.seconds)
        ]
    )
