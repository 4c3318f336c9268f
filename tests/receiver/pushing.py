"""A small district that is pushed to, and ways to push."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from fake_source import CATALOGUE, migrated

from uptake import pipeline
from uptake.landing import ledger
from uptake.project import Project
from uptake.receiver import keys
from uptake.receiver.app import make_app
from uptake.sources.registry import open_source

CALIPER_DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "caliper"

CONFIG = """
state_dir: var
receiver: {{reserve_mb: {reserve_mb}, segment_seconds: {segment_seconds}{receiver}}}
districts:
  - id: lakeside
    name: Lakeside
    time_zone: America/Chicago
    tool_catalogue: tools.csv
    calendar: {{school_years: [{{name: 2025-26, starts_on: 2025-08-18, ends_on: 2026-06-05}}]}}
    sources:
      - {{name: events, kind: caliper, person_pattern: "/users/(.+)$"}}
      - {{name: statements, kind: xapi}}
      - {{name: gateway, kind: logpush, format: cloudflare-gateway-http}}
      - {{name: lookups, kind: logpush, format: cloudflare-gateway-dns}}
      - {{name: zscaler, kind: logpush, format: zscaler-web, time_zone: America/Chicago}}
  - id: hillside
    name: Hillside
    time_zone: America/Chicago
    calendar: {{school_years: [{{name: 2025-26, starts_on: 2025-08-18, ends_on: 2026-06-05}}]}}
    sources:
      - {{name: events, kind: caliper}}
"""


def make_project(folder: Path, receiver: str = "", *, reserve_mb: float = 0, segment_seconds: float = 600) -> Project:
    """The district `lakeside`; `receiver` holds more of the receiver's settings, as YAML."""
    folder.mkdir(parents=True, exist_ok=True)
    more = f", {receiver}" if receiver else ""
    text = CONFIG.format(receiver=more, reserve_mb=reserve_mb, segment_seconds=segment_seconds)
    (folder / "uptake.yaml").write_text(text)
    (folder / "tools.csv").write_text(CATALOGUE)
    operations = folder / "var" / "operations"
    operations.mkdir(parents=True, exist_ok=True)
    if not (operations / "uptake.db").exists():
        shutil.copyfile(migrated(), operations / "uptake.db")
    return Project.load(folder / "uptake.yaml")


@asynccontextmanager
async def receiving(project: Project) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application itself, which is started before and stopped after."""
    app = make_app(project)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://receiver") as client:
            yield client


def push(project: Project, work: Callable[[httpx.AsyncClient], Awaitable[Any]]) -> Any:
    """Start the receiver, do `work` with a client of it, stop it."""

    async def run() -> Any:
        async with receiving(project) as client:
            return await work(client)

    return asyncio.run(run())


class Pushed:
    """One source of the district, its sender's key, and what came of it."""

    def __init__(self, project: Project, source: str, *, version: str | None = None) -> None:
        self.project = project
        self.source = source
        self.version = version
        self.authorization: str | None = f"Bearer {key(project, source).token}"

    def headers(self, content_type: str | None = None) -> dict[str, str]:
        found = {
            "Authorization": self.authorization,
            "X-Experience-API-Version": self.version,
            "Content-Type": content_type,
        }
        return {name: value for name, value in found.items() if value}

    def send(self, method: str, path: str, body: Any = None, *, content_type: str | None = None) -> httpx.Response:
        """Start the receiver, send one request, stop it."""
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        headers = self.headers("application/json" if content_type is None else content_type)

        async def work(client: httpx.AsyncClient) -> httpx.Response:
            return await client.request(method, path, content=content, headers=headers)

        return self.with_client(work)

    def with_client(self, work: Callable[[httpx.AsyncClient], Awaitable[Any]]) -> Any:
        return push(self.project, work)

    def pull(self) -> list[dict[str, Any]]:
        """Pull the source; the rows of its events that count."""
        pipeline.pull(self.project, "lakeside", self.source)
        settings = self.project.district("lakeside").source(self.source)
        resource = next(iter(open_source(settings, None).resources))
        return landed(self.project, self.source, resource)


def key(project: Project, source: str = "events", district: str = "lakeside", sensor: str = "a sensor") -> keys.NewKey:
    return keys.add(project, district, source, sensor)


def landed(project: Project, source: str = "events", resource: str | None = None) -> list[dict[str, Any]]:
    """Rows of the files that count."""
    files = ledger.live_files(project.operations, "lakeside", source, resource)
    tables = [pq.read_table(project.lake / file.path, partitioning=None) for file in files]
    return pa.concat_tables(tables).to_pylist() if tables else []


def quarantined(project: Project, source: str = "events") -> dict[str, int]:
    """Rows in quarantine, by reason."""
    found: dict[str, int] = {}
    for file in ledger.quarantine_files(project.operations, "lakeside", source):
        found[file.reason] = found.get(file.reason, 0) + file.row_count
    return found


def envelope(*events: dict[str, Any], version: str = "v1p1", **changes: Any) -> dict[str, Any]:
    return {
        "sensor": "https://lms.lakeside.k12.example/sensors/1",
        "sendTime": "2026-04-14T15:00:01.000Z",
        "dataVersion": f"http://purl.imsglobal.org/ctx/caliper/{version}",
        "data": list(events),
    } | changes


def event(number: int, who: str = "sis-1", when: str = "2026-04-14T15:00:00.000Z", **changes: Any) -> dict[str, Any]:
    """A NavigationEvent as Caliper 1.1 writes it; `number` makes its id."""
    return {
        "@context": "http://purl.imsglobal.org/ctx/caliper/v1p1",
        "id": f"urn:uuid:00000000-0000-4000-8000-{number:012d}",
        "type": "NavigationEvent",
        "actor": {"id": f"https://lms.lakeside.k12.example/users/{who}", "type": "Person"},
        "action": "NavigatedTo",
        "object": {"id": "https://docs.google.com/forms/d/secret-path/edit?q=search+term", "type": "WebPage"},
        "eventTime": when,
        "edApp": "https://docs.google.com/forms/d/secret-path",
    } | changes


def uuid_of(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"
