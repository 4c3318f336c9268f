"""Which days of Google's reports are whole, so that only the others are asked for again.

A report is late by days, comes in parts, and says itself whether a part is missing. Asking for a week of them at each
pull would be most of the work of a pull, and a day that is incomplete after that week would never be asked for again.

The ledger stays the only cursor. A day counts as done once it was whole in a pull that a good one has followed or was:
what a failed pull noted is not believed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

# A day that is not whole by then is not asked for any more, and one that was is forgotten.
_KEPT = timedelta(days=30)


class _Said(BaseModel):
    """at: the pull in which it was said."""

    model_config = ConfigDict(extra="forbid")

    at: AwareDatetime
    is_whole: bool


class _Noted(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    pulls: list[AwareDatetime] = []
    days: dict[date, _Said] = {}


class ReportedDays:
    """A cache and nothing more: without it every day of the look-back is asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._noted = _Noted.model_validate_json(path.read_bytes())
        except (FileNotFoundError, ValidationError):
            self._noted = _Noted()  # the first pull, or cut short by a crash

    def due(self, days: Iterable[date], last: datetime | None) -> list[date]:
        """Of `days` those that must be asked for, and before them the older ones that were never whole.

        last: start of the last good pull, where this one goes on from it. A moment that was no pull's start is a
        person's, who wants these days and no others.
        """
        asked = set(days)
        if last not in self._noted.pulls:
            return sorted(asked)
        assert last is not None
        done = {day for day, said in self._noted.days.items() if said.is_whole and said.at <= last}
        waiting = {day for day in self._noted.days if day not in done and last.date() - day <= _KEPT}
        return sorted((asked - done) | {day for day in waiting if day <= max(asked, default=day)})

    def begin(self, now: datetime) -> None:
        """A pull that starts now."""
        noted = self._noted
        noted.pulls = [each for each in noted.pulls if now - each <= _KEPT and each != now] + [now]
        noted.days = {day: said for day, said in noted.days.items() if now.date() - day <= _KEPT}
        self._write()

    def note(self, day: date, *, is_whole: bool) -> None:
        if self._noted.pulls:
            self._noted.days[day] = _Said(at=self._noted.pulls[-1], is_whole=is_whole)
            self._write()

    def _write(self) -> None:
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp")
        beside.write_text(self._noted.model_dump_json(), encoding="utf-8")
        beside.replace(self._path)
