"""Events that a vendor no longer has: a span of time that is read again after its history aged out.

Vendors list events for weeks or months. A span that is read again later comes back empty or thinner, and what landed
of it in time is then the only record there is. An entity has its own rules: `landing/deletes.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from uptake.contracts import Resource, Window
from uptake.operations.models import LandedFile

# A pull may take hours after its clock was read, and a vendor ages whole days out by a midnight of its own.
MARGIN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Compared:
    """`missing`: keys that are held and did not come again. `brings_news`: a row came that is not held as it came."""

    missing: int
    brings_news: bool


def is_ageing(resource: Resource, window: Window, now: datetime) -> bool:
    """Whether the window reaches back to where the vendor may list less than there was. `now`: the district's time."""
    if resource.retention is None or window.start is None:
        return False
    return window.start < now - resource.retention + MARGIN


def compare(resource: Resource, lake: Path, held: Sequence[LandedFile], new: str) -> Compared:
    """The rows of file `new`, which does not count yet, beside those of the files that it would replace.

    `new`: path relative to the lake, as in `held`. Both sides stay on disk: a day may have tens of millions of rows.
    """
    columns = resource.landed_schema.names
    chosen = ", ".join(f'"{name}"' for name in columns)
    same_key = " AND ".join(f'held."{name}" IS NOT DISTINCT FROM came."{name}"' for name in resource.key)
    key = ", ".join(f'held."{name}"' for name in resource.key)
    path = str(lake / new)
    files = [path, *(str(lake / row.path) for row in held if row.path != new)]
    with duckdb.connect() as connection:
        # One list for both sides: a file of an older contract lacks a column, and has it null beside the others.
        read = "read_parquet($files, union_by_name = true, filename = true, hive_partitioning = false)"
        sides = f"""
            WITH came AS (SELECT {chosen} FROM {read} WHERE filename = $path),
                 held AS (SELECT {chosen} FROM {read} WHERE filename <> $path)
        """
        named = {"files": files, "path": path}
        missing = _number(
            connection.execute(
                f"{sides} SELECT count(*) FROM (SELECT DISTINCT {key} FROM held ANTI JOIN came ON {same_key})", named
            )
        )
        news = _number(connection.execute(f"{sides} SELECT count(*) FROM (FROM came EXCEPT FROM held)", named))
    return Compared(missing, news > 0)


def _number(result: duckdb.DuckDBPyConnection) -> int:
    row = result.fetchone()
    assert row is not None
    return int(row[0])
