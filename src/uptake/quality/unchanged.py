"""Which suites need not run again: nothing that they read has changed since all of their checks last passed.

A suite is known by a fingerprint of everything that its results depend on: its expectations with all of their settings,
the content of every table that they read, and the code and libraries that run them. Which tables a query reads is
said by DuckDB's own parser. Whatever is not known for certain (a query that does not parse, a table function, a
function whose result may change by itself, a table without a digest) gives no fingerprint, and the suite runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb

from uptake import __version__
from uptake.quality.suite import Result, Suite
from uptake.warehouse.partitions import read_snapshot_file
from uptake.warehouse.snapshot import Audience

# Whatever did not change is asked again once a day all the same: a broken assumption must not live longer than that.
LONGEST = timedelta(days=1)
LIBRARIES = ("great-expectations", "duckdb", "duckdb-engine", "sqlalchemy")
# Macros and syntax that the parser shows as functions; each depends on its arguments alone.
_SYNTAX = {"nullif", "unnest"}
# Functions of the session and of the clock that SQL writes as if they were columns.
_SESSION_VALUES = {
    *("current_catalog", "current_date", "current_role", "current_schema", "current_time", "current_timestamp"),
    *("current_user", "localtime", "localtimestamp", "session_user", "user"),
}
_BATCH = '"the suite\'s batch"'  # stands for `{batch}`, whose own query is read once

Digests = Mapping[Audience, Mapping[str, str]]  # of the content of each table


@dataclass(frozen=True, slots=True)
class Kept:
    """What a suite found when it last ran."""

    suite: str
    fingerprint: str
    results: Sequence[Result]

    def stands(self, fingerprint: str | None, now: datetime) -> bool:
        """It may be carried over: same fingerprint, nothing failed, and not too long ago."""
        return fingerprint == self.fingerprint and all(
            result.is_success and timedelta(0) <= now - result.checked_at < LONGEST for result in self.results
        )


class Fingerprints:
    """Of the suites of one candidate.

    code: a digest of the code that asks, see `code_digest`. read: which tables queries read, as an earlier run found
    it; what `of` needs of it or finds anew is in `read` afterwards.
    """

    def __init__(
        self, files: Mapping[Audience, Path], digests: Digests, code: str, read: Mapping[str, list[str] | None]
    ) -> None:
        self.read: dict[str, list[str] | None] = {}
        self._known = read
        self._files = files
        self._digests = digests
        self._code = code

    def of(self, suites: Sequence[Suite]) -> dict[str, str | None]:
        """By suite name; None for one that must run."""
        found: dict[str, str | None] = {}
        for audience in self._files:
            digests = self._digests[audience]
            asked = [suite for suite in suites if suite.audience == audience]
            for suite, tables in zip(asked, self._tables_read(audience, asked), strict=True):
                content = None if tables is None else {table: digests[table] for table in tables}
                found[suite.name] = None if content is None else self._of(suite, content)
        return found

    def _tables_read(self, audience: Audience, suites: Sequence[Suite]) -> list[list[str] | None]:
        """Of each suite. Queries are parsed once for as long as they, the tables that there are, and the code stay."""
        tables, file = self._digests[audience], self._files[audience]
        asked = [_queries(suite) for suite in suites]
        keys = [_digest(json.dumps([queries, sorted(tables), self._code]).encode()) for queries in asked]
        unknown = {key: queries for key, queries in zip(keys, asked, strict=True) if key not in self._known}
        if unknown:
            with closing(read_snapshot_file(file.parent, file.name)) as connection:
                found = tables_read(connection, unknown, tables)
            self.read |= {key: None if read is None else sorted(read) for key, read in found.items()}
        self.read |= {key: self._known[key] for key in keys if key in self._known}
        return [self.read[key] for key in keys]

    def _of(self, suite: Suite, content: Mapping[str, str]) -> str:
        asked = [expectation.configuration.to_json_dict() for expectation in suite.expectations]
        return _digest(json.dumps([suite.name, suite.query, asked, content, self._code], sort_keys=True).encode())


def _queries(suite: Suite) -> list[str]:
    asked = [getattr(expectation, "unexpected_rows_query", None) for expectation in suite.expectations]
    return [suite.batch, *(query.format(batch=_BATCH) for query in asked if query is not None)]


def code_digest(folders: Collection[Path]) -> str:
    """Of all Python files in the folders, and of the versions of the libraries that decide what comes out."""
    parts = [__version__, *(f"{name} {version(name)}" for name in LIBRARIES)]
    for folder in folders:
        parts += [_digest(path.read_bytes()) for path in sorted(folder.rglob("*.py"))]
    return _digest("\n".join(parts).encode())


def tables_read(
    connection: duckdb.DuckDBPyConnection, queries: Mapping[str, Sequence[str]], known: Collection[str]
) -> dict[str, set[str] | None]:
    """For each name, which of the known tables and views its queries read; None where anything else may decide what
    comes out."""
    pure = _SYNTAX | {
        row[0]
        for row in connection.execute(
            """
            SELECT function_name
            FROM duckdb_functions()
            GROUP BY function_name
            HAVING bool_and(function_type IN ('scalar', 'aggregate', 'window') AND stability = 'CONSISTENT')
            """
        ).fetchall()
    }
    parsed = connection.execute(
        "SELECT name, json_serialize_sql(text) "
        "FROM (SELECT unnest($1::VARCHAR[]) AS name, unnest($2::VARCHAR[]) AS text) AS query",
        [
            [name for name, texts in queries.items() for _ in texts],
            [text for texts in queries.values() for text in texts],
        ],
    ).fetchall()
    read: dict[str, set[str] | None] = {name: set() for name in queries}
    for name, tree in parsed:
        tables, before = _tables(json.loads(tree), known, pure), read[name]
        read[name] = None if tables is None or before is None else before | tables
    return read


def _tables(tree: Mapping[str, Any], known: Collection[str], pure: Collection[str]) -> set[str] | None:
    nodes = list(_nodes(tree))
    if tree["error"] or not all(_is_pure(node, pure) for node in nodes):
        return None
    named = {node["table_name"] for node in nodes if node.get("type") == "BASE_TABLE"} - {_BATCH.strip('"')}
    within = {entry["key"] for node in nodes if "cte_map" in node for entry in node["cte_map"]["map"]}
    # A name that is both a table's and a subquery's is taken to be the table's.
    return named & set(known) if named <= within | set(known) else None


def _is_pure(node: Mapping[str, Any], pure: Collection[str]) -> bool:
    if node.get("type") in ("TABLE_FUNCTION", "SHOW_REF") or node.get("sample") is not None:
        return False
    if node.get("type") == "BASE_TABLE" and (node["schema_name"] or node["catalog_name"]):
        return False
    names = node.get("column_names", ())
    if len(names) == 1 and str(names[0]).lower() in _SESSION_VALUES:
        return False
    return "function_name" not in node or node["function_name"] in pure


def _nodes(tree: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(tree, dict):
        yield tree
    for child in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(child)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
