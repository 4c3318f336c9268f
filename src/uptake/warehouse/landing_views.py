"""Schema `landing`: a typed view over the live files of each resource, wherever it came from.

The lake is the only store of landed rows. A view names its files one by one: what is not in the ledger does not count.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from uptake.contracts import TIMESTAMP, Resource
from uptake.warehouse import versions
from uptake.warehouse.engine import quoted

Name = tuple[str, str]  # (namespace, resource)

# What a compacted file holds beside each row: what the ledger knew of the file that the row landed in.
OWN_COLUMNS = (pa.field("_window", pa.string()), pa.field("_landed_at", TIMESTAMP), pa.field("_as_of_at", TIMESTAMP))

_ROW_NO = "file_index * 1000000000000 + file_row_number"


@dataclass(frozen=True, slots=True)
class LakeFile:
    """A file that counts. Times are UTC.

    landed_at is the machine's time, which orders files; as_of is the district's clock, the time that the rows speak for
    (a simulated district has a clock of its own). first, last: first and last event, None for an entity.
    """

    id: int
    name: Name
    path: Path
    source: str
    window: str
    landed_at: datetime
    as_of: datetime
    first: datetime | None
    last: datetime | None
    rows: int


def live_files(connection: duckdb.DuckDBPyConnection, lake: Path) -> list[LakeFile]:
    """The files that count, oldest first, as schema `ops` knows them.

    So what models count by the ledger and what they read from the lake is the same, whatever lands meanwhile.
    """
    query = f"select {_FILE_COLUMNS} from ops.landed_file where superseded_at is null order by landed_at, id"
    return [_lake_file(row, lake) for row in connection.execute(query).fetchall()]


def compacted_files(connection: duckdb.DuckDBPyConnection, lake: Path) -> list[tuple[int, LakeFile]]:
    """(id of the file that has its rows now, file) of each file that was put together with others."""
    query = f"select compacted_into, {_FILE_COLUMNS} from ops.landed_file where compacted_into is not null"
    return [(into, _lake_file(row, lake)) for into, *row in connection.execute(query).fetchall()]


_FILE_COLUMNS = """id, namespace, resource, path, source, window_token, landed_at, coalesce(window_end, landed_at),
    event_min, event_max, row_count"""


def _lake_file(row: Sequence[Any], lake: Path) -> LakeFile:
    file_id, namespace, resource, path, *rest = row
    return LakeFile(file_id, (namespace, resource), lake / path, *rest)


def write_views(
    connection: duckdb.DuckDBPyConnection,
    resources: Mapping[Name, Resource],
    files: Iterable[LakeFile],
    schema_dir: Path,
) -> None:
    """Replace every view of schema `landing`, and write its version.

    Columns are those of the resource's landed schema, whatever the age of a file: one that has no such column yet has
    it NULL. Each row has _source, _window, _landed_at and _as_of_at, which come from the ledger, and _row_no, which
    row of which file it is: unique in the view, and another after the view was made again. They cost nothing to a query
    that does not ask for them. `schema_dir` holds a file without rows for each resource, which gives the columns.
    """
    by_name: dict[Name, list[LakeFile]] = {name: [] for name in resources}
    for file in files:
        if file.name in by_name:  # a district's own drop-folder mapping: its rows have no model yet
            by_name[file.name].append(file)
    known = "select view_name, comment from duckdb_views() where schema_name = 'landing'"
    held = dict(connection.execute(known).fetchall())
    contents = {}
    for (namespace, name), resource in resources.items():
        view, shown = f"{namespace}__{name}", by_name[namespace, name]
        pattern, shape = _schema_path(schema_dir, namespace, resource), _shape(resource)
        contents[view] = (shape, [_identity(file) for file in shown])
        # There are a hundred of them and a batch touches few: a view that would be made as it is stays.
        recipe = versions.digest(f"{duckdb.__version__} {_ROW_NO} {_query(shape, pattern, shown)}")
        if held.get(view) == recipe and pattern.exists():
            continue
        columns = _columns(connection, schema_file(schema_dir, namespace, resource))
        query = _query(f"{columns}, {_ROW_NO} as _row_no", pattern, shown)
        connection.execute(f'create or replace view landing."{view}" as {query}')
        connection.execute(f"comment on view landing.\"{view}\" is '{recipe}'")
    versions.write_views(connection, contents)


def _identity(file: LakeFile) -> str:
    """A file never changes under its name, which has a digest of its content; where the lake lies does not matter."""
    return f"{file.id} {file.path.name} {file.source} {file.window} {file.landed_at} {file.as_of}"


def schema_file(folder: Path, namespace: str, resource: Resource) -> Path:
    """A file without rows that has every column of the resource, and those that a compacted file has beside them."""
    path = _schema_path(folder, namespace, resource)
    schema = _schema(resource)
    if not path.exists() or not pq.read_schema(path).equals(schema):
        folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.tmp")
        pq.write_table(schema.empty_table(), draft)
        draft.replace(path)
    return path


def _schema_path(folder: Path, namespace: str, resource: Resource) -> Path:
    return folder / f"{namespace}__{resource.name}.parquet"


def _schema(resource: Resource) -> pa.Schema:
    schema = resource.landed_schema
    for field in OWN_COLUMNS:
        schema = schema.append(field)
    return schema


def _shape(resource: Resource) -> str:
    return "\n".join(f"{field.name} {field.type}" for field in _schema(resource))


def rows_of_files(connection: duckdb.DuckDBPyConnection, pattern: Path, files: Sequence[LakeFile]) -> str:
    """A query of the files' rows with what the ledger knows of each; `pattern` as `schema_file` makes it."""
    return _query(_columns(connection, pattern), pattern, files)


def _columns(connection: duckdb.DuckDBPyConnection, pattern: Path) -> str:
    described = connection.execute(f"describe select * from read_parquet({quoted(str(pattern))})").fetchall()
    own = {field.name for field in OWN_COLUMNS}
    return ", ".join(f'cast("{row[0]}" as {row[1]}) as "{row[0]}"' for row in described if row[0] not in own)


def _query(columns: str, pattern: Path, files: Sequence[LakeFile]) -> str:
    if not files:
        unknown = "null::varchar as _source, null::varchar as _window"
        times = "null::timestamptz as _landed_at, null::timestamptz as _as_of_at"
        return f"select {columns}, {unknown}, {times} from read_parquet({quoted(str(pattern))})"
    # file_index is the file's place in the list, so what the ledger knows of a file is looked up by it, not joined.
    known = {
        "_source": [quoted(file.source) for file in files],
        "_window": [quoted(file.window) for file in files],
        "_landed_at": [_time(file.landed_at) for file in files],
        "_as_of_at": [_time(file.as_of) for file in files],
    }
    own = {field.name for field in OWN_COLUMNS}
    found = {name: f"({_list(['null', *values])})[cast(file_index + 1 as bigint)]" for name, values in known.items()}
    looked_up = ", ".join(
        f"coalesce({name}, {value}) as {name}" if name in own else f"{value} as {name}" for name, value in found.items()
    )
    paths = _list(quoted(str(path)) for path in [pattern, *(file.path for file in files)])
    return f"select {columns}, {looked_up} from read_parquet({paths}, union_by_name = true)"


def _time(value: datetime) -> str:
    return f"timestamptz '{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00'"


def _list(items: Iterable[str]) -> str:
    return "[" + ", ".join(items) + "]"


def has_plain_dates(resource: Resource) -> bool:
    """The resource says on which date something happened, not when: the date is the district's own already."""
    if resource.event_time is None:
        return False
    return bool(pa.types.is_date(resource.landed_schema.field(resource.event_time).type))
