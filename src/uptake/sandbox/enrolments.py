"""Who is in which class from when to when, and when the roster says so: the year's changes, row by row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uptake.sandbox.people import ENDED, SCIENCE, SUBJECTS, TOMBSTONE, VANISH, People
from uptake.sandbox.schoolyear import NEVER, SchoolYear

AUGUST = 14  # days before the first school day at which the roster of the year was loaded
NIGHT = 3 * 3_600_000  # roster changes are posted at three in the morning, local time


@dataclass(frozen=True)
class Enrolments:
    """Columns over student enrolments.

    begins_on, ends_on: the days as planned; ended_on: the last day where it ended early, else `ends_on`.
    born: instant from which the roster has the row; changed: instant at which it says that the row is over (NEVER if
    it does not happen); how: ENDED sets endDate, TOMBSTONE sets status tobedeleted, VANISH takes the row away.
    """

    student: np.ndarray
    class_: np.ndarray
    school: np.ndarray
    begins_on: np.ndarray
    ends_on: np.ndarray
    ended_on: np.ndarray
    born: np.ndarray
    changed: np.ndarray
    how: np.ndarray

    def __len__(self) -> int:
        return len(self.student)


def at_night(year: SchoolYear, days: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Three in the morning of each day, some minutes apart by row."""
    return year.midnight(days) + NIGHT + rows * 7919 % 2_400_000


def loaded_at(year: SchoolYear, rows: np.ndarray) -> np.ndarray:
    """When what was known before the school year entered the roster."""
    return int(year.midnights[0]) - AUGUST * 86_400_000 + NIGHT + rows * 7919 % 2_400_000


def enrolments(people: People) -> Enrolments:
    year = people.year
    parts = []
    for subject in range(len(SUBJECTS)):
        place = np.flatnonzero(people.place_class[:, subject] >= 0)
        class_ = people.place_class[place, subject].astype(np.int64)
        starts, ends = people.place_starts[place], people.place_ends[place]
        changes = people.changes_class_on[people.place_student[place]]
        if subject == SCIENCE:
            many = people.class_sections[class_] > 1
            changed = (changes != NEVER) & many
            section, sections = people.classes.section[class_], people.class_sections[class_]
            other = class_ - section + (section + 1) % sections
            parts.append((place, class_, starts, np.where(changed, changes - 1, ends)))
            parts.append((place[changed], other[changed], changes[changed], ends[changed]))
        else:
            parts.append((place, class_, starts, ends))
    place, class_, starts, ends = (np.concatenate(column) for column in zip(*parts, strict=True))
    student = people.place_student[place]
    first = np.array([year.first, year.fall[0], year.spring[0]])[people.classes.term[class_]]
    last = np.array([year.last, year.fall[1], year.spring[1]])[people.classes.term[class_]]
    # An enrolment whose class was over before the student came never existed.
    real = starts <= last
    student, class_, starts, ends, first, last = (c[real] for c in (student, class_, starts, ends, first, last))

    rows = np.arange(len(student))
    begins = np.maximum(starts, first)
    is_early = ends < last
    how = people.exit_kind[student].copy()
    # Of a move within the district the old row is usually ended properly.
    how[~people.is_leaver[student] & (how == TOMBSTONE)] = ENDED
    how[ends < begins] = VANISH  # it was planned and never began
    born = np.where(starts > year.first, at_night(year, starts, rows), loaded_at(year, rows))
    changed = np.where(is_early, at_night(year, ends + 1, rows), NEVER)
    order = np.argsort(born, kind="stable")  # a roster numbers its rows as they come
    school, ended = people.classes.school[class_], np.where(is_early, ends, last)
    columns = (student, class_, school, begins, last, ended, born, changed, how)
    return Enrolments(*(column[order] for column in columns))
