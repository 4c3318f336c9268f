"""Hosts and tools that the district has not decided on, the most spread first, as the published snapshot has them.

Only what leaders may see: a host that few students visit is not told of (mart_unknown_tool).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import duckdb

from uptake.config import District
from uptake.errors import ConfigError
from uptake.project import Project
from uptake.warehouse.publish import current_snapshot

QUERY = """
select host, tool_key, tool_name, status, students, schools, events, growth_ratio, first_seen_on
from mart_unknown_tool
where first_seen_on is not null
order by students desc nulls last, events desc, host
"""


@dataclass(frozen=True, slots=True)
class Undecided:
    """status: unmatched (a host of no tool), known (a tool that nobody has decided on) or unapproved.

    students, growth: of the last four weeks, and against the four before; None where too few or too many are meant.
    """

    host: str
    tool_id: str | None
    name: str
    status: str
    students: int | None
    schools: int
    events: int
    growth: float | None
    first_seen_on: date


def undecided(project: Project, district: District) -> list[Undecided]:
    """Raises ConfigError where nothing is published yet."""
    snapshot = current_snapshot(project, district.id)
    if snapshot is None:
        raise ConfigError(
            f"district {district.id} has no published snapshot to review", remedy="run `uptake run` first."
        )
    with duckdb.connect(str(snapshot.path / "leaders.duckdb"), read_only=True) as connection:
        return [Undecided(*row) for row in connection.execute(QUERY).fetchall()]
