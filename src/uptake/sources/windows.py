"""How a span of time is asked for in windows that a later pull of the same time asks for again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from uptake.contracts import Resource, Window

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
_MONDAY = datetime(2001, 1, 1, tzinfo=UTC)


def entity_windows(resource: Resource, since: datetime | None, until: datetime, full: bool) -> list[Window]:
    """One window: what changed in [since, until) where the vendor can say so, else everything."""
    if full or since is None or not resource.cursor:
        return [Window.between("full", None, until)]
    return [Window.between("incremental", since, until)]


def next_start(moment: datetime, step: timedelta) -> datetime:
    """The first moment at or after `moment` at which a tile of `step` begins."""
    return _MONDAY - (_MONDAY - moment) // step * step


def tiles(since: datetime, until: datetime, steps: Sequence[timedelta]) -> list[Window]:
    """[since, until) widened to whole tiles of the smallest step, each of `steps` a multiple of the next.

    Tiles are aligned to UTC Mondays. A bigger step is used for what it fits into whole, so that a long span is few
    windows; the smallest covers the ragged ends, and its last tile may end after `until`, to be asked for again.
    """
    smallest = steps[-1]
    start = _MONDAY + (since - _MONDAY) // smallest * smallest
    found = []
    while start < until:
        step = next((s for s in steps[:-1] if (start - _MONDAY) % s == timedelta(0) and start + s <= until), smallest)
        found.append(Window.between("interval", start, start + step))
        start += step
    return found
