"""The simulated clock: faster than life on school days from 07:00 to 16:00, and jumping over everything between.

Its state is one small file, so that a restart goes on where the last run stopped; time does not pass while no server
runs. Speed 0 freezes it. After the last school day's 16:00 it stands still.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from uptake.sandbox.schoolyear import CLOSES, OPENS, SchoolYear, instant

DEFAULT_SPEED = 60.0


class Clock:
    def __init__(
        self,
        year: SchoolYear,
        starts_at: datetime,
        *,
        speed: float = DEFAULT_SPEED,
        file: Path | None = None,
        wall: Callable[[], float] = time.monotonic,
    ) -> None:
        """Resumes from `file` where it exists; `starts_at` and `speed` are for its first start."""
        hour = 3_600_000
        self._opens = year.midnight(year.instructional) + OPENS.hour * hour
        self._length = (CLOSES.hour - OPENS.hour) * hour
        self._wall, self._file = wall, file
        self._anchor, self.speed = float(instant(starts_at)), speed
        if file and file.exists():
            saved = json.loads(file.read_text(encoding="utf-8"))
            self._anchor = float(instant(datetime.fromisoformat(saved["now"])))
            self.speed = float(saved["speed"])
        self._anchored_at = wall()
        self._saving = threading.Lock()

    @property
    def now_ms(self) -> int:
        """Milliseconds since 1970, UTC."""
        gone = (self._wall() - self._anchored_at) * 1000 * self.speed
        return int(self._anchor) if gone <= 0 else int(self._after(self._anchor, gone))

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.now_ms / 1000, UTC)

    def _after(self, start: float, school_ms: float) -> float:
        """The instant at which `school_ms` of school time have passed since `start`."""
        day = int(np.searchsorted(self._opens, start, side="right")) - 1
        if day >= 0 and start < self._opens[day] + self._length:
            position = day * self._length + (start - float(self._opens[day]))
        else:
            position = float((day + 1) * self._length)
        position += school_ms
        day = int(position // self._length)
        if day >= len(self._opens):
            return max(start, float(self._opens[-1]) + self._length)
        return float(self._opens[day]) + position - day * self._length

    def set(self, *, now: datetime | None = None, speed: float | None = None) -> None:
        """Raises ValueError for a negative speed or a time without offset."""
        if speed is not None and speed < 0:
            raise ValueError("speed cannot be negative")
        if now is not None and now.tzinfo is None:
            raise ValueError("now needs an offset, such as 2026-04-14T07:30:00-05:00")
        self._anchor = float(instant(now)) if now is not None else float(self.now_ms)
        self.speed = self.speed if speed is None else speed
        self._anchored_at = self._wall()
        self.save()

    def save(self) -> None:
        """Write the state beside its place and rename it; nothing to do without a file."""
        if self._file is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"now": self.now.isoformat(), "speed": self.speed})
        with self._saving:  # requests are served by several threads
            beside = self._file.with_suffix(".tmp")
            beside.write_text(text, encoding="utf-8")
            beside.replace(self._file)
