"""The simulated tool that pushes: what it says happened, once, and to whom."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from uptake.sandbox.clock import Clock
from uptake.sandbox.district import SimulatedDistrict
from uptake.sandbox.running import running_sandbox
from uptake.sandbox.sender import LAUNCH, TOOL, Sender
from uptake.sources.pushed.caliper import is_event, measures, sis_id


@pytest.fixture(scope="module")
def sender() -> Sender:
    district = SimulatedDistrict.of_size("small")
    return Sender(district, Clock(district.year, district.truths.clock_starts_at, speed=0))


def test_reports_add_up_to_the_sittings_however_the_day_is_cut(sender: Sender) -> None:
    year, people = sender._district.year, sender._district.people
    day = int(year.instructional[150])
    start = int(year.midnight(year.instructional)[150])
    whole = sender.events(start, start + 86_400_000)
    cut = [
        event for hour in range(24) for event in sender.events(start + hour * 3_600_000, start + (hour + 1) * 3_600_000)
    ]
    assert [event["id"] for event in cut] == [event["id"] for event in whole]
    assert len({event["id"] for event in whole}) == len(whole) > 20 and all(is_event(event) for event in whole)

    reported: dict[tuple[str | None, str], float] = defaultdict(float)
    for event in whole:
        for measure in measures(event.get("generated")) or ():
            key = (sis_id(event["actor"]), measure["startedAtTime"])
            assert measure["metric"] == "MinutesOnTask" and measure["metricValue"] > reported[key], "cumulative"
            reported[key] = measure["metricValue"]
    views = sender._district.usage.views(day)
    mine = views.slot == LAUNCH
    assert len(reported) == mine.sum()
    assert sum(reported.values()) == pytest.approx(views.seconds[mine].sum() / 60, abs=0.1)
    assert {who for who, _ in reported} == {people.student_id(int(person)) for person in views.person[mine]}


@pytest.fixture
def taken() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that refuses the first post and keeps the others."""
    posts: list[dict[str, Any]] = []
    refused: list[bool] = []

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200 if refused else 503)
            if refused:
                posts.append(json.loads(body) | {"key": self.headers["Authorization"]})
            refused.append(True)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/caliper/riverbend", posts
    server.shutdown()
    server.server_close()


def test_it_posts_what_happens_and_again_what_was_refused(
    tmp_path: Path, taken: tuple[str, list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uptake.sandbox.sender.SEND_EVERY_SECONDS", 0.1)
    url, posts = taken
    with running_sandbox(state=tmp_path, speed=7200) as sandbox:
        wrong = httpx.post(f"{sandbox.base_url}/_sandbox/sender", json={"url": url})
        assert wrong.status_code == 422
        httpx.post(f"{sandbox.base_url}/_sandbox/sender", json={"url": url, "key": "id.secret"}).raise_for_status()
        deadline = time.monotonic() + 20
        while len(posts) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        sent = httpx.get(f"{sandbox.base_url}/_sandbox/sender").json()["sent"]
    assert posts and posts[0]["key"] == "Bearer id.secret" and posts[0]["sensor"] == TOOL
    ids = [event["id"] for post in posts for event in post["data"]]
    assert len(set(ids)) == len(ids) >= sent > 0
