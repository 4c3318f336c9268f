"""A district with one source over HTTP, pulled through the whole door, by a clock that the test sets."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from sqlalchemy import select

from uptake import pipeline
from uptake.landing import ledger
from uptake.landing.land import open_door
from uptake.operations.models import Outcome
from uptake.operations.session import reading
from uptake.project import Project

YEAR = {"name": "2025-26", "starts_on": "2025-08-18", "ends_on": "2026-06-05"}
MORNING = datetime(2026, 4, 14, 10, 20, tzinfo=UTC)


class AskedDistrict:
    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, credential: tuple[str, str], **source: Any
    ) -> None:
        self.folder, self.now, self._entry = folder, MORNING, {"name": "sis", "connection": "demo"} | source
        monkeypatch.setattr(pipeline.clock, "now", lambda district: self.now)
        login, password = credential
        monkeypatch.setenv("AIRFLOW_CONN_DEMO", json.dumps({"login": login, "password": password}))
        self.configure()

    def configure(self, **changes: Any) -> None:
        """Write the configuration, with the source's settings changed."""
        self._entry |= changes
        district = {"id": "lakeside", "name": "Lakeside", "time_zone": "America/Chicago"}
        district |= {"calendar": {"school_years": [YEAR]}, "sources": [self._entry]}
        (self.folder / "uptake.yaml").write_text(yaml.safe_dump({"state_dir": "var", "districts": [district]}))

    @property
    def project(self) -> Project:
        return Project.load(self.folder / "uptake.yaml")

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)

    def pull(self, **asked: Any) -> dict[str, pipeline.ResourceSummary]:
        found = pipeline.pull(self.project, "lakeside", "sis", **asked).resources
        return {summary.resource: summary for summary in found}

    def landed(self, resource: str) -> list[dict[str, Any]]:
        """Rows of every live file, the oldest file first."""
        project = self.project
        files = ledger.live_files(project.operations, "lakeside", "sis", resource)
        return [row for file in files for row in pq.read_table(project.lake / file.path, partitioning=None).to_pylist()]

    def current(self, resource: str, key: str = "id") -> dict[str, dict[str, Any]]:
        """The newest row of each key that is not marked deleted."""
        newest = {row[key]: row for row in self.landed(resource)}
        return {name: row for name, row in newest.items() if not row["_deleted"]}

    def messages(self, resource: str) -> list[str]:
        """What the outcomes of a resource's windows say, the newest last."""
        with reading(self.project.operations) as session:
            asked = select(Outcome).where(Outcome.resource == resource, Outcome.step == "land").order_by(Outcome.id)
            return [outcome.message or "" for outcome in session.scalars(asked)]

    def pseudonym(self, kind: str, identifier: str) -> str | None:
        door, vault = open_door(self.project, self.project.district("lakeside"))
        with vault:
            return door.pseudonym(kind, identifier)

    def bytes_at_rest(self) -> bytes:
        """Everything that landed, is in quarantine or was noted, as it lies on the disk."""
        project = self.project
        roots = (project.lake, project.quarantine, project.state_dir / "notes")
        return b"\n".join(path.read_bytes() for root in roots for path in root.rglob("*") if path.is_file())
