"""A sandbox inside a test: a real server on a free port, in a thread of this process."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from uptake.sandbox.credentials import connection_environment
from uptake.sandbox.demo import CATALOGUE, CONFIG, demo_file
from uptake.sandbox.district import SIZES, SimulatedDistrict
from uptake.sandbox.faults import Fault, FaultName
from uptake.sandbox.register import drop_ingredients, drop_register
from uptake.sandbox.server import Sandbox, make_sandbox

HOST = "127.0.0.1"
_START_SECONDS = 20.0


@dataclass(frozen=True)
class RunningSandbox:
    """base_url: of all three vendors. drop: the drop folder, whose registers/ holds the contracts."""

    base_url: str
    sandbox: Sandbox
    drop: Path

    @property
    def district(self) -> SimulatedDistrict:
        return self.sandbox.district

    @property
    def environment(self) -> dict[str, str]:
        """AIRFLOW_CONN_* variables and the addresses that the demo's configuration reads."""
        return connection_environment() | {"UPTAKE_SANDBOX_URL": self.base_url, "UPTAKE_DROP_DIR": str(self.drop)}

    def write_config(self, path: Path, *, state_dir: Path | None = None, history_days: int | None = None) -> Path:
        """The demo's uptake.yaml and tool catalogue with this sandbox's addresses; `path` is the file's name.

        history_days: how far back the first pull of the web filter reads; the demo's, if None.
        """
        text = demo_file(CONFIG).decode()
        values = {
            "UPTAKE_STATE_DIR:-../var": str(state_dir or path.parent / "var"),
            "UPTAKE_SANDBOX_URL:-http://127.0.0.1:8710": self.base_url,
            "UPTAKE_DROP_DIR:-../var/sandbox/drop": str(self.drop),
        }
        for variable, value in values.items():
            if f"${{{variable}}}" not in text:
                raise ValueError(f"the demo's configuration no longer reads {variable.partition(':')[0]}")
            text = text.replace(f"${{{variable}}}", value)
        if history_days is not None:
            text, found = re.subn(r"history_days: \d+", f"history_days: {history_days}", text)
            if found != 1:
                raise ValueError("the demo's configuration no longer has exactly one history_days")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        (path.parent / CATALOGUE).write_bytes(demo_file(CATALOGUE))
        return path

    def set_clock(self, *, now: datetime | None = None, speed: float | None = None) -> None:
        self.sandbox.clock.set(now=now, speed=speed)

    def fault(self, endpoint: str, fault: FaultName, **options: Any) -> None:
        self.sandbox.faults.add(Fault(endpoint=endpoint, fault=fault, **options))

    def mend(self) -> None:
        """Remove all faults."""
        self.sandbox.faults.clear()


@contextmanager
def running_sandbox(
    *,
    state: Path,
    size: str = "small",
    students: int | None = None,
    now: datetime | None = None,
    speed: float = 0.0,
) -> Iterator[RunningSandbox]:
    """state: folder for the clock and the drop folder. now: default the demo's first morning. speed: default frozen."""
    sandbox = make_sandbox(students or SIZES[size], state=state, now=now, speed=speed)
    drop = state / "drop"
    drop_register(drop, sandbox.district.people.count)
    drop_ingredients(drop, sandbox.district.people.count)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((HOST, 0))
    config = uvicorn.Config(sandbox.app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="sandbox", daemon=True)
    thread.start()
    try:
        base_url = f"http://{HOST}:{listener.getsockname()[1]}"
        _wait(base_url, thread)
        yield RunningSandbox(base_url, sandbox, drop)
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()


def _wait(base_url: str, thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        try:
            httpx.get(f"{base_url}/_sandbox/clock", timeout=2).raise_for_status()
            return
        except httpx.TransportError:
            if not thread.is_alive():
                break
            time.sleep(0.02)
    raise RuntimeError("the sandbox did not start")
