"""The same seed and size give the same bytes from every vendor; another seed or size does not."""

from __future__ import annotations

import hashlib
from datetime import date

import numpy as np
import pytest

from uptake.sandbox.district import SimulatedDistrict
from uptake.sandbox.roster import Roster
from uptake.sandbox.schoolyear import day_number, instant
from uptake.sandbox.truths import load_truths

NOW = instant(load_truths().clock_starts_at)


def roster_digest(district: SimulatedDistrict) -> str:
    digest = hashlib.sha256()
    for records in Roster(district).collections.values():
        digest.update(b"\n".join(records().at(NOW)))
    return digest.hexdigest()


def usage_digest(district: SimulatedDistrict, day: int) -> str:
    digest = hashlib.sha256()
    rows, views = district.usage.filter_rows(day), district.usage.views(day)
    for column in (
        rows.at,
        rows.served_from,
        rows.person,
        rows.identity,
        rows.page,
        views.at,
        views.person,
        views.slot,
    ):
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()


def test_the_same_seed_gives_the_same_roster() -> None:
    assert roster_digest(SimulatedDistrict(150)) == roster_digest(SimulatedDistrict(150))


def test_another_seed_gives_another() -> None:
    other = load_truths().model_copy(update={"seed": 1})
    assert roster_digest(SimulatedDistrict(150)) != roster_digest(SimulatedDistrict(150, other))


def test_a_day_does_not_depend_on_which_days_were_asked_for_before() -> None:
    first, second = SimulatedDistrict(150), SimulatedDistrict(150)
    day = day_number(date(2026, 4, 13))
    for earlier in range(day - 30, day):
        second.usage.filter_rows(earlier)
    assert usage_digest(first, day) == usage_digest(second, day)


@pytest.mark.parametrize(("students", "schools"), [(39, 3), (150, 3), (1200, 6), (9000, 13)])
def test_any_size(students: int, schools: int) -> None:
    district = SimulatedDistrict(students)
    people = district.people
    assert len(people.schools) == schools
    assert np.bincount(people.grade).min() >= students // 13
    assert len(set(people.emails)) == len(people.emails)
    assert len(district.usage.filter_rows(day_number(date(2026, 4, 13)))) > 3 * students


def test_too_few_students_is_an_error() -> None:
    with pytest.raises(ValueError, match="39"):
        SimulatedDistrict(20)


def test_volume_of_the_demo(demo: SimulatedDistrict) -> None:
    today = day_number(date(2026, 4, 14))
    days = range(demo.year.first, today)
    assert 800_000 < sum(len(demo.usage.filter_rows(day)) for day in days) < 1_100_000
    assert 150_000 < sum(len(demo.usage.views(day)) for day in days) < 200_000


def test_no_two_filter_rows_are_the_same(demo: SimulatedDistrict) -> None:
    """The vendor has no row id: equal rows could not be told from a row that was sent twice."""
    for day in demo.year.instructional[:40].tolist():
        rows = demo.usage.filter_rows(day)
        keys = np.stack([rows.at, rows.person, rows.page], axis=1)
        assert len(np.unique(keys, axis=0)) == len(rows)
