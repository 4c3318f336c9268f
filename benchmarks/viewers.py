"""Twenty people at once on the dashboard's real server: seconds that each page takes to answer, and memory.

    python -m benchmarks.viewers [--config FILE] [--viewers 20] [--seconds 120] [--look 10]

One Streamlit server, as it is served to readers, and for each viewer a websocket that speaks Streamlit's own protocol:
what a browser does, without the drawing. A viewer opens a page, looks at it for some ten seconds, and opens the next.
A page has answered when the server says that its script has finished. Without --config the demo district is served,
pulled, built, checked and published first, as by benchmarks.pages.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import httpx
import numpy as np
import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

from benchmarks.pages import PAGES, ROOT, demo_district
from benchmarks.report import Line, show
from uptake.project import CONFIG_VARIABLE

GOAL_SECONDS = 1.0


class Viewer(threading.Thread):
    """Opens one page after another until told to stop. seconds: of each page, one for each time it was opened."""

    def __init__(self, address: str, number: int, look: float, is_over: threading.Event) -> None:
        super().__init__(name=f"viewer {number}", daemon=True)
        self.seconds: dict[str, list[float]] = {page: [] for page in PAGES}
        self.failed: list[str] = []
        self._address, self._number, self._look, self._is_over = address, number, look, is_over

    def run(self) -> None:
        chance = np.random.default_rng(self._number)
        url = self._address.replace("http", "ws") + "/_stcore/stream"
        with connect(url, subprotocols=["streamlit"], max_size=None) as server:  # type: ignore[list-item]
            self._is_over.wait(chance.uniform(0, self._look))
            self._open(server, PAGES[0])  # a session begins: what it costs once is no page's time
            page = self._number
            while not self._is_over.wait(chance.uniform(0.5, 1.5) * self._look):
                page += 1
                name = PAGES[page % len(PAGES)]
                started = time.perf_counter()
                problem = self._open(server, name)
                if problem:
                    self.failed.append(f"{name}: {problem}")
                self.seconds[name].append(time.perf_counter() - started)

    def _open(self, server: ClientConnection, page: str) -> str | None:
        """What went wrong, or None."""
        message = BackMsg()
        message.rerun_script.page_name = "" if page == PAGES[0] else page
        server.send(message.SerializeToString())
        problem = None
        while True:
            said = ForwardMsg.FromString(server.recv())  # type: ignore[arg-type]
            kind = said.WhichOneof("type")
            if kind == "delta" and said.delta.new_element.WhichOneof("type") == "exception":
                problem = said.delta.new_element.exception.type
            if kind == "page_not_found":
                problem = "no such page"
            if kind == "script_finished" and said.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                return problem


@contextmanager
def serving(config: Path) -> Iterator[tuple[str, psutil.Process]]:
    """The server's address and process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(ROOT / "dashboard" / "app.py"),
        "--server.headless",
        "true",
    ]
    command += ["--server.port", str(port), "--server.address", "127.0.0.1", "--browser.gatherUsageStats", "false"]
    settings = {CONFIG_VARIABLE: str(config), "UPTAKE_DASHBOARD_MODE": "demo"}
    process = subprocess.Popen(command, env=os.environ | settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(400):
            try:
                httpx.get(f"{address}/_stcore/health", timeout=1).raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)


def measured(config: Path, viewers: int, seconds: float, look: float) -> list[Line]:
    is_over = threading.Event()
    with serving(config) as (address, process):
        crowd = [Viewer(address, number, look, is_over) for number in range(viewers)]
        began, alone = time.monotonic(), process.memory_info().rss / 2**20
        for viewer in crowd:
            viewer.start()
        most = 0.0
        while time.monotonic() - began < seconds:
            time.sleep(1)
            most = max(most, process.memory_info().rss / 2**20)
        is_over.set()
        for viewer in crowd:
            viewer.join(60)
        spent = process.cpu_times()
    failed = [problem for viewer in crowd for problem in viewer.failed]
    if failed:
        raise SystemExit(f"{len(failed)} pages failed: {sorted(set(failed))}")
    lines = []
    for page in PAGES:
        taken = np.array([one for viewer in crowd for one in viewer.seconds[page]])
        if not len(taken):
            raise SystemExit(f"nobody opened {page}: give it more --seconds")
        p95 = float(np.quantile(taken, 0.95))
        title = f"the page {page}, {viewers} viewers, opened {len(taken)} times"
        said = f"p50 {np.median(taken):.2f} s, p95 {p95:.2f} s"
        lines.append(
            Line(title, said, f"{GOAL_SECONDS:g} s", None, f"p95 at most {GOAL_SECONDS:g} s", p95 <= GOAL_SECONDS)
        )
    busy = (spent.user + spent.system) / seconds
    title = f"the server's memory with {viewers} viewers ({busy:.0%} of one core busy)"
    return [*lines, Line(title, f"{most:.0f} MiB", f"{alone:.0f} MiB before them", None, "at most 1024", most <= 1024)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, help="an installation whose first district is published")
    parser.add_argument("--viewers", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--look", type=float, default=10, help="seconds that a viewer looks at a page, about")
    options = parser.parse_args()
    with nullcontext(options.config.resolve()) if options.config else demo_district() as config:
        lines = measured(config, options.viewers, options.seconds, options.look)
    show(lines)
    sys.exit(not all(line.is_met for line in lines))


if __name__ == "__main__":
    main()
