"""kill -9 of the receiver under load, again and again, with pulls between: what was acknowledged is landed, once."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from pushing import envelope, event, key, landed, make_project, quarantined, uuid_of

from uptake import pipeline
from uptake.project import Project

UPTAKE = Path(sys.executable).parent / "uptake"
ROUNDS = 3
SENDERS = 4
EVENTS = 3  # in each request


class Senders:
    """Threads that send as LMSs do: each event again and again until a 2xx came for it."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._headers = url, {"Authorization": f"Bearer {token}"}
        self._lock = threading.Lock()
        self._number = 0
        self._stop = threading.Event()
        self.acknowledged: set[str] = set()
        self.tries = 0
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(SENDERS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Send nothing new; return when everything that was begun is acknowledged."""
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()

    def _run(self) -> None:
        client = httpx.Client(timeout=5)
        while not self._stop.is_set():
            with self._lock:
                numbers = range(self._number, self._number + EVENTS)
                self._number += EVENTS
            body = envelope(*(event(number, f"sis-{number % 50}") for number in numbers))
            while not self._sent(client, body):
                time.sleep(0.02)
            with self._lock:
                self.acknowledged.update(map(uuid_of, numbers))
        client.close()

    def _sent(self, client: httpx.Client, body: object) -> bool:
        self.tries += 1
        try:
            return client.post(self._url, json=body, headers=self._headers).status_code == 200
        except httpx.TransportError:
            return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def receiver(project: Project, port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            [UPTAKE, "receive", "--config", project.config_path, "--port", str(port)],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            assert process.poll() is None, log.read_text()
            try:
                httpx.get(f"http://127.0.0.1:{port}/health", timeout=1).raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.timeout(120)
def test_acknowledged_is_landed_once_through_kills(tmp_path: Path) -> None:
    project = make_project(tmp_path, segment_seconds=0.4)
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    port, log = free_port(), tmp_path / "receiver.log"
    senders = Senders(f"http://127.0.0.1:{port}/caliper/lakeside", key(project).token)
    began = False
    for _ in range(ROUNDS):
        with receiver(project, port, log) as process:
            if not began:
                senders.start()
                began = True
            time.sleep(chance.uniform(0.2, 1.2))
            if chance.random() < 0.7:
                pipeline.pull(project, "lakeside", "events")  # while it writes
            process.send_signal(signal.SIGKILL)
            process.wait()
        pipeline.pull(project, "lakeside", "events")
        known = {row["event_key"] for row in landed(project)}
        missing = senders.acknowledged.copy() - known
        assert not missing, f"{len(missing)} acknowledged events are lost (seed {seed})"

    with receiver(project, port, log) as process:
        senders.finish()
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    pipeline.pull(project, "lakeside", "events")
    rows = landed(project)
    assert {row["event_key"] for row in rows} == senders.acknowledged, f"seed {seed}"
    assert quarantined(project) == {}
    # What came twice was sent twice: its first try got no answer.
    assert len(rows) <= senders.tries * EVENTS
    repeated = len(rows) - len(senders.acknowledged)
    assert repeated <= ROUNDS * SENDERS * EVENTS, f"{repeated} repeated (seed {seed})"
    assert len(senders.acknowledged) > 100, "too little was sent to prove anything"
    assert "kid" not in log.read_text() and "sis-" not in log.read_text()
