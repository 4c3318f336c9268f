"""Versions of what models read: `build.version` (name, version, shape, recipe).

A source (schemas landing, config, ops) has another version whenever its content may be another, written with it in
one transaction. Rows of models and tests, with a recipe, are dbt's: see dbt_project/macros/made.sql.
`build.done_version` is what the last good build saw: a build has to look at the sources that differ from it, and at the
views only where the shape of one does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa

from uptake.warehouse.engine import content_of

VERSION = "build.version"
DONE = "build.done_version"


def make_tables(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        f"create table if not exists {VERSION} (name varchar, version varchar, shape varchar, recipe varchar)"
    )
    connection.execute(f"create table if not exists {DONE} (name varchar, version varchar)")
    connection.execute(
        f"alter table {DONE} add column if not exists shape varchar"
    )  # warehouses made before it was kept


def write_tables(connection: duckdb.DuckDBPyConnection, schema: str) -> None:
    """Versions of every table of the schema, by what is in it."""
    names = connection.execute("select table_name from duckdb_tables() where schema_name = ?", [schema]).fetchall()
    _write(
        connection,
        {
            f"{schema}.{name}": (" ".join(map(str, content_of(connection, f'{schema}."{name}"'))), "")
            for (name,) in names
        },
    )


def write_views(connection: duckdb.DuckDBPyConnection, views: Mapping[str, tuple[str, Sequence[str]]]) -> None:
    """Versions of views of schema landing. views: by name, its columns and the identities of its files."""
    _write(
        connection,
        {
            f"landing.{name}": (digest("\n".join([columns, *files])), digest(columns))
            for name, (columns, files) in views.items()
        },
    )


def changed_sources(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Names of sources whose content may be another than in the last good build."""
    rows = connection.execute(
        f"select name from {VERSION} anti join {DONE} using (name, version) where recipe is null"
    ).fetchall()
    return {name for (name,) in rows}


def has_new_shapes(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a source has other columns than in the last good build."""
    rows = connection.execute(
        f"select name from {VERSION} anti join {DONE} using (name, shape) where recipe is null limit 1"
    ).fetchall()
    return bool(rows)


def remember_sources(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        f"create or replace table {DONE} as select name, version, shape from {VERSION} where recipe is null"
    )


def forget_all(connection: duckdb.DuckDBPyConnection) -> None:
    """Everything is then made again."""
    connection.execute(f"delete from {VERSION}")


def _write(connection: duckdb.DuckDBPyConnection, found: Mapping[str, tuple[str, str]]) -> None:
    rows = pa.table(
        {
            "name": pa.array(list(found), pa.string()),
            "version": pa.array([version for version, _ in found.values()], pa.string()),
            "shape": pa.array([shape for _, shape in found.values()], pa.string()),
        }
    )
    connection.execute(f"delete from {VERSION} where name in (select unnest($1::varchar[]))", [list(found)])
    connection.register("incoming", rows)
    connection.execute(f"insert into {VERSION} by name select * from incoming")
    connection.unregister("incoming")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
