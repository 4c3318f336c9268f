"""Rows that broke their contract: kept, readable without a name in sight, and able to come back.

One Parquet file for each (window, reason, column), with the columns row_number, reason, column, redacted and sealed.
`redacted` is the row for a person's eye: identifiers as pseudonyms, numbers, times and booleans that fit their
declared type as they are, the offending value as its shape (letters `a`, digits `9`), everything else as `…`. `sealed`
is the raw row, encrypted with the district's seal key, so that it can be replayed.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from uptake.contracts import Batch, Field, Reject, Resource
from uptake.landing.door import Door
from uptake.landing.ledger import At, NewQuarantine
from uptake.landing.writer import checked_token, folder_of, sync_folder

SCHEMA = pa.schema(
    [
        pa.field("row_number", pa.int64()),  # of this reason and column, in order of arrival, from 1
        pa.field("reason", pa.string()),
        pa.field("column", pa.string()),
        pa.field("redacted", pa.string()),
        pa.field("sealed", pa.binary()),
    ]
)
UNKNOWN_SCHEMA = pa.schema(
    [
        pa.field("columns", pa.list_(pa.string())),
        pa.field("row_count", pa.int64()),
        pa.field("sealed", pa.binary()),  # Arrow IPC of the rows' keys, as landed, and the unknown columns as text
    ]
)
HIDDEN = "…"
_SHAPE_LIMIT = 40


class WindowQuarantine:
    """Gathers what one window rejects. `finish` writes the files; the ledger makes them count."""

    def __init__(self, root: Path, at: At, token: str, resource: Resource, door: Door) -> None:
        self._root = root
        self._folder = folder_of(root, at, datetime.now(UTC))
        self._token = checked_token(token)
        self._resource = resource
        self._door = door
        self.start_over()

    def start_over(self) -> None:
        """Forget the rows that were added."""
        self._groups: dict[tuple[str, str | None], list[Reject]] = {}
        self._unknown: list[tuple[list[str], int, bytes]] = []
        self.row_count = 0
        self.rejects: list[Reject] = []

    @property
    def unknown_columns(self) -> list[str]:
        return sorted({name for names, _, _ in self._unknown for name in names})

    def add(self, batch: Batch, admitted: pa.Table) -> None:
        """The rejects of a batch, and its unknown columns beside the keys of the rows that were admitted."""
        for reject in batch.rejects:
            self._groups.setdefault((reject.reason, reject.column), []).append(reject)
        self.rejects.extend(batch.rejects)
        self.row_count += len(batch.rejects)
        names = sorted(batch.unknown)
        if names:
            self._unknown.append((names, admitted.num_rows, self._sealed_table(batch, admitted, names)))

    def finish(self) -> list[NewQuarantine]:
        files = [self._write_group(reason, column, rows) for (reason, column), rows in self._groups.items()]
        if self._unknown:
            self._write_unknown()
        return files

    def _sealed_table(self, batch: Batch, admitted: pa.Table, names: Sequence[str]) -> bytes:
        columns: dict[str, pa.Array | pa.ChunkedArray] = {f"key.{name}": admitted.column(name) for name in self._keys()}
        for name in names:
            columns[name] = pa.array([_as_text(value) for value in batch.unknown[name]], pa.string())
        sink = io.BytesIO()
        table = pa.table(columns)
        with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as stream:
            stream.write_table(table)
        return sink.getvalue()

    def _keys(self) -> list[str]:
        landed = set(self._resource.landed_schema.names)
        return [name for name in self._resource.key if name in landed]

    def _write_group(self, reason: str, column: str | None, rows: Sequence[Reject]) -> NewQuarantine:
        seal = self._door.keyring.seal
        table = pa.table(
            [
                range(1, len(rows) + 1),
                [reason] * len(rows),
                [column] * len(rows),
                [redact(self._resource, self._door, row) for row in rows],
                [seal.encrypt(row.raw.encode()) for row in rows],
            ],
            schema=SCHEMA,
        )
        mark = self._mark(f"{reason}\x1f{column}", (row.raw.encode() for row in rows))
        path = self._write(f"{self._token}.{mark}.parquet", table)
        return NewQuarantine(path.relative_to(self._root).as_posix(), reason, column, len(rows))

    def _write_unknown(self) -> None:
        seal = self._door.keyring.seal
        mark = self._mark("unknown columns", (raw for _, _, raw in self._unknown))
        table = pa.table(
            [
                [names for names, _, _ in self._unknown],
                [count for _, count, _ in self._unknown],
                [seal.encrypt(raw) for _, _, raw in self._unknown],
            ],
            schema=UNKNOWN_SCHEMA,
        )
        self._write(f"{self._token}.{mark}.unknown.parquet", table)

    def _mark(self, title: str, rows: Any) -> str:
        """A keyed hash, so that a file's name gives nothing away and the same rows have the same name."""
        digest = hmac.new(self._door.keyring.pseudonym, f"quarantine\x1f{title}".encode(), hashlib.sha256)
        for row in rows:
            digest.update(b"\x1e" + row)
        return digest.hexdigest()[:16]

    def _write(self, name: str, table: pa.Table) -> Path:
        path = self._folder / name
        if path.exists():  # the same rows, written by an earlier run of this window
            return path
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._folder / f".{name}.{os.getpid()}.tmp"
        try:
            with draft.open("wb") as file:
                pq.write_table(table, file, compression="zstd")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(self._folder)
        return path


def redact(resource: Resource, door: Door, reject: Reject) -> str:
    """A rejected row for a person's eye, as JSON; `…` where the raw text is not a JSON object."""
    record = raw_record(reject)
    if record is None:
        return HIDDEN
    shown = {field.name: _shown(resource, field, value_at(record, field), reject, door) for field in resource.fields}
    return orjson.dumps({name: value for name, value in shown.items() if value is not None}).decode()


def raw_record(reject: Reject) -> dict[str, Any] | None:
    """The raw row as an object by vendor name; None where the raw text is something else (a cut line, say)."""
    try:
        record = orjson.loads(reject.raw)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None


def value_at(record: Mapping[str, Any], field: Field) -> Any:
    """A field's value in a raw record: under its own name, or at its dotted path."""
    if field.name in record:
        return record[field.name]
    value: Any = record
    for step in (field.path or field.name).split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


def _shown(resource: Resource, field: Field, value: Any, reject: Reject, door: Door) -> Any:
    if value is None:
        return None
    if field.identifier and isinstance(value, str | int):
        return door.landed_value(resource, field, value)
    if field.name == reject.column and field.is_landed and not (field.identifier or field.url):
        return _shape(value)
    if not field.is_landed or field.identifier or field.url:
        return HIDDEN
    return value if _is_plain(field.type, value) else HIDDEN


def _is_plain(kind: pa.DataType, value: Any) -> bool:
    """Whether a value says no more than a number, a time or a boolean: free text may hold a name."""
    if pa.types.is_boolean(kind) and isinstance(value, bool):
        return True
    if not (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_temporal(kind)
    ):
        return False
    if isinstance(value, bool):
        return False
    if isinstance(value, int | float):
        return True
    return isinstance(value, str) and re.fullmatch(r"[0-9TZ:.,+\-/ ]{1,40}", value) is not None


def _shape(value: Any) -> str:
    text = _as_text(value) or ""
    shape = re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "9", text[:_SHAPE_LIMIT]))
    return shape + (HIDDEN if len(text) > _SHAPE_LIMIT else "")


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value, default=str).decode()


def unseal(root: Path, path: str, door: Door) -> list[Reject]:
    """The rejects of a quarantine file, in order, raw again."""
    table = pq.read_table(root / path)
    seal = door.keyring.seal
    return [
        Reject(reason, column, seal.decrypt(token).decode())
        for reason, column, token in zip(
            table.column("reason").to_pylist(),
            table.column("column").to_pylist(),
            table.column("sealed").to_pylist(),
            strict=True,
        )
    ]


def read_redacted(root: Path, path: str, *, limit: int) -> list[tuple[int, str]]:
    """(row number, redacted row) of the first rows of a quarantine file; nothing is unsealed."""
    table = pq.read_table(root / path, columns=["row_number", "redacted"]).slice(0, limit)
    return list(zip(table.column("row_number").to_pylist(), table.column("redacted").to_pylist(), strict=True))
