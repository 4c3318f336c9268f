"""The demo, small, through the real Airflow scheduler: sandbox -> DAGs -> published snapshot -> every process ended;
and a second start goes on where the first was stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil
import pytest
from sqlalchemy import Engine, create_engine, text

from uptake.sources.registry import warehouse_resources

ROOT = Path(__file__).resolve().parents[2]
SHIFT = 21_000  # ports of its own, beside a demo that may be running
CLOCK = f"http://127.0.0.1:{8710 + SHIFT}/_sandbox/clock"
EVENTS = {"activity": ("umbrella", "activity"), "page_views": ("canvas", "page_views")}


class Demo:
    """A started demo. What it says is read from a file, which nothing can block."""

    def __init__(self, state: Path) -> None:
        environment = os.environ | {"UPTAKE_STATE_DIR": str(state), "UPTAKE_DEMO_PULL_MINUTES": "1"}
        for name in ("AIRFLOW_HOME", "PYTHONDONTWRITEBYTECODE", "UPTAKE_CONFIG", "UPTAKE_SANDBOX_URL"):
            environment.pop(name, None)
        self.state = state
        self.said = state.parent / f"said-{time.monotonic_ns()}.txt"
        command = [sys.executable, ROOT / "scripts" / "demo.py", "--size", "small", "--shift-ports", str(SHIFT)]
        with self.said.open("wb") as out:
            self.process = subprocess.Popen(
                [str(part) for part in command], cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT
            )

    def wait_until(self, words: str, seconds: float) -> None:
        self.wait_for(lambda: words in self.said.read_text(), f"the words {words!r}", seconds)

    def wait_for(self, has_come: Callable[[], bool], what: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not has_come():
            assert self.process.poll() is None, self.everything()
            assert time.monotonic() < deadline, f"{what} never came\n{self.everything()}"
            time.sleep(0.2)

    def everything(self) -> str:
        logs = sorted((self.state / "logs").glob("*.log"))
        return "\n".join([self.said.read_text(), *(path.read_text()[-1500:] for path in logs)])

    def stop(self) -> None:
        """As Ctrl-C does, and every process must be gone."""
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(timeout=40) == 0, self.everything()
        left = [
            process.info["cmdline"]
            for process in psutil.process_iter(["cmdline", "environ"])
            if str(self.state) in " ".join((process.info["environ"] or {}).values()) and process.pid != os.getpid()
        ]
        assert left == []


@contextmanager
def started(state: Path) -> Iterator[Demo]:
    demo = Demo(state)
    try:
        yield demo
    finally:
        if demo.process.poll() is None:
            demo.process.send_signal(signal.SIGTERM)
            demo.process.wait(timeout=40)


def manifest(state: Path) -> dict[str, Any]:
    published = state / "published" / "riverbend"
    found: dict[str, Any] = json.loads(
        (published / (published / "current").read_text().strip() / "manifest.json").read_text()
    )
    return found


def simulated_now(**change: Any) -> datetime:
    """The district's clock; first set, where there is something to set."""
    request = Request(CLOCK, data=json.dumps(change).encode() if change else None)
    with urlopen(request, timeout=10) as answer:
        return datetime.fromisoformat(json.load(answer)["now"])


def pulled_since(operations: Engine, last_pull: int) -> set[str]:
    """Resources of which a pull landed after that one."""
    with operations.connect() as connection:
        query = text("SELECT DISTINCT resource FROM pull WHERE id > :last")
        return set(connection.execute(query, {"last": last_pull}).scalars())


@pytest.fixture(scope="module")
def operations_of() -> Iterator[Any]:
    opened: list[Engine] = []

    def open_(state: Path) -> Engine:
        opened.append(create_engine(f"sqlite:///{state / 'operations' / 'uptake.db'}"))
        return opened[-1]

    yield open_
    for engine in opened:
        engine.dispose()


@pytest.mark.timeout(600)
def test_the_demo_publishes_through_the_scheduler_and_a_second_start_goes_on(tmp_path, operations_of):
    state = tmp_path / "var"
    with started(state) as demo:
        for source in ("sis", "lms", "filter", "registers"):
            demo.wait_until(f"{source}: ", 300)
        # The evening of the first day: what is pulled from now on makes that day complete.
        simulated_now(now="2026-04-14T15:45:00-05:00")
        demo.wait_until("Ready after", 400)
        before = simulated_now()
        demo.stop()

    first = manifest(state)
    assert first["is_simulated"] is True
    # Of the first publication the 13th; of one that followed before the stop, with what was pulled since, the 14th.
    through = first["data_complete_through"]
    assert through in ("2026-04-13", "2026-04-14")
    operations = operations_of(state)
    with operations.connect() as connection:
        runs = connection.execute(
            text("SELECT DISTINCT step FROM outcome WHERE status <> 'failed' AND run_id LIKE 'asset_triggered__%'")
        ).scalars()
        assert {"build", "check", "publish"} <= set(runs), "published by the DAG that the assets started"
        last_pull = connection.execute(text("SELECT max(id) FROM pull")).scalar()
        last_file = connection.execute(text("SELECT max(id) FROM landed_file")).scalar()
    key = next((state / "vault" / "riverbend").glob("*.key")).read_bytes()

    with started(state) as demo:
        demo.wait_until(f"Going on from the last run: data through {through}", 60)
        assert before <= simulated_now() < before + timedelta(hours=4), "the clock goes on from where it was"
        demo.wait_until("New snapshot: data through", 250)
        demo.wait_for(lambda: manifest(state)["data_complete_through"] >= "2026-04-14", "a later date", 250)
        second = manifest(state)
        # What the first start had landed is enough for a later date: this start must pull for itself, too.
        demo.wait_for(lambda: set(EVENTS) <= pulled_since(operations, last_pull), "a pull of events", 250)
        demo.stop()

    assert second["id"] > first["id"]
    # The first snapshot may be made before the roster has landed.
    assert second["tables"]["dim_student"] >= first["tables"]["dim_student"] and second["tables"]["dim_student"] > 100
    assert second["tables"]["fct_student_tool_day"] >= first["tables"]["fct_student_tool_day"]
    assert next((state / "vault" / "riverbend").glob("*.key")).read_bytes() == key
    with operations.connect() as connection:
        unequal = connection.execute(
            text("SELECT count(*) FROM outcome WHERE step = 'land' AND rows_in <> rows_out + rows_quarantined")
        ).scalar()
        assert unequal == 0
        pulled_again = connection.execute(
            text("SELECT resource, mode, since FROM pull WHERE id > :last"), {"last": last_pull}
        ).all()
        assert set(EVENTS) <= {row.resource for row in pulled_again}
        assert {row.mode for row in pulled_again if row.resource in EVENTS} == {"incremental"}
        landed = connection.execute(
            text("SELECT resource, event_min FROM landed_file WHERE id > :last AND event_min IS NOT NULL"),
            {"last": last_file},
        ).all()
        pulled = [
            row for row in landed if row.resource in EVENTS
        ]  # others are pushed, and have no window to come back to
        assert pulled
        oldest = datetime.fromisoformat("2026-04-14T07:00:00-05:00")  # when the first pulls began
        for row in pulled:
            at = datetime.fromisoformat(row.event_min).replace(tzinfo=UTC)
            resume = oldest - warehouse_resources()[EVENTS[row.resource]].lookback
            window = resume.astimezone(UTC).replace(hour=0, minute=0)  # a window may begin with its day
            assert at >= window, f"{row.resource} read its history again, from {at}"
