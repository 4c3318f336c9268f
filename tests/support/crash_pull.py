"""A pull, to be run in a process of its own that is killed at any instant.

The vendor answers slowly and not evenly, so that a random moment of death falls into any part of the work.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

from fake_source import FakeSource, make_project, people, visits

from uptake import pipeline

SOURCES = ("sis", "second")
NOW = datetime(2026, 4, 14, 11, 5, tzinfo=UTC)


def vendor() -> FakeSource:
    """400 people, 300 visits in three hours, 20 courses; some rows of each are broken."""
    source = FakeSource()
    source.rows["people"] = people(400) + [{"id": f"broken-{index}", "grade": "third"} for index in range(7)]
    source.rows["visits"] = [*visits(300), {"id": "broken", "at": "2026-04-14T09:00:00+00:00", "email": {}}]
    source.rows["courses"] = [{"id": f"c{index}", "title": "Art"} for index in range(20)]
    source.page_size = 50
    source.earliest = datetime(2026, 4, 14, 7, tzinfo=UTC)
    return source


def main(say: Connection, folder: Path, seconds: float, name: str) -> None:
    source = vendor()
    source.pause = lambda: random.uniform(0, 2 * seconds)
    pipeline.open_source = lambda settings, credential: source  # type: ignore[assignment]
    pipeline.credential_of = lambda project, settings: None  # type: ignore[assignment]
    pipeline.clock.now = lambda district: NOW  # type: ignore[assignment]
    say.send("ready")
    pipeline.pull(make_project(folder, sources=SOURCES), "lakeside", name)
