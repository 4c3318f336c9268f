"""Landed Parquet: one file per window, complete or not there at all.

A file is written under a temporary name in its own folder, synced and renamed; nothing in it depends on the time of the
run, so the same rows make the same file and the same hash: they are sorted. Events mostly come in order of time: the
first of them are written while the next are read, and are taken back if an earlier one comes after all.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from uptake.contracts import Resource
from uptake.landing.ledger import At, NewFile

SORT_ROWS = 5_000_000  # beyond either limit a window is written as it comes, in order of arrival
SORT_BYTES = 512 * 2**20
ROW_GROUP_ROWS = 1_000_000
SLACK_ROWS = 250_000  # so many rows wait behind those that are written early, and may be out of order
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
_HASH_IN_NAME = 16


def folder_of(root: Path, at: At, day: datetime) -> Path:
    """district=/source=/resource=/day=/ under `root`. `day` is the machine's date of landing, in UTC."""
    return (
        root
        / f"district={at.district}"
        / f"source={at.source}"
        / f"resource={at.resource}"
        / f"day={day.astimezone(UTC):%Y-%m-%d}"
    )


def checked_token(token: str) -> str:
    """A window's token as part of a file name. Raises ValueError for one that is none."""
    if not _TOKEN.fullmatch(token):
        raise ValueError(f"window token {token!r} cannot be part of a file name")
    return token


class WindowWriter:
    """Gathers the admitted rows of one window. Use it in a `with` block; without `finish` nothing stays on disk."""

    def __init__(self, lake: Path, at: At, token: str, resource: Resource) -> None:
        self._lake = lake
        self._folder = folder_of(lake, at, datetime.now(UTC))
        self._token = checked_token(token)
        self._draft = self._folder / f".{self._token}.{os.getpid()}.tmp"
        self._schema = resource.landed_schema
        self._event_time = resource.event_time
        order = ((resource.event_time,) if resource.event_time else ()) + resource.key
        self._order = tuple(dict.fromkeys(name for name in order if name in self._schema.names))
        self._parquet: pq.ParquetWriter | None = None
        self.start_over()

    def start_over(self) -> None:
        """Forget the rows that were added."""
        self._discard()
        self._hold([])
        self._is_sorted = True
        self._writes_early = self._event_time is not None
        self._written_until: datetime | None = None  # the time of the last row that was written early
        self._written_bytes = 0
        self._first: datetime | None = None
        self._last: datetime | None = None
        self.row_count = 0
        self.deleted_count = 0

    def __enter__(self) -> WindowWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._discard()

    def _discard(self) -> None:
        if self._parquet is not None:
            self._parquet.close()
            self._parquet = None
        self._draft.unlink(missing_ok=True)

    def add(self, table: pa.Table, *, deleted: bool = False) -> None:
        """Rows as the door gave them; `deleted` marks rows of an entity that vanished from their source."""
        if table.num_rows == 0:
            return
        if "_deleted" in self._schema.names:
            flags = pa.repeat(pa.scalar(deleted), table.num_rows)
            table = table.append_column(self._schema.field("_deleted"), flags)
        first = self._note_times(table)
        if self._writes_early and self._written_until and first and first <= self._written_until:
            self._take_back()
        table = table.select(self._schema.names)
        self._waiting.append(table)
        self._waiting_rows += table.num_rows
        self._waiting_bytes += table.nbytes
        self.row_count += table.num_rows
        self.deleted_count += table.num_rows if deleted else 0
        if self._writes_early and self._waiting_rows >= ROW_GROUP_ROWS + SLACK_ROWS:
            self._write_early()
        if not self._is_sorted or self._waiting_rows > SORT_ROWS or self._waiting_bytes > SORT_BYTES:
            self._is_sorted = self._writes_early = False
            self._write(self._taken())

    def finish(self) -> NewFile | None:
        """Sync and rename; the file counts only once the ledger says so. None when there was no row."""
        if self.row_count == 0:
            return None
        if self._waiting:
            self._write(self._taken())
        assert self._parquet is not None
        self._parquet.close()
        self._parquet = None
        path, content_hash, byte_count = keep_file(self._draft, self._token)
        return NewFile(
            path=path.relative_to(self._lake).as_posix(),
            content_hash=content_hash,
            row_count=self.row_count,
            deleted_count=self.deleted_count,
            byte_count=byte_count,
            event_min=self._first,
            event_max=self._last,
        )

    def _hold(self, tables: list[pa.Table]) -> None:
        self._waiting = tables
        self._waiting_rows = sum(table.num_rows for table in tables)
        self._waiting_bytes = sum(table.nbytes for table in tables)

    def _taken(self) -> pa.Table:
        """The rows that wait, in order unless they are too many; then none does."""
        table = pa.concat_tables(self._waiting)
        self._hold([])
        return table.take(_sorted(table, self._order)) if self._is_sorted else table

    def _write_early(self) -> None:
        """Of the rows that wait, those which are the first of the whole window if all that comes is later."""
        table = self._taken()
        head, rest = table[:ROW_GROUP_ROWS], table[ROW_GROUP_ROWS:]
        last = head.column(self._event_time)[-1].as_py()
        if last is None:  # what has no time stands behind all that has one
            self._writes_early = False
            self._hold([table])
            return
        self._written_until = _as_time(last)
        self._written_bytes += head.nbytes
        self._write(head)
        self._hold([rest])

    def _take_back(self) -> None:
        """An earlier row comes after later ones were written: from now on all wait for the end or, where they are too
        many for that, are written as they come."""
        self._writes_early = False
        if self.row_count > SORT_ROWS or self._written_bytes + self._waiting_bytes > SORT_BYTES:
            self._is_sorted = False
            return
        assert self._parquet is not None
        self._parquet.close()
        written = pq.ParquetFile(self._draft).read()
        self._discard()
        self._hold([written, *self._waiting])

    def _write(self, table: pa.Table) -> None:
        if self._parquet is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._parquet = pq.ParquetWriter(self._draft, self._schema, compression="zstd")
        self._parquet.write_table(table, row_group_size=ROW_GROUP_ROWS)

    def _note_times(self, table: pa.Table) -> datetime | None:
        """The first time of the rows."""
        if self._event_time is None:
            return None
        ends = pc.min_max(table.column(self._event_time)).as_py()
        if ends["min"] is None:
            return None
        first, last = _as_time(ends["min"]), _as_time(ends["max"])
        self._first = first if self._first is None else min(first, self._first)
        self._last = last if self._last is None else max(last, self._last)
        return first


def keep_file(draft: Path, token: str) -> tuple[Path, str, int]:
    """Sync a whole draft and give it its name in its folder. Returns path, SHA-256 and size."""
    content_hash, byte_count = _digest_and_sync(draft)
    path = draft.parent / f"{checked_token(token)}.{content_hash[:_HASH_IN_NAME]}.parquet"
    draft.replace(path)
    sync_folder(path.parent)
    return path, content_hash, byte_count


def _as_time(value: object) -> datetime:
    """A date counts from its midnight, in UTC: which district day that is, the warehouse knows."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime.combine(value, datetime.min.time(), UTC)  # type: ignore[arg-type]


def _sorted(table: pa.Table, order: Sequence[str]) -> pa.Array:
    return pc.sort_indices(table, sort_keys=[(name, "ascending") for name in order])


def _digest_and_sync(path: Path) -> tuple[str, int]:
    """SHA-256 and size of a file that is then safe on disk."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
        return digest, file.tell()


def sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
