"""What vanished from a source: a full sync diffed against what is held, parent by parent.

A status field alone is never trusted, and neither is an empty answer: a parent that brought nothing, or lost more than
the district's threshold allows, keeps its rows and is reported instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from uptake.contracts import Resource
from uptake.landing.ledger import COMPACTED
from uptake.operations.models import LandedFile

MASS_ROWS = 20  # a smaller loss is ordinary, whatever its share
_NAMED_PARENTS = 20


@dataclass(frozen=True, slots=True)
class Vanished:
    """`rows`: key and scope of what is to be marked deleted, in landed columns (others null).
    `broken_parents`: parents in which nothing is marked, because what is missing looks like a broken feed; those with
    the most missing rows first, and not all of them where they are many (`broken_parent_count`). `broken_losses`: how
    many rows are missing in each of these. `kept_rows`: in all of them.
    `is_accepted`: a person said that the loss is real, so it is marked in the broken parents too."""

    rows: pa.Table
    broken_parents: tuple[str, ...] = ()
    broken_losses: tuple[int, ...] = ()
    broken_parent_count: int = 0
    kept_rows: int = 0
    is_accepted: bool = False


def find_vanished(
    resource: Resource,
    lake: Path,
    held: Sequence[LandedFile],
    pulled: pa.Table,
    *,
    max_vanished_share: float,
    accepts: bool = False,
) -> Vanished:
    """Keys that are held and absent from a full sync.

    `held`: the live files of the resource, oldest first. `pulled`: key and scope columns of everything that the full
    sync brought. A row that moved to another parent is not absent. `accepts`: believe what looks like a broken feed.
    """
    schema = resource.landed_schema
    kept = list(dict.fromkeys((*resource.key, *resource.delete_scope)))
    if not held:
        return Vanished(_widen(pulled.slice(0, 0).select(kept), schema))
    key = ", ".join(f'"{name}"' for name in resource.key)
    columns = ", ".join(f'"{name}"' for name in kept)
    same_key = " AND ".join(f'held."{name}" IS NOT DISTINCT FROM pulled."{name}"' for name in resource.key)
    parent = " || ' / ' || ".join(f"coalesce(\"{name}\"::VARCHAR, '(none)')" for name in resource.delete_scope)
    parent = parent or "'(all)'"
    with duckdb.connect() as connection:
        connection.register("pulled_arrow", pulled)
        connection.execute(f"CREATE TEMP TABLE pulled AS SELECT *, {parent} AS _parent FROM pulled_arrow")
        order = pa.table({"filename": [str(lake / row.path) for row in held], "position": range(len(held))})
        connection.register("held_order", order)
        # Inside a compacted file rows of several landings lie together, each with its own time.
        own = "_landed_at" if any(row.window_token.startswith(f"{COMPACTED}-") for row in held) else "NULL"
        names = ", ".join(f'newest."{name}" AS "{name}"' for name in kept)
        fields = ", ".join(f'"{name}" := "{name}"' for name in [*kept, "_deleted"])
        connection.execute(
            f"""
            CREATE TEMP TABLE held AS
            SELECT {names} FROM (
                SELECT arg_max(struct_pack({fields}), (position, coalesce({own}, TIMESTAMPTZ '1970-01-01'))) AS newest
                FROM read_parquet($files, filename = true, union_by_name = true) JOIN held_order USING (filename)
                GROUP BY {key}
            ) WHERE NOT newest."_deleted"
            """,
            {"files": order.column("filename").to_pylist()},
        )
        connection.execute(
            f"""
            CREATE TEMP TABLE vanished AS
            SELECT *, {parent} AS _parent FROM held ANTI JOIN pulled ON {same_key}
            """
        )
        connection.execute(
            f"""
            CREATE TEMP TABLE broken AS
            WITH lost AS (SELECT _parent, count(*) AS lost FROM vanished GROUP BY ALL),
                 had AS (SELECT {parent} AS _parent, count(*) AS had FROM held GROUP BY ALL),
                 brought AS (SELECT _parent, count(*) AS brought FROM pulled GROUP BY ALL)
            SELECT _parent, lost FROM lost JOIN had USING (_parent) LEFT JOIN brought USING (_parent)
            WHERE brought IS NULL OR (lost > {MASS_ROWS} AND lost > had * {float(max_vanished_share)})
            """
        )
        believed = "vanished" if accepts else "vanished ANTI JOIN broken USING (_parent)"
        rows = connection.sql(f"SELECT {columns} FROM {believed}").to_arrow_table()
        broken = connection.sql("SELECT _parent, lost FROM broken ORDER BY lost DESC, _parent").fetchall()
    return Vanished(
        rows=_widen(rows, schema),
        broken_parents=tuple(name for name, _ in broken[:_NAMED_PARENTS]),
        broken_losses=tuple(lost for _, lost in broken[:_NAMED_PARENTS]),
        broken_parent_count=len(broken),
        is_accepted=accepts,
        kept_rows=sum(lost for _, lost in broken),
    )


def _widen(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Key and scope columns -> all landed columns but `_deleted`, the others null."""
    fields = [field for field in schema if field.name != "_deleted"]
    columns = [
        rows.column(field.name).cast(field.type)
        if field.name in rows.column_names
        else pa.nulls(rows.num_rows, field.type)
        for field in fields
    ]
    return pa.table(columns, schema=pa.schema(fields))
