"""The simulated district's days: the same calendar as its configuration file, as day numbers.

A day number is days since 1970-01-01 (what numpy's datetime64[D] holds); an instant is milliseconds since then, UTC.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from importlib.resources import files
from zoneinfo import ZoneInfo

import numpy as np
import yaml

from uptake.config import Calendar

ZONE = ZoneInfo("America/Chicago")
DAY_MS = 86_400_000
NEVER = 2**62
OPENS, CLOSES = time(7, 0), time(16, 0)  # the part of a school day that the simulated clock runs through


def day_number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def day_date(number: int) -> date:
    return date(1970, 1, 1) + timedelta(days=int(number))


def instant(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def local_midnight(day: int) -> int:
    """The instant at which the local day begins."""
    return instant(datetime.combine(day_date(day), time(0), ZONE).astimezone(UTC))


class SchoolYear:
    def __init__(self) -> None:
        text = (files("uptake.sandbox") / "data" / "uptake.yaml").read_text(encoding="utf-8")
        self.calendar = Calendar.model_validate(yaml.safe_load(text)["districts"][0]["calendar"])
        year = self.calendar.school_years[0]
        self.name = year.name
        self.first, self.last = day_number(year.starts_on), day_number(year.ends_on)
        self.fall, self.spring = ((day_number(t.starts_on), day_number(t.ends_on)) for t in self.calendar.terms)

    @cached_property
    def instructional(self) -> np.ndarray:
        """int64 day numbers of the instructional days, in order."""
        return np.array([day_number(day) for day, _, taught in self.calendar.days() if taught], dtype=np.int64)

    def is_instructional(self, day: int) -> bool:
        return bool(self._taught[day - self.first]) if self.first <= day <= self.last else False

    @cached_property
    def _taught(self) -> np.ndarray:
        taught = np.zeros(self.last - self.first + 1, dtype=bool)
        taught[self.instructional - self.first] = True
        return taught

    @cached_property
    def midnights(self) -> np.ndarray:
        """int64 instants of local midnight, one for each day from the first to the day after the last."""
        return np.array([local_midnight(day) for day in range(self.first, self.last + 2)], dtype=np.int64)

    def midnight(self, days: np.ndarray) -> np.ndarray:
        """Local midnight of each day number; days outside the year are clipped to it."""
        return self.midnights[np.clip(days - self.first, 0, len(self.midnights) - 1)]
