"""Under which domains anybody may register one: the Public Suffix List, as the package `publicsuffixlist` holds it.

The list's rules are data here and not a function, so that the models can match hosts by an ordinary join. Format of the
list: https://github.com/publicsuffix/list/wiki/Format. It is as old as the package in requirements.lock and never
fetched.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import publicsuffixlist
import pyarrow as pa

from uptake.warehouse.engine import first_row, quoted, replace_table

LIST_VERSION: str = publicsuffixlist.__version__

SCHEMA = pa.schema([("domain", pa.string()), ("labels", pa.int32()), ("is_exception", pa.bool_())])


def write_public_suffixes(connection: duckdb.DuckDBPyConnection) -> None:
    """Table config.public_suffix, where it is not of this list already: to read the list takes longer than all the
    other settings."""
    table = "config.public_suffix"
    held = first_row(
        connection, "select comment from duckdb_tables() where schema_name || '.' || table_name = ?", [table]
    )
    if held is None or held[0] != LIST_VERSION:
        replace_table(connection, table, public_suffixes())
        connection.execute(f"comment on table {table} is {quoted(LIST_VERSION)}")


def public_suffixes() -> pa.Table:
    """A row for each rule: under `domain` the public suffix has so many `labels`.

    `co.uk` has 2. `*.ck` is the domain `ck` with 2: every name below it is a suffix itself. An exception (`!www.ck`)
    goes before every other rule. Names as DNS writes them (punycode), in lower case.
    """
    rules = [_rule(line.split()[0]) for line in _lines() if line and not line.startswith("//")]
    return pa.Table.from_pylist(rules, schema=SCHEMA)


def _lines() -> list[str]:
    return [line.strip() for line in Path(publicsuffixlist.PSLFILE).read_text(encoding="utf-8").splitlines()]


def _rule(text: str) -> dict[str, object]:
    is_exception, is_wildcard = text.startswith("!"), text.startswith("*.")
    name = text.removeprefix("!").removeprefix("*.")
    domain = ".".join(label if label.isascii() else label.encode("idna").decode() for label in name.split(".")).lower()
    labels = domain.count(".") + 1 + is_wildcard - is_exception
    return {"domain": domain, "labels": labels, "is_exception": is_exception}
