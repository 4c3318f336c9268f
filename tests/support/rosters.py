"""Makers of OneRoster CSV deliveries, and what a source takes of them."""

from __future__ import annotations

import csv
import io
import os
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from uptake.contracts import Batch, Window
from uptake.sources.base import Home
from uptake.sources.oneroster.files import OneRosterFiles, OneRosterFilesSettings
from uptake.sources.oneroster.sheets import ONEROSTER

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = bytes(32)
HOUR = 3600.0

Rows = Sequence[Mapping[str, str]]
USER = {"enabledUser": "true", "username": "abirch", "givenName": "Ada", "familyName": "Birch", "grades": "03,04"}
ORG = {"sourcedId": "s1", "name": "North", "type": "school"}


def table(rows: Rows, headers: Sequence[str]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, headers, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def sheet(version: str, name: str, rows: Rows) -> str:
    """A CSV with every header of the specification."""
    sheets = [entry for sheets in ONEROSTER[version].sheets.values() for entry in sheets]
    found = next(entry for entry in sheets if name in entry.names)
    return table(rows, [*found.columns, *found.ignored])


def manifest(version: str, **modes: str) -> str:
    said = {"manifest.version": "1.0", "oneroster.version": version}
    said |= {f"file.{name}": mode for name, mode in modes.items()}
    return table([{"propertyName": name, "value": value} for name, value in said.items()], ["propertyName", "value"])


def members(version: str, tables: Mapping[str, Rows], mode: str = "bulk", **modes: str) -> dict[str, str]:
    found = {f"{name}.csv": sheet(version, name, rows) for name, rows in tables.items()}
    return {"manifest.csv": manifest(version, **dict.fromkeys(tables, mode) | modes)} | found


def zipped(path: Path, files: Mapping[str, str | bytes], *, age: float = HOUR) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return aged(path, age)


def aged(path: Path, age: float) -> Path:
    then = datetime.now(UTC).timestamp() - age
    os.utime(path, (then, then))
    return path


def opened(folder: Path, **options: Any) -> OneRosterFiles:
    values = {"name": "sis", "kind": "oneroster_csv", "folder": folder}
    source = OneRosterFiles(OneRosterFilesSettings.model_validate(values | options), None)
    notes = folder.parent / "notes"
    notes.mkdir(exist_ok=True)
    source.settle(Home(notes, KEY))
    return source


def windows(source: OneRosterFiles, name: str) -> list[Window]:
    return source.windows(source.resources[name], since=None, until=NOW, full=False)


def taken(source: OneRosterFiles, name: str) -> list[Batch]:
    """One batch for each window of a resource."""
    resource = source.resources[name]
    found = []
    for window in windows(source, name):
        batches = list(source.pull(resource, window))
        tables = [batch.table for batch in batches] or [resource.schema.empty_table()]
        rejects = [reject for batch in batches for reject in batch.rejects]
        unknown = {key: value for batch in batches for key, value in batch.unknown.items()}
        note = next((batch.note for batch in batches if batch.note), None)
        found.append(Batch(pa.concat_tables(tables), rejects, unknown, note=note))
    return found


def rows_of(source: OneRosterFiles, name: str) -> list[dict[str, Any]]:
    (batch,) = taken(source, name)
    assert batch.rejects == [] and batch.unknown == {} and batch.note is None
    return batch.table.to_pylist()


def reasons(source: OneRosterFiles, name: str) -> list[str]:
    return [reject.reason for batch in taken(source, name) for reject in batch.rejects]
