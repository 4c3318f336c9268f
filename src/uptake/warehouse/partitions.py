"""Person-level facts in a snapshot: Parquet files for each date, shared with earlier snapshots where nothing changed.

    published/<district>/<id>/restricted/<table>/on_date=2026-03-03/*.parquet
    published/<district>/<id>/partitions.json    {table: {date: {version, rows, files: {name: {bytes, sha256}}}}}

Copying a year of use for each publication would cost what the history costs. The build gives every date that it is
about to make again a new version (`build.date_version`), before it touches it: a date whose version is the one that an
earlier snapshot holds has the same rows, and its files are hard-linked from there. restricted.duckdb has a view over
the files, by names relative to the snapshot's folder, so that a snapshot can be moved; `read_snapshot_file` says where
that is.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from uptake.errors import CheckError
from uptake.warehouse import durable
from uptake.warehouse.engine import quoted

PARTITIONS = "partitions.json"
FOLDER = "restricted"
STRATEGY = "replace_dates"  # of a model whose dates are made again one by one
DATE_VERSION = "build.date_version"

Partitions = dict[str, dict[str, dict[str, Any]]]  # table -> date -> version, rows, files


def read_snapshot_file(path: Path, file: str) -> duckdb.DuckDBPyConnection:
    """Open leaders.duckdb or restricted.duckdb of the snapshot in `path`, read-only.

    Elsewhere than here: in DuckDB's own shell, start it in the snapshot's folder.
    """
    connection = duckdb.connect(str(path / file), read_only=True)
    connection.execute(f"SET file_search_path = {quoted(str(path))}")
    return connection


def load(path: Path) -> Partitions:
    """Of the snapshot in `path`; empty where it has none."""
    try:
        found: Partitions = json.loads((path / PARTITIONS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found


class PartitionWriter:
    """Writes a candidate's partitions in `target`, linking from `earlier` (snapshot folders, newest first).

    version_of: the version of each date in the warehouse; a date without one is always written.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        target: Path,
        earlier: Iterable[Path],
        version_of: Mapping[date, str],
    ) -> None:
        self._connection = connection
        self._target = target
        self._earlier = [(path, held) for path in earlier if (held := load(path))]
        self._version_of = version_of
        self.written: Partitions = {}

    def add(self, table: str, source: str, order: str, view: str) -> int:
        """Export the relation `source` as `table` and make `view` over it. Returns its rows."""
        counts = self._connection.execute(
            f"SELECT on_date, count(*) FROM {source} GROUP BY on_date ORDER BY on_date"
        ).fetchall()
        folder = self._target / FOLDER / table
        folder.mkdir(parents=True, mode=0o700)
        entries: dict[str, dict[str, Any]] = {}
        new: list[date] = []
        for on_date, rows in counts:
            entry = self._linked(table, on_date, rows)
            if entry is None:
                new.append(on_date)
                entry = {"version": self._version_of.get(on_date), "rows": rows, "files": {}}
            entries[on_date.isoformat()] = entry
        self._export(source, order, folder, new)
        for on_date in new:
            entries[on_date.isoformat()]["files"] = _kept(folder / _name(on_date.isoformat()))
        durable.sync(folder)
        self.written[table] = entries
        files = [
            f"{FOLDER}/{table}/{_name(on_date)}/{name}" for on_date, entry in entries.items() for name in entry["files"]
        ]
        if files:
            names = ", ".join(quoted(name) for name in files)
            self._connection.execute(f"SET file_search_path = {quoted(str(self._target))}")
            relation = f"SELECT * FROM read_parquet([{names}], hive_partitioning = false)"
            self._connection.execute(f"CREATE VIEW {view} AS {relation}")
        else:
            self._connection.execute(f"CREATE TABLE {view} AS SELECT * FROM {source} LIMIT 0")
        return sum(rows for _, rows in counts)

    def save(self) -> None:
        durable.write_json(self._target / PARTITIONS, self.written)

    def _linked(self, table: str, on_date: date, rows: int) -> dict[str, Any] | None:
        version = self._version_of.get(on_date)
        name = on_date.isoformat()
        for path, held in self._earlier:
            entry = held.get(table, {}).get(name)
            if version is None or entry is None or entry["version"] != version or entry["rows"] != rows:
                continue
            place = self._target / FOLDER / table / _name(name)
            place.mkdir(mode=0o700)
            for file in entry["files"]:
                os.link(path / FOLDER / table / _name(name) / file, place / file)
            durable.sync(place)
            return entry
        return None

    def _export(self, source: str, order: str, folder: Path, dates: list[date]) -> None:
        if not dates:
            return
        listed = ", ".join(f"DATE '{on_date}'" for on_date in dates)
        self._connection.execute(
            f"COPY (SELECT * FROM {source} WHERE on_date IN ({listed}) {order}) TO {quoted(str(folder))} "
            "(FORMAT parquet, COMPRESSION zstd, PARTITION_BY (on_date), WRITE_PARTITION_COLUMNS true, "
            "OVERWRITE_OR_IGNORE true)"
        )


def insist_on(path: Path) -> None:
    """The files that were checked are there. Their content is what was written: nobody may write them, and each was
    hashed when it was new; hashing all of them again would cost what the history costs. Raises CheckError."""
    for table, dates in load(path).items():
        for on_date, entry in dates.items():
            for name, described in entry["files"].items():
                file = path / FOLDER / table / _name(on_date) / name
                if not file.exists() or file.stat().st_size != described["bytes"]:
                    raise CheckError(
                        f"{table} of {on_date} is not the file that was checked",
                        remedy="run `uptake check` again; nothing else may write in the published folder.",
                    )


def describe_file(file: Path) -> dict[str, Any]:
    """Size and digest: what was checked is what is published."""
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return {"bytes": file.stat().st_size, "sha256": digest}


def _kept(folder: Path) -> dict[str, dict[str, Any]]:
    """New files of a date, made read-only and lasting."""
    folder.chmod(0o700)
    described = {}
    for file in sorted(folder.iterdir()):
        file.chmod(0o400)
        durable.sync(file)
        described[file.name] = describe_file(file)
    durable.sync(folder)
    return described


def _name(on_date: str) -> str:
    return f"on_date={on_date}"
