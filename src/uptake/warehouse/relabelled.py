"""What a change of the tool catalogue's addresses makes again: the dates whose use is of another tool now.

To name a host that nobody had named is the common case, and costs the dates on which somebody was seen there. Where use
changes from one tool to another, or loses its tool, every date with events is made again: which hosts a tool's use was
of is not kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import cache

import duckdb
from publicsuffixlist import PublicSuffixList

from uptake.catalogue import Catalogue
from uptake.warehouse.engine import quoted, table_exists

Row = tuple[str, str, str]  # tool_id, host, path_prefix


def addresses_of(catalogue: Catalogue) -> set[Row]:
    return {(tool.tool_id, address.host, address.path_prefix) for tool in catalogue.tools for address in tool.addresses}


def domains_named(before: set[Row], now: set[Row]) -> set[str] | None:
    """Domains under which hosts that had no tool may have one now. None: use may have changed from tool to tool.

    A domain here is never smaller than the models' (dbt_project/macros/registered_domain.sql), which know more domains
    that many share.
    """
    if before - now:
        return None
    found = set()
    for tool, host, path in now - before:
        domain = _list().privatesuffix(host) or host
        if any(known[0] != tool and _covers(known, host, path) for known in before):
            return None
        owner = _owner(before, domain)
        if owner is not None and _owner(now, domain) != owner:
            return None
        found.add(domain)
    return found


def dates_of_use(connection: duckdb.DuckDBPyConnection, domains: Iterable[str]) -> set[date]:
    """Dates on which use of a host under one of the domains was given to no tool, as of the last good build."""
    if not table_exists(connection, "marts", "fct_unmatched_usage_day"):
        return set()
    under = " or ".join(
        f"host = {quoted(domain)} or ends_with(host, {quoted('.' + domain)})" for domain in sorted(domains)
    )
    rows = connection.execute(
        f"select distinct on_date from marts.fct_unmatched_usage_day where {under or 'false'}"
    ).fetchall()
    return {row[0] for row in rows}


@cache
def _list() -> PublicSuffixList:
    return PublicSuffixList()


def _covers(known: Row, host: str, path: str) -> bool:
    return known[1] == host and f"{path}/".startswith(f"{known[2]}/" if known[2] else "")


def _owner(rows: Iterable[Row], domain: str) -> str | None:
    """The tool that all hosts of the domain belong to, where the catalogue names only it and one of them whole."""
    under = [row for row in rows if row[1] == domain or row[1].endswith(f".{domain}")]
    tools = {row[0] for row in under}
    return tools.pop() if len(tools) == 1 and any(not row[2] for row in under) else None
