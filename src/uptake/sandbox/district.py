"""The whole simulated district, made once per size and seed."""

from __future__ import annotations

from functools import cached_property

from uptake.sandbox.enrolments import Enrolments, enrolments
from uptake.sandbox.outcomes import Outcomes
from uptake.sandbox.people import People
from uptake.sandbox.schoolyear import SchoolYear
from uptake.sandbox.truths import Truths, load_truths
from uptake.sandbox.usage import Usage

SIZES = {"small": 150, "demo": 1200}


class SimulatedDistrict:
    """People at once; enrolments, outcomes and usage when they are first asked for."""

    def __init__(self, students: int, truths: Truths | None = None) -> None:
        self.truths = truths or load_truths()
        self.year = SchoolYear()
        self.people = People(students, self.year, self.truths)

    @classmethod
    def of_size(cls, size: str) -> SimulatedDistrict:
        return cls(SIZES[size])

    @cached_property
    def enrolments(self) -> Enrolments:
        return enrolments(self.people)

    @cached_property
    def outcomes(self) -> Outcomes:
        return Outcomes(self.people, self.enrolments)

    @cached_property
    def usage(self) -> Usage:
        return Usage(self.people, self.year)

    @property
    def broken_school(self) -> int:
        """Number of the school whose roster feed breaks: the last elementary school."""
        return max(school.number for school in self.people.schools if school.level == "elementary")
