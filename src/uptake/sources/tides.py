"""How far a vendor's own count of changes had come at which of our pulls: a moment as its "changed since".

Some vendors number their changes, and the ledger knows moments. So each pull notes both, and what is asked for since a
moment is what came after the mark that was noted last before it. The ledger stays the only cursor: a pull that failed
did not move it, and its note is not used.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

# Beyond it a pull that asks so far back reads everything.
_KEPT = timedelta(days=100)


class _Noted(BaseModel):
    """place: the server whose marks these are. reached: (moment of a pull, newest mark then)."""

    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    place: str
    reached: list[tuple[AwareDatetime, str]] = []


class Tides:
    """A cache and nothing more: without it the next pull reads everything.

    last: moment of the newest pull that was noted before this one; None where none was.
    """

    def __init__(self, path: Path, place: str) -> None:
        self._path = path
        self._noted = _Noted(place=place)
        self.last: datetime | None = None
        try:
            noted = _Noted.model_validate_json(path.read_bytes())
        except (FileNotFoundError, ValidationError):
            return  # the first pull, or cut short by a crash
        if noted.place == place:
            self._noted = noted
            self.last = noted.reached[-1][0] if noted.reached else None

    def at(self, moment: datetime) -> str | None:
        """The mark that was noted last, at or before the moment; None where nothing was."""
        return next((mark for noted, mark in reversed(self._noted.reached) if noted <= moment), None)

    def forget(self) -> None:
        """The vendor cannot say any more what came after the marks."""
        self._path.unlink(missing_ok=True)
        self._noted.reached = []

    def note(self, moment: datetime, mark: str) -> None:
        """A moment that is not after the last one is of a pull of the past, and says nothing of when it is made."""
        reached = self._noted.reached
        if reached and moment <= reached[-1][0]:
            return
        self._noted.reached = [each for each in reached if moment - each[0] <= _KEPT] + [(moment, mark)]
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp")
        beside.write_text(self._noted.model_dump_json(), encoding="utf-8")
        beside.replace(self._path)
