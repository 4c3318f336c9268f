"""Makers of mappings and files for the drop-folder tests."""

from __future__ import annotations

import gzip
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from uptake.contracts import Batch
from uptake.sources.dropfolder import DropFolder, DropFolderSettings
from uptake.sources.dropfolder.mapping import Mapping

NOW = datetime(2026, 1, 1, tzinfo=UTC)

VISITS: dict[str, Any] = {
    "namespace": "test",
    "resource": "visits",
    "files": "**/*",
    "format": "csv",
    "key": ["id"],
    "columns": [
        {"header": "Id", "required": True},
        {"header": "Who"},
        {"header": "Minutes", "type": "number"},
    ],
}


def mapping(**changes: Any) -> Mapping:
    return Mapping.model_validate(VISITS | changes)


def write_mapping(folder: Path, **changes: Any) -> Path:
    path = folder / "mapping.yaml"
    path.write_text(yaml.safe_dump(VISITS | changes, sort_keys=False), encoding="utf-8")
    return path


def drop(folder: Path, name: str, content: bytes | str, *, age: float = 3600) -> Path:
    """A file that was last changed `age` seconds ago."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") and data[:2] != b"\x1f\x8b" else data)
    set_age(path, age)
    return path


def set_age(path: Path, age: float) -> None:
    then = datetime.now(UTC).timestamp() - age
    os.utime(path, (then, then))


def opened(folder: Path, mappings: Sequence[Path | str], **settings: Any) -> DropFolder:
    return DropFolder(
        DropFolderSettings.model_validate(
            {"name": "dropped", "kind": "dropfolder", "folder": folder, "mappings": [str(name) for name in mappings]}
            | settings
        ),
        None,
    )


def take(source: DropFolder) -> dict[str, Batch]:
    """Every file that the source offers of its first resource, as one batch each, by file name."""
    (resource, *_) = source.resources.values()
    taken = {}
    for window in source.windows(resource, since=None, until=NOW, full=False):
        batches: list[Batch] = []
        for batch in source.pull(resource, window):
            batches = [batch] if batch.starts_over else [*batches, batch]
        name = source._folder.file(source._wanted[resource.name], window).name
        taken[name] = Batch(
            pa.concat_tables([batch.table for batch in batches] or [resource.schema.empty_table()]),
            [reject for batch in batches for reject in batch.rejects],
            {key: value for batch in batches for key, value in batch.unknown.items()},
            note=next((batch.note for batch in batches if batch.note), None),
        )
    return taken


def take_one(tmp_path: Path, name: str, content: bytes | str, **changes: Any) -> Batch:
    """One file through one mapping."""
    folder = tmp_path / "drop"
    drop(folder, name, content)
    (batch,) = take(opened(folder, [write_mapping(tmp_path, **changes)])).values()
    return batch
