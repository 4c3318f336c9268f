"""The warehouse's DuckDB file: opening it, and the few things asked of it outside dbt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from uptake.errors import TransientError

LAST_BUILD = "build.last_build"  # one row, one name: that of the last good build which found something to do


def open_warehouse(path: Path, memory_limit: str) -> duckdb.DuckDBPyConnection:
    """Raises TransientError when another process has it open."""
    try:
        connection = duckdb.connect(str(path), config={"memory_limit": memory_limit})
    except duckdb.IOException as error:
        if "lock" not in str(error).lower():
            raise
        raise TransientError(
            f"another process has {path.name} open",
            remedy="wait for it to end: a warehouse has one writer, and readers use the published snapshot.",
        ) from error
    connection.execute("set TimeZone = 'UTC'")
    return connection


def first_row(
    connection: duckdb.DuckDBPyConnection, query: str, values: list[Any] | None = None
) -> tuple[Any, ...] | None:
    """The first row, read to the end: DuckDB refuses the next statement while a result is half read."""
    rows = connection.execute(query, values or []).fetchall()
    return rows[0] if rows else None


def name_of_last_build(connection: duckdb.DuckDBPyConnection, warehouse: str) -> str | None:
    """The name of the last good build of an attached warehouse; None before the first that was named."""
    try:
        row = first_row(connection, f'select id from "{warehouse}".{LAST_BUILD}')
    except duckdb.CatalogException:
        return None
    return row[0] if row else None


def replace_table(connection: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    connection.register("incoming", rows)
    connection.execute(f"create or replace table {name} as select * from incoming")
    connection.unregister("incoming")


def append_rows(connection: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    connection.register("incoming", rows)
    connection.execute(f"insert into {name} select * from incoming")
    connection.unregister("incoming")


def table_exists(connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> bool:
    query = "select 1 from information_schema.tables where table_schema = ? and table_name = ?"
    return first_row(connection, query, [schema, name]) is not None


def content_of(connection: duckdb.DuckDBPyConnection, relation: str) -> tuple[int, str, str]:
    """Rows of a relation, and two digests of them that do not depend on their order.

    The hash of a row depends on the place of each value in it; a row that is there twice counts twice.
    """
    query = (
        f"select count(*), cast(sum(hash(one)) as varchar), cast(bit_xor(hash(one)) as varchar) from {relation} as one"
    )
    row = connection.execute(query).fetchall()[0]
    return int(row[0]), str(row[1]), str(row[2])


def quoted(value: str) -> str:
    """A text literal."""
    return "'" + value.replace("'", "''") + "'"
