"""Small landed files become few: the same rows, with what the ledger knows of each, in one file.

A compacted file holds the rows of files that lay next to each other in the ledger's order, and beside each row the
window, landing time and clock of the file that it came in (`_window`, `_landed_at`, `_as_of_at`). So whoever reads the
lake sees the same rows as before: none is dropped or merged.

What may be read again by its window is left alone: dropped files, replays, spans inside the source's look-back, and the
newest file of an entity. Spans of events are put together within one UTC day, so that reading the day again still
replaces all of them; a part of such a day that is read again lies beside it, and the newest row of a key wins.

One transaction of the ledger puts the new file in the place of the others. Killed before it: the new file is in no
ledger, and the next sweep removes it. The files that were replaced stay as long as other superseded ones
(`uptake.retention`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from uptake.config import District
from uptake.contracts import Resource
from uptake.errors import PermanentError
from uptake.landing import ledger
from uptake.landing.ledger import COMPACTED, At, NewFile, Record
from uptake.landing.writer import folder_of, keep_file, sync_folder
from uptake.operations.models import LandedFile
from uptake.project import Project
from uptake.warehouse.engine import quoted
from uptake.warehouse.landing_views import LakeFile, rows_of_files, schema_file

SMALL_BYTES = 16 * 2**20
WHOLE_BYTES = 128 * 2**20  # of the files that become one
SETTLED = timedelta(days=1)  # since a file landed: by then nobody is at work on it
FEWEST = 4
ROW_GROUP_ROWS = 1_000_000


@dataclass(slots=True)
class Compacted:
    """files became `into` files; bytes before and after. In a dry run: files that would, and no `bytes_after`."""

    files: int = 0
    into: int = 0
    rows: int = 0
    bytes_before: int = 0
    bytes_after: int = 0


def compact(
    project: Project,
    district: District,
    source: str,
    resources: Iterable[tuple[str, Resource]],
    *,
    run_id: str,
    now: datetime,
    clock_now: datetime,
    dry_run: bool = False,
) -> Compacted:
    """Put the settled small files of one source together. The caller holds the source's lock, so that no sweep takes a
    new file for one that was left behind. Safe to repeat after a crash at any instant.

    resources: (namespace, resource) of the source. now: the machine's time. clock_now: the district's, by which spans
    of events are inside the look-back.
    """
    done = Compacted()
    for namespace, resource in resources:
        at = At(district.id, source, resource.name)
        for group in groups_of(_live(project, at), resource, now=now, clock_now=clock_now):
            done.files += len(group)
            done.into += 1
            done.rows += sum(row.row_count for row in group)
            done.bytes_before += sum(row.byte_count for row in group)
            if not dry_run:
                done.bytes_after += _replace(project, at, namespace, resource, group, run_id=run_id, now=now)
    return done


def groups_of(
    files: Sequence[LandedFile], resource: Resource, *, now: datetime, clock_now: datetime
) -> Iterator[list[LandedFile]]:
    """Neighbours that may become one file. `files`: the live files of a resource, oldest first."""
    last = files[-1] if files and resource.kind == "entity" else None

    def place(row: LandedFile) -> tuple[Any, ...] | None:
        """Files of one place may go together; None for one that stays as it is."""
        is_settled = row.landed_at < now - SETTLED
        if row is last or not is_settled or row.byte_count > SMALL_BYTES or row.window_token.startswith(_FIXED):
            return None
        if row.window_mode == "interval" and row.window_start and row.window_end:
            day = row.window_start.date()
            if row.window_end > clock_now - resource.lookback - SETTLED or _end(row.window_end) != day:
                return None
            return "interval", day
        if row.window_mode == "file":
            # Dropped files are known by their window; what was pushed never comes again.
            return ("pushed", row.landed_at.date()) if row.received_at else None
        return ("entity",) if resource.kind == "entity" else None

    for where, neighbours in groupby(files, key=place):
        if where is None:
            continue
        for group in _parted(list(neighbours)):
            if len(group) >= FEWEST:
                yield group


_FIXED = (f"{COMPACTED}-", "replay-")


def _end(end: datetime) -> date:
    """The UTC date on which a span ends; midnight belongs to the day before."""
    return (end.astimezone(UTC) - timedelta(microseconds=1)).date()


def _parted(files: list[LandedFile]) -> Iterator[list[LandedFile]]:
    part: list[LandedFile] = []
    size = 0
    for row in files:
        if part and size + row.byte_count > WHOLE_BYTES:
            yield part
            part, size = [], 0
        part.append(row)
        size += row.byte_count
    if part:
        yield part


def _live(project: Project, at: At) -> list[LandedFile]:
    return ledger.live_files(project.operations, at.district, at.source, at.resource)


def _replace(
    project: Project, at: At, namespace: str, resource: Resource, group: list[LandedFile], *, run_id: str, now: datetime
) -> int:
    """Returns the new file's size; 0 when one of the group had ceased to count meanwhile."""
    folder = folder_of(project.lake, at, now)
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{COMPACTED}-{group[0].id}-{group[-1].id}.{os.getpid()}.tmp"
    try:
        _write(project, namespace, resource, group, draft)
        rows = pq.read_metadata(draft).num_rows
        if rows != sum(row.row_count for row in group):
            raise PermanentError(
                f"{rows} rows were written for {sum(row.row_count for row in group)} that the ledger knows",
                remedy="nothing was changed; compare the lake with the ledger (`uptake doctor`).",
                **at.columns(),
            )
        path, content_hash, byte_count = keep_file(draft, f"{COMPACTED}-{group[0].id}-{group[-1].id}")
    finally:
        draft.unlink(missing_ok=True)
    starts, ends = _times(row.event_min for row in group), _times(row.event_max for row in group)
    file = NewFile(
        path=path.relative_to(project.lake).as_posix(),
        content_hash=content_hash,
        row_count=rows,
        deleted_count=sum(row.deleted_count for row in group),
        byte_count=byte_count,
        event_min=min(starts, default=None),
        event_max=max(ends, default=None),
    )
    record = Record("compact", rows_in=rows, rows_out=rows, details={"files": len(group), "bytes": byte_count})
    if not ledger.commit_compaction(project.operations, at, group, file, run_id=run_id, record=record):
        path.unlink()
        sync_folder(folder)
        return 0
    return byte_count


def _write(project: Project, namespace: str, resource: Resource, group: list[LandedFile], draft: Path) -> None:
    files = [
        LakeFile(
            row.id,
            (namespace, resource.name),
            project.lake / row.path,
            row.source,
            row.window_token,
            row.landed_at,
            row.window_end or row.landed_at,
            row.event_min,
            row.event_max,
            row.row_count,
        )
        for row in group
    ]
    pattern = schema_file(project.state_dir / "warehouse" / "schema", namespace, resource)
    order = [name for name in (resource.event_time, *resource.key) if name]
    sorted_by = ", ".join(f'"{name}"' for name in dict.fromkeys([*order, "_landed_at", "_window"]))
    with closing(
        duckdb.connect(config={"memory_limit": "1GB", "temp_directory": str(draft.with_suffix(".spill"))})
    ) as db:
        db.execute("set TimeZone = 'UTC'")
        rows = rows_of_files(db, pattern, files)
        db.execute(
            f"copy (select * exclude (_source) from ({rows}) order by {sorted_by}) to {quoted(str(draft))} "
            f"(format parquet, compression zstd, row_group_size {ROW_GROUP_ROWS})"
        )


def _times(values: Iterable[datetime | None]) -> list[datetime]:
    return [value for value in values if value is not None]
