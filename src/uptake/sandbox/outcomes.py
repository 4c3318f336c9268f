"""Gradebook items, scores and the three assessments, with the planted effect and the planted absence of one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uptake.sandbox.enrolments import Enrolments
from uptake.sandbox.people import ENGLISH, GRADES, MATHEMATICS, People
from uptake.sandbox.schoolyear import DAY_MS, day_number
from uptake.sandbox.usage import ASSESSMENT_WINDOWS

CLASSWORK, QUIZ, ASSESSMENT = 0, 1, 2
CATEGORIES = (("CAT-CLASSWORK", "Classwork", 0.5), ("CAT-QUIZ", "Quiz", 0.3), ("CAT-ASSESSMENT", "Assessment", 0.0))
ITEMS_IN_YEAR, ITEMS_IN_TERM = 8, 4
GRADEBOOK_FROM = 3  # grades below are not scored
# Standardised score in each window: loading on ability, spread of the noise, share of the year's effect. The fall
# score is nearly free of error, so that adjusting for it leaves little of the planted selection behind.
WINDOWS = {"fall": (0.98, 0.20, 0.0), "winter": (0.95, 0.31, 0.5), "spring": (0.93, 0.37, 1.0)}
SCORE_SD, GROWTH_BY_WINDOW = 15.0, 4.0


@dataclass(frozen=True)
class Items:
    """Gradebook columns: regular ones, then assessments. `window`: 0 fall, 1 winter, 2 spring, -1 for the others."""

    class_: np.ndarray
    number: np.ndarray
    category: np.ndarray
    due_on: np.ndarray
    window: np.ndarray


@dataclass(frozen=True)
class Results:
    """score is NaN where nothing was handed in; born: instant from which the gradebook has it."""

    item: np.ndarray
    student: np.ndarray
    class_: np.ndarray
    score: np.ndarray
    is_missing: np.ndarray
    born: np.ndarray


class Outcomes:
    def __init__(self, people: People, enrolled: Enrolments) -> None:
        self.people = people
        self._rng = np.random.default_rng([people.truths.seed, 7, people.count])
        self.items = self._items()
        self.standard_scores = self._standard_scores()
        self.results = self._results(enrolled)

    def _items(self) -> Items:
        people, year = self.people, self.people.year
        classes, days = people.classes, people.year.instructional
        scored = np.flatnonzero(classes.grade >= GRADEBOOK_FROM)
        terms = (days, days[days <= year.fall[1]], days[days >= year.spring[0]])
        parts = []
        for class_ in scored.tolist():
            term = int(classes.term[class_])
            count = ITEMS_IN_TERM if term else ITEMS_IN_YEAR
            open_days = terms[term]
            place = np.linspace(10, len(open_days) - 6, count).astype(int) + class_ % 5
            number = np.arange(count)
            parts.append((np.full(count, class_), number, number % 3 // 2, open_days[place], np.full(count, -1)))
        studied = np.isin(classes.grade, [GRADES.index(g) for g in people.truths.effect.grades])
        tested = np.flatnonzero(studied & (classes.subject <= ENGLISH))
        for window, (first, last) in enumerate(ASSESSMENT_WINDOWS.values()):
            open_days = days[(days >= day_number(first)) & (days <= day_number(last))]
            count = len(tested)
            due = open_days[tested % len(open_days)]
            parts.append((tested, np.full(count, 90 + window), np.full(count, ASSESSMENT), due, np.full(count, window)))
        return Items(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def _standard_scores(self) -> np.ndarray:
        """float (subject: mathematics or English, window, student): scores in standard deviations."""
        people, truths = self.people, self.people.truths
        scores = np.empty((2, len(WINDOWS), people.count))
        arms = (
            (MATHEMATICS, people.is_effect_student, truths.effect.g),
            (ENGLISH, people.is_no_effect_student, truths.no_effect.g),
        )
        for subject, has_tool, g in arms:
            groups = has_tool.astype(int) * 13 + people.grade // 3
            for window, (loading, spread, share) in enumerate(WINDOWS.values()):
                noise = self._rng.normal(size=people.count)
                # Luck is the same for those with and without the tool, so that the truth is there at any size.
                mean = np.bincount(groups, noise) / np.maximum(np.bincount(groups), 1)
                scores[subject, window] = (
                    loading * people.ability + spread * (noise - mean[groups]) + g * share * has_tool
                )
        return scores

    def _results(self, enrolled: Enrolments) -> Results:
        people, items, rng = self.people, self.items, self._rng
        # Join items to the enrolments of their class: enrolments in class order, items as ranges over it.
        order = np.argsort(enrolled.class_, kind="stable")
        by_class = enrolled.class_[order]
        first = np.searchsorted(by_class, items.class_, side="left")
        count = np.searchsorted(by_class, items.class_, side="right") - first
        item = np.repeat(np.arange(len(count)), count)
        row = order[np.repeat(first, count) + np.arange(len(item)) - np.repeat(np.cumsum(count) - count, count)]
        due = items.due_on[item]
        there = (enrolled.begins_on[row] <= due) & (due <= enrolled.ended_on[row])
        item, row, due = item[there], row[there], due[there]
        student, class_ = enrolled.student[row], items.class_[item]
        window = items.window[item]
        score = np.round(np.clip(78 + 9 * people.ability[student] + 8 * rng.normal(size=len(item)), 0, 100) * 2) / 2
        is_missing = rng.random(len(item)) < np.where(window < 0, 0.06, 0.03)
        standard = self.standard_scores[np.minimum(people.classes.subject[class_], 1), np.maximum(window, 0), student]
        level = 150 + 8 * people.grade[student] + GROWTH_BY_WINDOW * window
        score = np.where(window >= 0, np.round(level + SCORE_SD * standard, 1), score)
        score[is_missing] = np.nan
        # Scores are posted one to four days later; most in the evening, some during the school day.
        wait = rng.integers(1, 5, size=len(item))
        evening = rng.random(len(item)) < 0.7
        hour = np.where(evening, 17 + 4 * rng.random(len(item)), 8 + 7 * rng.random(len(item)))
        born = people.year.midnight(due) + wait * DAY_MS + (hour * 3_600_000).astype(np.int64)
        order = np.argsort(born, kind="stable")  # a gradebook numbers its scores as they come
        return Results(*(column[order] for column in (item, student, class_, score, is_missing, born)))
