"""`uptake sandbox`: the commands against a running sandbox, and serving as a process of its own."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from uptake.sandbox.cli import app
from uptake.sandbox.running import RunningSandbox
from uptake.sandbox.truths import truths_text

runner = CliRunner()


def run(sandbox: RunningSandbox, *arguments: str) -> str:
    result = runner.invoke(app, [*arguments, "--url", sandbox.base_url])
    assert result.exit_code == 0, result.output
    return result.output


def test_truths_and_credentials() -> None:
    assert runner.invoke(app, ["truths"]).output == truths_text()
    assert "AIRFLOW_CONN_RIVERBEND_SIS" in runner.invoke(app, ["credentials"]).output


def test_clock(sandbox: RunningSandbox) -> None:
    assert "2026-04-14T12:30:00Z, 0 times life" in run(sandbox, "clock", "show")
    assert "2026-04-21T13:00:00Z" in run(sandbox, "clock", "set", "--now", "2026-04-21T08:00:00-05:00")


def test_faults(sandbox: RunningSandbox) -> None:
    said = run(sandbox, "fault", "set", "duplicate", "umbrella/activity", "--times", "3", "-o", "share=0.2")
    assert "duplicate on umbrella/activity: 3 more times" in said
    assert sandbox.sandbox.faults.rules[0].share == 0.2
    run(sandbox, "fault", "set", "roster_feed")
    assert "roster_feed on oneroster/enrollments: until cleared" in run(sandbox, "fault", "list")
    assert "2 removed" in run(sandbox, "fault", "clear")


@pytest.mark.parametrize(
    "arguments",
    [
        ("fault", "set", "rain", "oneroster/users"),
        ("fault", "set", "slow"),
        ("fault", "set", "slow", "canvas/*", "-o", "seconds"),
        ("clock", "set"),
    ],
)
def test_wrong_use_is_said(sandbox: RunningSandbox, arguments: tuple[str, ...]) -> None:
    assert runner.invoke(app, [*arguments, "--url", sandbox.base_url]).exit_code == 2


def test_a_refusal_and_an_absent_sandbox_are_one_line(sandbox: RunningSandbox) -> None:
    refused = runner.invoke(app, ["clock", "set", "--now", "soon", "--url", sandbox.base_url])
    assert refused.exit_code == 2
    assert "refused" in refused.output
    absent = runner.invoke(app, ["clock", "show", "--url", "http://127.0.0.1:9"])
    assert absent.exit_code == 2
    assert "uptake sandbox serve" in absent.output


def test_serve_keeps_its_clock_over_a_restart(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", "from uptake.sandbox.cli import app; app()", "serve", "--size", "small"]
    command += ["--port", str(port), "--state", str(tmp_path), "--drop", str(tmp_path / "drop"), "--speed"]
    url = f"http://127.0.0.1:{port}/_sandbox/clock"

    def serve(speed: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([*command, speed], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                httpx.get(url, timeout=1)
                return process
            except httpx.TransportError:
                time.sleep(0.1)
        process.kill()
        raise AssertionError("it did not start")

    process = serve("3600")
    try:
        time.sleep(0.3)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
    assert (tmp_path / "drop" / "registers" / "contracts-2025-26.csv").exists()
    process = serve("0")
    try:
        first, second = (httpx.get(url).json()["now"] for _ in range(2))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
    assert first == second > "2026-04-14T12:40:00Z"
