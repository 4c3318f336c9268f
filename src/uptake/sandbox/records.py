"""Rows of one roster resource as ready-made JSON fragments, and which of them are there at a given moment.

A page is a slice of a list of bytes, joined: serving costs nothing per column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from uptake.sandbox.schoolyear import DAY_MS, NEVER

_KEPT_SELECTIONS = 6
T = TypeVar("T")


@dataclass(frozen=True)
class Hiding:
    """What a fault takes away: a whole school's rows, a share of all rows, or a share of the newest ones."""

    school: int = -1
    vanish: float = 0.0
    vanish_school: int = -1
    late: float = 0.0


class Records:
    """Rows in order of their sourcedId, which is the order that a client may ask for.

    ids, born: when each row enters the roster. before, after: its JSON until and from `changed`; a row that changes and
    has no `after` is gone from then on.
    """

    def __init__(
        self,
        ids: Sequence[str],
        before: Sequence[bytes],
        born: np.ndarray,
        *,
        changed: np.ndarray | None = None,
        after: dict[int, bytes] | None = None,
        school: np.ndarray | None = None,
    ) -> None:
        order = sorted(range(len(ids)), key=ids.__getitem__)
        place = {row: position for position, row in enumerate(order)}
        self._before = [before[row] for row in order]
        self._after = {place[row]: text for row, text in (after or {}).items()}
        self._born = born[order]
        self._changed = (np.full(len(order), NEVER) if changed is None else changed)[order]
        self._school = (np.full(len(order), -1) if school is None else school)[order]
        self._has_after = np.zeros(len(order), dtype=bool)
        self._has_after[list(self._after)] = True
        self._births, self._changes = np.sort(self._born), np.sort(self._changed)
        self._kept: dict[tuple[object, ...], list[bytes]] = {}

    def at(
        self, now: int, *, since: int | None = None, inclusive: bool = False, hiding: Hiding | None = None
    ) -> list[bytes]:
        """The rows of this moment; `since`: only those modified after it (or then, if inclusive)."""
        hiding = hiding or Hiding()
        born = int(np.searchsorted(self._births, now, side="right"))
        changes = int(np.searchsorted(self._changes, now, side="right"))
        # Late rows depend on the moment itself, everything else only on how much has happened.
        key = (born, changes, since, inclusive, hiding, now if hiding.late else 0)
        if key not in self._kept:
            if len(self._kept) >= _KEPT_SELECTIONS:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = self._select(now, since, inclusive, hiding)
        return self._kept[key]

    def _select(self, now: int, since: int | None, inclusive: bool, hiding: Hiding) -> list[bytes]:
        is_changed = self._changed <= now
        keep = (self._born <= now) & (~is_changed | self._has_after)
        modified = np.where(is_changed, self._changed, self._born)
        if since is not None:
            keep &= (modified >= since) if inclusive else (modified > since)
        if hiding.school >= 0:
            keep &= self._school != hiding.school
        if hiding.vanish_school >= 0:
            keep &= self._school != hiding.vanish_school
        elif hiding.vanish:
            keep &= ~chosen(np.arange(len(keep)), hiding.vanish)
        if hiding.late:
            keep &= ~(chosen(np.arange(len(keep)), hiding.late) & (modified > now - DAY_MS))
        rows = self._before.copy()
        for place in np.flatnonzero(is_changed & self._has_after).tolist():
            rows[place] = self._after[place]
        return rows if keep.all() else [rows[place] for place in np.flatnonzero(keep).tolist()]


def chosen(rows: np.ndarray, share: float) -> np.ndarray:
    """A fixed pseudo-random choice of rows, the same at every request."""
    return (rows * 2_654_435_761 + 97) % 9973 < share * 9973


def doubled(rows: list[T], share: float) -> list[T]:
    """A whole list, some of its rows twice running: the first always, others by their share."""
    step = max(1, round(1 / share))
    return [copy for place, row in enumerate(rows) for copy in ((row, row) if place % step == 0 else (row,))]
