"""A vendor made of lists, for tests of landing: it says exactly what the test wants to be said."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from uptake.config import Calendar, District, SourceSettings, Span, UptakeConfig
from uptake.contracts import TIMESTAMP, Batch, Field, Resource, Window
from uptake.credentials import Credential
from uptake.operations.session import open_engine
from uptake.parsing import parse_records
from uptake.project import Project

PEOPLE = Resource(
    "people",
    (
        Field("id", identifier="sis_user", required=True),
        Field("email", identifier="email"),
        Field("name", vault="full_name"),
        Field("born_on", pa.date32(), drop=True),
        Field("school"),
        Field("grade", pa.int64()),
        Field("is_enabled", pa.bool_()),
        Field("changed_at", TIMESTAMP),
    ),
    key=("id",),
    cursor=True,
    lookback=timedelta(hours=1),
    delete_scope=("school",),
    person="id",
)
VISITS = Resource(
    "visits",
    (
        Field("id", required=True),
        Field("email", identifier="email"),
        Field("url", url=True),
        Field("at", TIMESTAMP, required=True),
    ),
    key=("id",),
    kind="event",
    event_time="at",
    cursor=True,
    lookback=timedelta(hours=1),
    full_sync_every=None,
)
COURSES = Resource(
    "courses",
    (Field("id", required=True), Field("title")),
    key=("id",),
    full_sync_every=timedelta(days=1),
)
TILE = timedelta(hours=1)
Rows = Sequence[Mapping[str, Any]]


class FakeSource:
    """`rows[name]` is what the vendor holds of a resource. Events are asked for by the hour."""

    kind = "fake"
    namespace = "fake"
    settings_model = SourceSettings
    needs_credential = False

    def __init__(self, settings: SourceSettings | None = None, credential: Credential | None = None) -> None:
        self.resources: dict[str, Resource] = {item.name: item for item in (PEOPLE, VISITS, COURSES)}
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in self.resources}
        self.asked: list[tuple[str, Window]] = []
        self.total: int | None = None
        self.page_size = 100
        self.pause: Callable[[], float] = lambda: 0.0
        self.errors: dict[str, Exception] = {}
        self.earliest = datetime.fromisoformat("2026-04-14T00:00:00Z")

    def __enter__(self) -> FakeSource:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def windows(self, resource: Resource, *, since: datetime | None, until: datetime, full: bool) -> list[Window]:
        if resource.kind == "entity":
            return [Window.between("full" if full else "incremental", since, until)]
        start = (since or self.earliest).replace(minute=0, second=0, microsecond=0)
        tiles = []
        while start < until:
            tiles.append(Window.between("interval", start, start + TILE))
            start += TILE
        return tiles

    def pull(self, resource: Resource, window: Window) -> Iterator[Batch]:
        self.asked.append((resource.name, window))
        rows = self._asked_for(resource, window)
        for first in range(0, len(rows), self.page_size):
            time.sleep(self.pause())
            batch = parse_records(resource, rows[first : first + self.page_size])
            batch.source_total = self.total
            yield batch
        if resource.name in self.errors:
            raise self.errors[resource.name]

    def probe(self) -> str:
        return "a list answers"

    def _asked_for(self, resource: Resource, window: Window) -> list[dict[str, Any]]:
        rows = self.rows[resource.name]
        if window.mode == "interval" and resource.event_time is not None:
            assert window.start is not None and window.end is not None
            return [
                row for row in rows if window.start <= datetime.fromisoformat(row[resource.event_time]) < window.end
            ]
        return rows


def people(number: int, *, schools: int = 2) -> list[dict[str, Any]]:
    return [
        {
            "id": f"sis-{index}",
            "email": f"Kid{index}@Lakeside.k12.example",
            "name": f"Given{index} Family{index}",
            "born_on": "2012-05-17",
            "school": f"school-{index % schools}",
            "grade": index % 12,
            "is_enabled": True,
            "changed_at": "2026-04-14T12:00:00Z",
        }
        for index in range(number)
    ]


def visits(number: int, *, start: str = "2026-04-14T08:00:00+00:00", seconds: int = 30) -> list[dict[str, Any]]:
    first = datetime.fromisoformat(start)
    return [
        {
            "id": f"visit-{index}",
            "email": f"kid{index % 50}@lakeside.k12.example",
            "url": "https://docs.google.com/forms/d/secret-path/edit?q=search+term",
            "at": (first + timedelta(seconds=seconds * index)).isoformat(),
        }
        for index in range(number)
    ]


CATALOGUE = """\
tool_id,tool_name,vendor_name,function,sector,approval_status,licensed_grades,addresses
forms,Forms,Google,Assessment,PreK-12,approved,,docs.google.com/forms;docs.google.com/forms/u
docs,Docs,Google,Writing,PreK-12,approved,03;04,docs.google.com
"""


@cache
def migrated() -> Path:
    """An operations database as `uptake init` leaves it: copying it is quicker than migrating a new one."""
    path = Path(tempfile.mkdtemp(prefix="uptake-operations-")) / "uptake.db"
    atexit.register(shutil.rmtree, path.parent)
    open_engine(f"sqlite:///{path}").dispose()
    return path


def make_project(folder: Path, *, sources: Sequence[str] = ("sis",)) -> Project:
    """The district `lakeside` with sources of kind `fake`, its state under `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    catalogue = folder / "tools.csv"
    catalogue.write_text(CATALOGUE)
    years = (Span(name="2025-26", starts_on="2025-08-18", ends_on="2026-06-05"),)
    place = District(
        id="lakeside",
        name="Lakeside",
        time_zone="America/Chicago",
        calendar=Calendar(school_years=years),
        sources=tuple(SourceSettings(name=name, kind="fake") for name in sources),
        tool_catalogue=catalogue,
    )
    state = folder / "var" / "operations"
    state.mkdir(parents=True, exist_ok=True)
    if not (state / "uptake.db").exists():
        shutil.copyfile(migrated(), state / "uptake.db")
    config = UptakeConfig(districts=(place,), state_dir=folder / "var")
    return Project(config, folder / "uptake.yaml")
