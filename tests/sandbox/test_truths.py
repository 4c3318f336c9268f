"""Each planted truth of truths.yaml, found again in the generated data of the demo district."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import orjson
import pytest

from uptake.sandbox.district import SimulatedDistrict
from uptake.sandbox.habits import PAGES_OF_A_KIND
from uptake.sandbox.outcomes import ASSESSMENT
from uptake.sandbox.people import ENDED, GRADES, TOMBSTONE, VANISH
from uptake.sandbox.register import ingredient_rows
from uptake.sandbox.register import rows as register_rows
from uptake.sandbox.roster import Roster
from uptake.sandbox.schoolyear import NEVER, day_number, instant
from uptake.sandbox.usage import DEVICE, NETWORK, USER

TODAY = day_number(date(2026, 4, 14))


@pytest.fixture(scope="module")
def use(demo: SimulatedDistrict) -> np.ndarray:
    """bool (day, student, tool): a request of a student to a tool on a day of the year so far, in school hours."""
    return _use(demo, 8 * 60, 15 * 60 + 30)


@pytest.fixture(scope="module")
def use_at_home(demo: SimulatedDistrict) -> np.ndarray:
    return _use(demo, 15 * 60 + 30, 24 * 60)


def _use(district: SimulatedDistrict, first: int, last: int) -> np.ndarray:
    usage, year, count = district.usage, district.year, district.people.count
    used = np.zeros((TODAY - year.first, count, len(usage.tool_names)), dtype=bool)
    for day in range(year.first, TODAY):
        rows = usage.filter_rows(day)
        minute = (rows.at - year.midnights[day - year.first]) // 60_000
        kind = rows.page // PAGES_OF_A_KIND
        mine = (rows.person < count) & (kind < len(usage.tool_names)) & (minute >= first) & (minute < last)
        used[day - year.first, rows.person[mine], kind[mine]] = True
    return used


def _weeks(district: SimulatedDistrict) -> list[np.ndarray]:
    """Places of the instructional days of each whole instructional week so far."""
    days = district.year.instructional
    days = days[days < TODAY - (TODAY + 3) % 7]
    week = (days + 3) // 7
    return [days[week == number] - district.year.first for number in np.unique(week)]


def test_a_licence_that_nobody_uses(demo: SimulatedDistrict) -> None:
    tool = demo.truths.unused_licence.tool
    assert tool not in demo.usage.tool_names
    assert not any(tool in page.domain for page in demo.usage.pool.pages)
    contract = next(row for row in register_rows(demo.people.count) if row["tool"].lower() == tool)
    assert int(contract["seats"]) > 0.5 * demo.people.count


def test_a_contract_that_renews_by_itself(demo: SimulatedDistrict) -> None:
    truth = demo.truths.silent_renewal
    contract = next(row for row in register_rows(demo.people.count) if row["tool"].lower() == truth.tool)
    assert contract["auto_renews"] == "yes"
    renewal, notice = date.fromisoformat(contract["renewal_on"]), timedelta(days=int(contract["notice_days"]))
    assert renewal - notice == truth.decide_by_on
    assert timedelta(0) < truth.decide_by_on - demo.truths.clock_starts_at.date() < timedelta(days=7)


def test_a_tool_whose_licence_is_the_smaller_part_of_its_cost(demo: SimulatedDistrict) -> None:
    truth = demo.truths.cost_beyond_licence
    contract = next(row for row in register_rows(demo.people.count) if row["tool"].lower() == truth.tool)
    besides = [
        float(row["quantity_low"] or row["quantity"]) * float(row["unit_price_low"] or row["unit_price"])
        for row in ingredient_rows(demo.people.count)
        if row["tool"].lower() == truth.tool
    ]
    licence = float(contract["price"])
    assert licence / (licence + sum(besides)) <= truth.licence_share_at_most


def test_a_tool_used_with_consistency_in_two_grades_only(demo: SimulatedDistrict, use: np.ndarray) -> None:
    truth, people = demo.truths.consistent_in_two_grades, demo.people
    column = demo.usage.tool(truth.tool)
    weekly = np.array([use[week, :, column].any(axis=0) for week in _weeks(demo)[-4:]])
    consistent = (weekly.sum(axis=0) >= 3)[people.is_enrolled(TODAY)]
    grades = people.grade[people.is_enrolled(TODAY)]
    for grade in ("03", "04", "05", "06", "07", "08"):
        rate = consistent[grades == GRADES.index(grade)].mean()
        if grade in truth.grades:
            assert rate >= truth.consistent_rate_at_least, grade
        else:
            assert rate <= truth.elsewhere_at_most, grade


def test_an_unapproved_tool_spreads_from_school_to_school(demo: SimulatedDistrict, use: np.ndarray) -> None:
    truth, people, year = demo.truths.spreading_unapproved, demo.people, demo.year
    column = demo.usage.tool(truth.tool)
    first_seen = {}
    for school in people.schools:
        pupils = people.place_school[people.placement_on(TODAY)] == school.number
        stayed = pupils & (people.moves_on == NEVER)
        days = np.flatnonzero(use[:, stayed, column].any(axis=1))
        if len(days):
            first_seen[school.number] = year.first + int(days[0])
    order = sorted(first_seen, key=first_seen.__getitem__)
    assert [people.schools[number].level for number in order[:3]] == ["middle", "middle", "high"]
    for place, number in enumerate(order):
        planned = day_number(truth.starts_on) + place * truth.days_between_schools
        assert 0 <= first_seen[number] - planned <= 10
    assert 4 <= len(order) < len(people.schools), "it has not reached every school yet"
    # It grows inside a school, to the share that was planted.
    oldest = (people.school == order[0]) & (people.moves_on == NEVER)
    weeks = [week for week in _weeks(demo) if year.first + week[0] >= day_number(truth.starts_on)]
    shares = [use[week][:, oldest, column].any(axis=0).mean() for week in weeks]
    assert shares[0] < 0.2 < shares[3] < shares[6]
    assert np.mean(shares[6:]) == pytest.approx(truth.weekly_share_when_settled, abs=0.1)


def test_an_unknown_host_spreads(demo: SimulatedDistrict, use: np.ndarray) -> None:
    truth = demo.truths.spreading_unmatched
    by_day = use[:, :, demo.usage.tool(truth.host)].sum(axis=1)
    start = day_number(truth.starts_on) - demo.year.first
    assert by_day[:start].sum() == 0
    assert by_day[-25:].sum() > 4 * by_day[start : start + 25].sum() > 0


def test_a_subgroup_has_less_access(demo: SimulatedDistrict, use: np.ndarray, use_at_home: np.ndarray) -> None:
    truth, people = demo.truths.less_access, demo.people
    column, licensed = demo.usage.tool(truth.tool), people.grade >= 6
    poor, others = licensed & people.is_disadvantaged, licensed & ~people.is_disadvantaged
    weekly = np.array([use[week, :, column].any(axis=0) for week in _weeks(demo)[-12:]]).mean(axis=0)
    assert weekly[others].mean() - weekly[poor].mean() > 0.12
    at_home = use_at_home[:, :, column].mean(axis=0)
    assert at_home[poor].mean() / at_home[others].mean() == pytest.approx(truth.out_of_school_factor, abs=0.08)
    # And it is this tool's gap, not the group's.
    other = demo.usage.tool("google_docs")
    weekly = np.array([use[week, :, other].any(axis=0) for week in _weeks(demo)[-12:]]).mean(axis=0)
    assert abs(weekly[others].mean() - weekly[poor].mean()) < 0.05


def test_a_school_whose_roster_feed_breaks(demo: SimulatedDistrict) -> None:
    truth = demo.truths.broken_roster_feed
    assert truth.from_at - demo.truths.clock_starts_at > timedelta(days=5), "the demo begins with a sound roster"
    school = demo.people.schools[demo.broken_school]
    assert school.level == "elementary"
    assert (demo.enrolments.school == school.number).sum() > 100


def _scores(district: SimulatedDistrict, subject: int, has_tool: np.ndarray) -> tuple[np.ndarray, ...]:
    """(fall, spring, has tool) of the students with both scores by now, standardised within grade."""
    results, items, people = district.outcomes.results, district.outcomes.items, district.people
    mine = (items.category[results.item] == ASSESSMENT) & ~results.is_missing
    mine &= (people.classes.subject[results.class_] == subject) & (results.born <= instant(_NOW))
    scores = np.full((3, people.count), np.nan)
    scores[items.window[results.item[mine]], results.student[mine]] = results.score[mine]
    both = ~np.isnan(scores[0]) & ~np.isnan(scores[2])
    grade = people.grade[both]
    standard = []
    for window in (0, 2):
        score = scores[window][both]
        mean = np.bincount(grade, score) / np.maximum(np.bincount(grade), 1)
        spread = score - mean[grade]
        standard.append(spread / spread.std())
    return standard[0], standard[1], has_tool[both]


def _adjusted(fall: np.ndarray, spring: np.ndarray, has_tool: np.ndarray) -> float:
    """Difference on the spring score given the fall score, in standard deviations."""
    design = np.column_stack([np.ones(len(fall)), fall, has_tool])
    return float(np.linalg.lstsq(design, spring, rcond=None)[0][2])


_NOW = datetime(2026, 4, 20, 12, tzinfo=UTC)  # all spring scores are in


def test_a_tool_with_a_known_effect(demo: SimulatedDistrict) -> None:
    truth = demo.truths.effect
    fall, spring, has_tool = _scores(demo, 0, demo.people.is_effect_student)
    assert len(fall) > 450
    assert truth.g > 2 * truth.g_tolerance, "a truth that could be taken for none is none"
    assert abs(fall[has_tool].mean() - fall[~has_tool].mean()) < 0.15, "assigned at random"
    assert _adjusted(fall, spring, has_tool) == pytest.approx(truth.g, abs=truth.g_tolerance)


def test_a_tool_without_effect_whose_users_score_higher(demo: SimulatedDistrict) -> None:
    truth = demo.truths.no_effect
    fall, spring, has_tool = _scores(demo, 1, demo.people.is_no_effect_student)
    assert fall[has_tool].mean() - fall[~has_tool].mean() >= truth.baseline_advantage_at_least
    assert spring[has_tool].mean() - spring[~has_tool].mean() >= truth.baseline_advantage_at_least
    assert _adjusted(fall, spring, has_tool) == pytest.approx(truth.g, abs=truth.g_tolerance)


def test_both_tools_under_study_are_used_where_they_are_assigned(demo: SimulatedDistrict, use: np.ndarray) -> None:
    people = demo.people
    studied = np.isin(people.grade, [GRADES.index(grade) for grade in demo.truths.effect.grades])
    arms = ((demo.truths.effect, people.is_effect_student), (demo.truths.no_effect, people.is_no_effect_student))
    for truth, has_tool in arms:
        days = use[:, :, demo.usage.tool(truth.tool)].sum(axis=0)
        assert days[has_tool].mean() > 25
        assert days[studied & ~has_tool].mean() < 2


def test_the_filter_knows_most_people_but_not_all(demo: SimulatedDistrict) -> None:
    shares = demo.truths.filter_identity
    rows = [demo.usage.filter_rows(day) for day in demo.year.instructional[-60:-40].tolist()]
    identity = np.concatenate([part.identity for part in rows])
    for kind, share in ((USER, shares.user), (DEVICE, shares.device), (NETWORK, shares.network)):
        assert (identity == kind).mean() == pytest.approx(share, abs=0.02)


def test_some_rows_come_late(demo: SimulatedDistrict) -> None:
    rows = demo.usage.filter_rows(TODAY - 1)
    delay = rows.served_from - rows.at
    assert (delay > 0).mean() == pytest.approx(demo.truths.late_rows.share, abs=0.005)
    assert delay.max() <= demo.truths.late_rows.longest_delay_minutes * 60_000


def test_a_year_of_roster_changes(demo: SimulatedDistrict) -> None:
    people, changes = demo.people, demo.truths.roster_changes
    assert (people.enters_on > demo.year.first).mean() == pytest.approx(changes.entries, abs=0.02)
    assert people.is_leaver.mean() == pytest.approx(changes.withdrawals, abs=0.02)
    assert (people.moves_on < NEVER).mean() == pytest.approx(changes.moves, abs=0.015)
    # What is over is ended, or marked to be deleted, or gone without a word: all three happen.
    over = demo.enrolments.changed < NEVER
    for how in (ENDED, TOMBSTONE, VANISH):
        assert (demo.enrolments.how[over] == how).sum() > 20


def test_the_roster_served_shows_them(demo: SimulatedDistrict) -> None:
    records, year = Roster(demo).enrollments, demo.year
    then = {orjson.loads(row)["sourcedId"]: row for row in records.at(int(year.midnights[0]))}
    now = {row["sourcedId"]: row for row in map(orjson.loads, records.at(instant(_NOW)))}
    assert len(now.keys() - then.keys()) > 50, "entries and moves"
    assert len(then.keys() - now.keys()) > 20, "vanished"
    statuses = [row["status"] for row in now.values()]
    assert statuses.count("tobedeleted") > 20
    ended = [row for row in now.values() if row["status"] == "active" and row["endDate"] < "2025-12-01"]
    assert len(ended) > 5


def test_usage_has_weeks_and_holidays(demo: SimulatedDistrict) -> None:
    def rows(day: date) -> int:
        return len(demo.usage.filter_rows(day_number(day)))

    tuesday, saturday, holiday = rows(date(2026, 4, 7)), rows(date(2026, 4, 11)), rows(date(2026, 3, 18))
    assert tuesday > 4000
    assert 0 < saturday < 0.2 * tuesday
    assert 0 < holiday < saturday
    assert rows(date(2025, 8, 10)) == 0, "before the school year"


def test_what_must_never_land_is_there_to_be_cut(demo: SimulatedDistrict) -> None:
    urls = [page.url for page in demo.usage.pool.pages]
    assert any("?q=" in url for url in urls)
    assert any(url.startswith("https://docs.google.com/forms/") for url in urls)
    assert any(page.verdict == "blocked" for page in demo.usage.pool.pages)
    assert any(page.is_dns for page in demo.usage.pool.pages)
