"""Web filter events and LMS page views, one day at a time, from a generator seeded by the day.

A day is drawn when it is first asked for and kept, so that a district of any size starts at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np

from uptake.sandbox.habits import PagePool, grade_span, load_habits
from uptake.sandbox.people import GRADES, People
from uptake.sandbox.schoolyear import SchoolYear, day_date, day_number

USER, DEVICE, NETWORK = 0, 1, 2
MINUTE = 60_000
GUESTS = 12  # visitors on the district's network whom no roster knows
# Three windows in which every school tests; also when the assessment tool is used.
ASSESSMENT_WINDOWS = {
    "fall": (date(2025, 9, 8), date(2025, 9, 19)),
    "winter": (date(2026, 1, 12), date(2026, 1, 23)),
    "spring": (date(2026, 3, 23), date(2026, 4, 10)),
}


@dataclass(frozen=True)
class FilterRows:
    """Columns in order of time. `person`: students, then staff, then guests. `served_from`: when the vendor has it."""

    at: np.ndarray
    served_from: np.ndarray
    person: np.ndarray
    identity: np.ndarray
    page: np.ndarray

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True)
class ViewRows:
    """LMS page views, ordered by person (a student), then newest first.

    slot: which of the person's courses (-1: the district's LTI tool). act: kind of page. real: staff index of someone
    acting as the student, or -1.
    """

    person: np.ndarray
    at: np.ndarray
    slot: np.ndarray
    act: np.ndarray
    seconds: np.ndarray
    is_user_request: np.ndarray
    real: np.ndarray

    def __len__(self) -> int:
        return len(self.at)


@dataclass(frozen=True)
class Sessions:
    """Drawn sittings: who, with which tool (column of the habits), when (minutes after midnight), how long."""

    person: np.ndarray
    tool: np.ndarray
    start: np.ndarray
    minutes: np.ndarray


class Usage:
    def __init__(self, people: People, year: SchoolYear) -> None:
        self.people, self.year, self.truths = people, year, people.truths
        self.habits, self.noise = load_habits().habits, load_habits().noise
        self.tool_names = [habit.tool for habit in self.habits]
        self.pool = PagePool(self.truths)
        self._days: dict[int, tuple[FilterRows, ViewRows]] = {}

    def filter_rows(self, day: int) -> FilterRows:
        return self._day(day)[0]

    def views(self, day: int) -> ViewRows:
        return self._day(day)[1]

    def tool(self, name: str) -> int:
        return self.tool_names.index(name)

    def _day(self, day: int) -> tuple[FilterRows, ViewRows]:
        if day not in self._days:
            self._days[day] = self._draw(day)
        return self._days[day]

    @cached_property
    def _rates(self) -> tuple[np.ndarray, np.ndarray]:
        """float32 (students, tools): session probability in school and out of school, before the day's own factors."""
        people, truths = self.people, self.truths
        rng = np.random.default_rng([truths.seed, 5, people.count])
        table = np.zeros((2, 13, len(self.habits)), dtype=np.float32)
        for column, habit in enumerate(self.habits):
            for which, rates in enumerate((habit.in_school, habit.out_of_school)):
                for span, rate in rates.items():
                    table[which, grade_span(span), column] = rate
        steady = truths.consistent_in_two_grades
        table[0, [GRADES.index(grade) for grade in steady.grades], self.tool(steady.tool)] = steady.daily_rate
        spread = np.array([habit.steadiness for habit in self.habits], dtype=np.float32)
        # One factor for the person and one for the person's liking of the tool.
        person = rng.normal(size=(people.count, 1)).astype(np.float32)
        liking = rng.normal(size=(people.count, len(self.habits))).astype(np.float32)
        factor = np.exp(spread * (0.7 * person + 0.7 * liking) - spread**2 / 2)
        inside, outside = (np.minimum(table[which][people.grade] * factor, 0.97) for which in (0, 1))
        for effect, has_it in (
            (truths.effect, people.is_effect_student),
            (truths.no_effect, people.is_no_effect_student),
        ):
            column = self.tool(effect.tool)
            inside[:, column] *= np.where(has_it, 1.0, 0.015)
            outside[:, column] *= np.where(has_it, 1.0, 0.05)
        column, poor = self.tool(truths.less_access.tool), people.is_disadvantaged
        inside[:, column] *= np.where(poor, truths.less_access.in_school_factor, 1.0)
        outside[:, column] *= np.where(poor, truths.less_access.out_of_school_factor, 1.0)
        return inside, outside

    @cached_property
    def _attendance(self) -> np.ndarray:
        rng = np.random.default_rng([self.truths.seed, 6, self.people.count])
        return np.clip(1 - rng.gamma(1.3, 0.045, self.people.count), 0.5, 1.0)

    @cached_property
    def arrives_on(self) -> np.ndarray:
        """int64 day number over schools: when the spreading unapproved tool reaches it."""
        spreading, schools = self.truths.spreading_unapproved, self.people.schools
        order = sorted(schools, key=lambda school: (spreading.level_order.index(school.level), school.number))
        # More schools than weeks in the year: the wave is faster, so that it still reaches the last one.
        step = spreading.days_between_schools * 5 / max(5, len(schools) - 1)
        days = np.empty(len(schools), dtype=np.int64)
        for place, school in enumerate(order):
            days[school.number] = day_number(spreading.starts_on) + int(place * step)
        return days

    def _day_factors(self, day: int) -> np.ndarray:
        """float over tools: how much of its usual use the tool sees on this date."""
        factors = np.ones(len(self.habits), dtype=np.float32)
        weekday, on = day_date(day).weekday(), day_date(day)
        for column, habit in enumerate(self.habits):
            if weekday < 5 and weekday not in habit.weekdays:
                factors[column] = 0
        factors *= min(1.0, 0.45 + 0.06 * (day - self.year.first))  # a slow start into the school year
        tests = any(first <= on <= last for first, last in ASSESSMENT_WINDOWS.values())
        factors[self.tool("assesspoint")] *= tests
        factors[self.tool("storycast")] *= max(0.0, 1 - (day - self.year.first) / 230)
        weeks = (on - self.truths.spreading_unmatched.starts_on) / timedelta(weeks=1)
        factors[self.tool(self.truths.spreading_unmatched.host)] *= _grown(weeks, 5) if weeks >= 0 else 0.0
        return factors

    def sessions(self, day: int, rng: np.random.Generator) -> tuple[Sessions, np.ndarray]:
        """The day's sessions, and who was at school (bool over students)."""
        people = self.people
        inside, outside = self._rates
        is_taught = self.year.is_instructional(day)
        enrolled = people.is_enrolled(day)
        present = enrolled & (rng.random(people.count) < self._attendance) & is_taught
        factors = self._day_factors(day)
        spreading = self.tool(self.truths.spreading_unapproved.tool)
        parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        if is_taught:
            chance = inside * factors
            school = people.place_school[people.placement_on(day)]
            weeks = (day - self.arrives_on) / 7
            settled = self.truths.spreading_unapproved.weekly_share_when_settled
            weekly = np.where(weeks >= 0, settled * _grown(weeks, 2.5), 0)
            chance[:, spreading] = np.where(people.grade >= 2, 1 - (1 - weekly[school]) ** 0.2, 0)
            person, tool = np.nonzero((rng.random(chance.shape, dtype=np.float32) < chance) & present[:, None])
            # A class uses a tool in its own hour, which school, grade and tool fix.
            period = (tool * 7 + school[person] * 3 + people.grade[person] * 5) % 6
            parts.append((person, tool, 490 + period * 62 + rng.random(len(person)) * 14))
        share = 1.0 if is_taught else 0.55 if day_date(day).weekday() >= 5 else 0.3
        chance = outside * (factors > 0) * share
        person, tool = np.nonzero((rng.random(chance.shape, dtype=np.float32) < chance) & enrolled[:, None])
        earliest = 950 if is_taught else 560
        parts.append((person, tool, earliest + (1290 - earliest) * rng.beta(2, 2.2, len(person))))
        if is_taught:
            staff = np.array([habit.staff for habit in self.habits])
            person, tool = np.nonzero(rng.random((people.staff, len(staff))) < staff * (factors > 0))
            reached = (tool != spreading) | (day >= self.arrives_on[people.staff_school[person]])
            person, tool = person[reached], tool[reached]
            parts.append((person + people.count, tool, 450 + rng.random(len(person)) * 500))
        person, tool, start = (np.concatenate(column) for column in zip(*parts, strict=True))
        usual = np.array([habit.minutes for habit in self.habits])
        minutes = np.clip(usual[tool] * rng.lognormal(-0.05, 0.35, len(tool)), 1.5, 55)
        return Sessions(person, tool, start, minutes), present

    def _draw(self, day: int) -> tuple[FilterRows, ViewRows]:
        if not self.year.first <= day <= self.year.last:
            return _NO_ROWS, _NO_VIEWS
        rng = np.random.default_rng([self.truths.seed, 3, self.people.count, day])
        sessions, present = self.sessions(day, rng)
        midnight = int(self.year.midnight(np.array([day]))[0])
        return self._filter(day, midnight, sessions, present, rng), self._views(midnight, sessions, rng)

    def _filter(
        self, day: int, midnight: int, sessions: Sessions, present: np.ndarray, rng: np.random.Generator
    ) -> FilterRows:
        people, truths = self.people, self.truths
        # Requests a few minutes apart; never more than the idle gap of ten minutes.
        count = 1 + rng.poisson(sessions.minutes / 7.5)
        sitting = np.repeat(np.arange(len(count)), count)
        first = np.concatenate([[0], np.cumsum(count)[:-1]]) if len(count) else np.zeros(0, dtype=np.int64)
        gaps = 2.5 + 7.0 * rng.random(len(sitting))
        gaps[first] = 0
        walked = np.cumsum(gaps)
        minute = [sessions.start[sitting] + walked - np.repeat(walked[first], count)]
        person, kind = [sessions.person[sitting]], [sessions.tool[sitting]]
        pupils = np.flatnonzero(present)
        for offset, noise in enumerate(self.noise):
            means = np.array(noise.mean)[(people.grade[pupils] >= 6).astype(int)]
            who = np.repeat(pupils, rng.poisson(means))
            person.append(who)
            kind.append(np.full(len(who), len(self.habits) + offset))
            minute.append(460 + 460 * rng.random(len(who)))
        guests = rng.poisson(4 if len(pupils) else 0)
        person.append(people.count + people.staff + rng.integers(GUESTS, size=guests))
        kind.append(len(self.habits) + rng.integers(len(self.noise), size=guests))
        minute.append(480 + 420 * rng.random(guests))

        who, what, when = np.concatenate(person), np.concatenate(kind), np.concatenate(minute)
        at = midnight + (when * MINUTE).astype(np.int64) + rng.integers(0, 1000, size=len(when))
        order = np.argsort(at, kind="stable")
        who, what, at = who[order], what[order], at[order]
        page = self.pool.start[what] + (rng.random(len(what)) * self.pool.size[what]).astype(np.int64)
        # How the filter knew the person is settled for the day: by sign-in, by device, or only by network.
        shares = truths.filter_identity
        known = rng.random(people.count + people.staff + GUESTS)
        identity = np.where(known < shares.user, USER, np.where(known < shares.user + shares.device, DEVICE, NETWORK))
        identity = identity[who].astype(np.int8)
        at_home = (at - midnight > 940 * MINUTE) | (not self.year.is_instructional(day))
        identity[at_home & (identity == NETWORK)] = DEVICE
        late = rng.random(len(at)) < truths.late_rows.share
        delay = rng.integers(5, truths.late_rows.longest_delay_minutes + 1, size=len(at)) * MINUTE
        return FilterRows(at, np.where(late, at + delay, at), who.astype(np.int32), identity, page.astype(np.int32))

    def _views(self, midnight: int, sessions: Sessions, rng: np.random.Generator) -> ViewRows:
        people = self.people
        lti, lms = self.tool("labbench"), self.tool("canvas_lms")
        mine = ((sessions.tool == lti) | (sessions.tool == lms)) & (sessions.person < people.count)
        person, tool = sessions.person[mine], sessions.tool[mine]
        start, minutes = sessions.start[mine], sessions.minutes[mine]
        count = np.where(tool == lti, 2, 1 + rng.poisson(minutes / 3.0))
        sitting = np.repeat(np.arange(len(count)), count)
        place = np.arange(len(sitting)) - np.repeat(np.cumsum(count) - count, count)
        # The LTI tool is launched from a page of the course, half a minute before, and then fills the sitting.
        is_lti = (tool[sitting] == lti) & (place == 1)
        even = minutes[sitting] * 60 / count[sitting] * rng.lognormal(0, 0.3, len(sitting))
        seconds = np.where(is_lti, minutes[sitting] * 60, np.where(tool[sitting] == lti, 30.0, even))
        wait = np.where(tool[sitting] == lti, 0.5, minutes[sitting] / count[sitting])
        at = midnight + ((start[sitting] + place * wait) * MINUTE).astype(np.int64)
        at += rng.integers(0, 1000, size=len(at))
        slots = np.where(people.grade[person[sitting]] < 6, 3, 6)
        slot = np.where(is_lti, -1, (rng.random(len(sitting)) * slots).astype(np.int64))
        is_user_request = rng.random(len(sitting)) >= 0.1
        real = np.where(rng.random(len(sitting)) < 0.003, rng.integers(people.staff, size=len(sitting)), -1)
        act = rng.integers(0, 4, size=len(sitting))
        order = np.lexsort((-at, person[sitting]))
        columns = (person[sitting], at, slot, act, np.round(seconds, 1), is_user_request, real)
        return ViewRows(*(column[order] for column in columns))


def _grown(weeks: np.ndarray | float, half: float) -> np.ndarray:
    """Share of its final size that a spreading habit has after some weeks (logistic, half way at `half`)."""
    return 1 / (1 + np.exp(-(np.asarray(weeks) - half) * 1.6))


_EMPTY = np.zeros(0, dtype=np.int64)
_NO_ROWS = FilterRows(*(_EMPTY,) * 5)
_NO_VIEWS = ViewRows(*(_EMPTY,) * 7)
