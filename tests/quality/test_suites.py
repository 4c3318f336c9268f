"""Every check catches the fault that it is there for, and no other check is disturbed by it.

The SQL of the checks is run here without Great Expectations, which takes milliseconds; test_run.py runs the same suites
through it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import duckdb
import pytest

from uptake.config import District
from uptake.project import Project
from uptake.quality import unchanged
from uptake.quality.run import expectations_dir, facts_of
from uptake.quality.suite import Facts, Suite
from uptake.quality.worker import load_suites
from uptake.warehouse.snapshot import AUDIENCES, Candidate, make_candidate

Failing = Callable[[str], set[str]]


@pytest.fixture(scope="module")
def suites() -> Callable[[Facts], list[Suite]]:
    function = load_suites(expectations_dir())
    made: dict[str, list[Suite]] = {}

    def once(facts: Facts) -> list[Suite]:
        if repr(facts) not in made:
            made[repr(facts)] = function(facts)
        return made[repr(facts)]

    return once


@pytest.fixture(scope="module")
def pristine(small_district: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Candidate]:
    project = small_district.make_project(tmp_path_factory.mktemp("pristine"))
    small_district.write_warehouse(project)
    return project, make_candidate(project, project.district("maple"), "run")


@pytest.fixture
def candidate(pristine: tuple[Project, Candidate], tmp_path: Path) -> Candidate:
    """A copy of its own for each test."""
    _, made = pristine
    return replace(made, path=Path(shutil.copytree(made.path, tmp_path / "candidate")))


@pytest.fixture
def district(pristine: tuple[Project, Candidate]) -> District:
    return pristine[0].district("maple")


@pytest.fixture(scope="module")
def readers(suites: Callable[[Facts], list[Suite]]) -> Callable[[Facts, Candidate, str], list[Suite]]:
    """The suites whose results a change may have changed: all but those that read none of the tables it names. Of a
    sound district these find nothing (`test_a_sound_district_passes`), and so no more after the change."""
    known: dict[tuple[str, str], dict[str, set[str] | None]] = {}

    def asked(facts: Facts, candidate: Candidate, change: str) -> list[Suite]:
        named = set(re.findall(r"\w+", change))
        found = []
        for audience in AUDIENCES:
            of_file = [suite for suite in suites(facts) if suite.audience == audience]
            key = audience, repr(facts)
            if key not in known:
                queries = {suite.name: unchanged._queries(suite) for suite in of_file}
                with closing(candidate.open(audience)) as connection:
                    known[key] = unchanged.tables_read(connection, queries, facts.tables[audience])
            for suite in of_file:
                read = known[key][suite.name]
                if not change or read is None or read & named:
                    found.append(suite)
        return found

    return asked


@pytest.fixture
def failing(
    district: District, candidate: Candidate, readers: Callable[[Facts, Candidate, str], list[Suite]]
) -> Failing:
    """Apply SQL to the leaders' file (or, after `restricted:`, the other one): ids of the checks that fail then."""

    def run(change: str = "") -> set[str]:
        audience = "restricted" if change.startswith("restricted:") else "leaders"
        with duckdb.connect(str(candidate.path / f"{audience}.duckdb")) as connection:
            connection.execute(change.removeprefix("restricted:"))
        asked = readers(facts_of(district, candidate), candidate, change)
        found = set()
        for audience in AUDIENCES:
            with duckdb.connect(str(candidate.file(audience)), read_only=True) as connection:
                for suite in (suite for suite in asked if suite.audience == audience):
                    batch = f"({suite.query or f'SELECT * FROM {suite.table}'}) AS batch"
                    for expectation in suite.expectations:
                        query = getattr(expectation, "unexpected_rows_query", None)
                        if query and connection.execute(query.format(batch=batch)).fetchone():
                            found.add(expectation.meta["check_id"])
        return found

    return run


def test_a_sound_district_passes(failing: Failing) -> None:
    assert failing() == set()


def test_empty_marts_pass(failing: Failing, candidate: Candidate) -> None:
    restricted = {"dim_student", "fct_student_tool_day"}
    failing("restricted:" + "; ".join(f"DELETE FROM {name}" for name in restricted))
    leaders = set(candidate.manifest["tables"]) - restricted
    assert failing("; ".join(f"DELETE FROM {name}" for name in leaders)) == set()


ROW = "WHERE org_level = 'district' AND dimension = '{}' AND subgroup = '{}'"
YES = ROW.format("english_learner", "yes")

FAULTS: dict[str, tuple[str, set[str]]] = {
    # privacy: counts of people
    "a group below n is shown": (
        f"UPDATE mart_adoption SET eligible_students = 7 {ROW.format('disability', 'yes')}",
        {"privacy.mart_adoption.eligible_students.not_small"},
    ),
    "all but a group below n is shown": (
        f"UPDATE mart_adoption SET eligible_students = 483 {ROW.format('disability', 'no')}",
        {"privacy.mart_adoption.eligible_students.not_recoverable_from_subgroups"},
    ),
    "all but a school below n is shown": (
        "UPDATE mart_adoption SET eligible_students = NULL WHERE org_key = 'west'; "
        "UPDATE mart_adoption SET eligible_students = 82 WHERE org_key = 'east'",
        {"privacy.mart_adoption.eligible_students.not_recoverable_from_schools"},
    ),
    "a small count is shown": (
        "UPDATE mart_unknown_tool SET students = 3",
        {"privacy.mart_unknown_tool.students.not_small"},
    ),
    "few seats in use are shown": (
        "UPDATE mart_value SET seats_used = 9",
        {"privacy.mart_value.seats_used.not_small"},
    ),
    "a small reference group is shown": (
        "UPDATE mart_equity_gap SET reference_n = 8, group_rate = NULL, reference_rate = NULL "
        "WHERE basis = 'student_subgroup'",
        {"privacy.mart_equity_gap.reference_n.not_small"},
    ),
    "all but a few are active": (
        f"UPDATE mart_adoption SET active_students = 55, adoption_rate = 55 / 60.0 {YES}",
        {"privacy.mart_adoption.active_students.complement_not_small"},
    ),
    "all but a few are consistent": (
        f"UPDATE mart_adoption SET consistent_students = 58, consistent_rate = 58 / 60.0 {YES}",
        {"privacy.mart_adoption.consistent_students.complement_not_small"},
    ),
    "a longer pause gives fewer minutes": (
        "UPDATE mart_adoption SET minutes_per_active_student_gap_30 = 31 WHERE org_key = 'north'",
        {"marts.mart_adoption.minutes_by_idle_gap"},
    ),
    # privacy: what is hidden stays hidden
    "a suppressed row still shows its minutes": (
        "UPDATE mart_adoption SET minutes_per_active_student = 12 WHERE org_key = '03'",
        {"privacy.mart_adoption.hidden_is_hidden"},
    ),
    "a suppressed row still shows its minutes by another pause": (
        "UPDATE mart_adoption SET minutes_per_active_student_gap_30 = 12 WHERE org_key = '03'",
        {"privacy.mart_adoption.hidden_is_hidden"},
    ),
    "a suppressed row still shows its rate": (
        "UPDATE mart_adoption SET adoption_rate = 0.01 WHERE org_key = '03'",
        {"privacy.mart_adoption.hidden_is_hidden", "privacy.mart_adoption.adoption_rate.only_with_count"},
    ),
    "a suppressed row still shows its consistent rate": (
        "UPDATE mart_adoption SET consistent_rate = 0.01 WHERE org_key = '03'",
        {"privacy.mart_adoption.hidden_is_hidden", "privacy.mart_adoption.consistent_rate.only_with_count"},
    ),
    "a number is missing without a reason": (
        "UPDATE mart_adoption SET consistent_suppression_reason = NULL WHERE org_key = '03'",
        {"privacy.mart_adoption.nothing_hidden_without_reason"},
    ),
    "the end of the scale is told too closely": (
        "UPDATE mart_adoption SET rate_low = 20 / 220.0, rate_high = 22 / 220.0 WHERE org_key = '03'",
        {"privacy.mart_adoption.end_of_scale_is_wide"},
    ),
    "the district leaves three active students for one hidden school": (
        "DELETE FROM mart_adoption WHERE org_key = 'east' OR dimension <> 'all_students'; UPDATE mart_adoption "
        "SET eligible_students = 445, active_students = 203, adoption_rate = 203 / 445.0 WHERE org_key = 'maple'",
        {
            "privacy.mart_adoption.active_students.not_recoverable_from_schools",
        },
    ),
    "the district leaves nobody active for two hidden schools": (
        "DELETE FROM mart_adoption WHERE dimension <> 'all_students'; UPDATE mart_adoption "
        "SET active_students = 200, adoption_rate = 200 / 490.0 WHERE org_key = 'maple'",
        {"privacy.mart_adoption.active_students.not_recoverable_from_schools"},
    ),
    "the district leaves everybody consistent for two hidden schools": (
        "DELETE FROM mart_adoption WHERE dimension <> 'all_students'; UPDATE mart_adoption "
        "SET consistent_students = 240, consistent_rate = 240 / 490.0 WHERE org_key = 'maple'",
        {"privacy.mart_adoption.consistent_students.not_recoverable_from_schools"},
    ),
    "all students leave three active for a hidden subgroup": (
        "UPDATE mart_adoption SET active_students = 222, adoption_rate = 222 / 430.0 WHERE subgroup = 'no' "
        "AND dimension = 'english_learner'; UPDATE mart_adoption SET active_students = NULL, adoption_rate = NULL, "
        "minutes_per_active_student = NULL, minutes_per_active_student_gap_5 = NULL, "
        "minutes_per_active_student_gap_10 = NULL, minutes_per_active_student_gap_30 = NULL, "
        "suppression_reason = 'small_count_low' WHERE subgroup = 'yes'",
        {"privacy.mart_adoption.active_students.not_recoverable_from_subgroups"},
    ),
    "a hidden gap shows its interval": (
        "UPDATE mart_equity_gap SET suppression_reason = 'fewer_than_n_students', group_rate = NULL, "
        "reference_rate = NULL, gap_points = NULL, risk_ratio = NULL",
        {"privacy.mart_equity_gap.hidden_is_hidden"},
    ),
    "a hidden gap shows the rate of the others": (
        "UPDATE mart_equity_gap SET suppression_reason = 'small_count', group_rate = NULL, gap_points = NULL, "
        "gap_ci_low = NULL, gap_ci_high = NULL, risk_ratio = NULL, risk_ratio_ci_low = NULL, risk_ratio_ci_high = NULL",
        {"privacy.mart_equity_gap.hidden_is_hidden"},
    ),
    "a rate of an equity group stands for few": (
        "UPDATE mart_equity_gap SET group_rate = 0.05, gap_points = -55, gap_ci_low = -60",
        {"privacy.mart_equity_gap.no_count_behind_rate"},
    ),
    "cost per student where students are hidden": (
        "UPDATE mart_value SET active_students = NULL, suppression_reason = 'small_count_low'",
        {"privacy.mart_value.no_count_behind_cost"},
    ),
    "waste that gives hidden seats away": (
        "UPDATE mart_value SET seats_used = NULL, utilisation_rate = NULL, suppression_reason = 'small_count_low', "
        "wasted = 4000.00 * (400 - 3) / 400 WHERE contract_key = 'c1'",
        {"privacy.mart_value.no_seats_behind_waste"},
    ),
    "cost per student of a tool whose students are hidden": (
        "UPDATE mart_tool_cost SET active_students = NULL, active_hours = NULL, cost_per_active_hour_likely = NULL",
        {"privacy.mart_tool_cost.no_count_behind_cost"},
    ),
    "growth of a hidden count": (
        "UPDATE mart_unknown_tool SET students_previous_4_weeks = NULL",
        {"privacy.mart_unknown_tool.no_growth_of_hidden"},
    ),
    # privacy: nobody's name
    "an e-mail address in a message": (
        "UPDATE mart_source_health SET message = 'no user ana.b@students.maple.k12.example in the roster'",
        {"privacy.mart_source_health.no_email"},
    ),
    "an e-mail address in a list": (
        "ALTER TABLE mart_value ADD COLUMN contacts VARCHAR[] DEFAULT ['x', 'ana@maple.example']",
        {"privacy.mart_value.no_email"},
    ),
    "a pseudonym as a tool": (
        "UPDATE mart_unknown_tool SET host = md5('ana')",
        {"privacy.mart_unknown_tool.no_pseudonym"},
    ),
    "a personal column": (
        "ALTER TABLE mart_value ADD COLUMN person_key BIGINT",
        {"privacy.leaders.no_personal_column"},
    ),
    # reconciliation
    "one row lost": (
        "UPDATE mart_reconciliation SET actual = 420, difference = -1, is_reconciled = false "
        "WHERE measure = 'rows_pulled'",
        {"reconciliation.mart_reconciliation.holds"},
    ),
    "one row lost and called reconciled": (
        "UPDATE mart_reconciliation SET actual = 420 WHERE measure = 'rows_pulled'",
        {"reconciliation.mart_reconciliation.says_what_it_shows"},
    ),
    "nobody knows whether it is reconciled": (
        "UPDATE mart_reconciliation SET is_reconciled = NULL WHERE measure = 'rows_pulled'",
        {"reconciliation.mart_reconciliation.holds"},
    ),
    "a resource left out of the reconciliation": (
        "UPDATE mart_reconciliation SET resource = 'orgs'",
        {"reconciliation.mart_source_health.every_resource_reconciled"},
    ),
    "a contract's months do not sum": (
        "CREATE TABLE dim_contract AS SELECT 'c1' AS contract_key, 100.00::DECIMAL(18, 2) AS price_usd; "
        "CREATE TABLE fct_contract_period AS SELECT 'c1' AS contract_key, 33.33::DECIMAL(18, 2) AS cost_usd "
        "FROM range(3)",
        {"reconciliation.fct_contract_period.sums_to_price"},
    ),
    # marts
    "ingredients that do not add up": (
        "UPDATE mart_tool_cost SET cost_likely = 801 WHERE ingredient = 'training'",
        {"marts.mart_tool_cost.ingredients_add_up"},
    ),
    "a likely cost outside of its ends": (
        "UPDATE mart_cost_forecast SET cost_likely = 5000",
        {"marts.mart_cost_forecast.cost_in_order"},
    ),
    "a price of a gain that may be none": (
        "UPDATE mart_cost_effectiveness SET g_low = -0.1",
        {"marts.mart_cost_effectiveness.never_a_point_alone"},
    ),
    "a price of a gain as one value": (
        "UPDATE mart_cost_effectiveness SET cost_per_tenth_high = NULL",
        {"marts.mart_cost_effectiveness.never_a_point_alone"},
    ),
    "a mart is missing": ("DROP TABLE mart_unused_tool", {"marts.leaders.tables_present"}),
    "a key is null": (
        "UPDATE mart_value SET contract_key = NULL",
        {"marts.mart_value.key_not_null"},
    ),
    "more active than eligible": (
        "UPDATE mart_adoption SET consistent_students = 190, consistent_rate = 1 WHERE org_key = '04'",
        {
            "marts.mart_adoption.part_of_whole",
            "privacy.mart_adoption.consistent_students.complement_not_small",
        },
    ),
    "a rate that is not the quotient": (
        f"UPDATE mart_adoption SET adoption_rate = 0.52 {YES}",
        {"marts.mart_adoption.rate_is_quotient"},
    ),
    "a week to come": (
        "UPDATE mart_adoption SET week_start_on = DATE '2026-04-13'",
        {"marts.mart_adoption.week_is_past"},
    ),
    "undated rows": (
        "UPDATE mart_unknown_tool SET data_complete_through = NULL",
        {"marts.mart_unknown_tool.data_complete_through"},
    ),
    "an interval beside its gap": (
        "UPDATE mart_equity_gap SET gap_ci_high = -12",
        {"marts.mart_equity_gap.gap_interval"},
    ),
    "a ratio outside its interval": (
        "UPDATE mart_equity_gap SET risk_ratio = 1.4",
        {"marts.mart_equity_gap.ratio_interval"},
    ),
    "a gap with the wrong sign": (
        "UPDATE mart_equity_gap SET gap_points = 10, gap_ci_high = 11",
        {"marts.mart_equity_gap.gap_is_difference"},
    ),
    "a share above one": (
        "UPDATE mart_equity_gap SET group_rate = 60, reference_rate = 70, gap_points = -1000, gap_ci_low = -1001",
        {"marts.mart_equity_gap.rates", "privacy.mart_equity_gap.no_count_behind_rate"},
    ),
    "more waste than cost": (
        "UPDATE mart_value SET wasted = 4000.01 WHERE contract_key = 'c1'",
        {"marts.mart_value.waste_within_cost"},
    ),
    "a decision after the renewal": (
        "UPDATE mart_value SET decide_by_on = DATE '2026-07-02'",
        {"marts.mart_value.decide_before_renewal"},
    ),
    "a student's day counted twice": (
        "restricted:INSERT INTO fct_student_tool_day SELECT * FROM fct_student_tool_day LIMIT 1",
        {"marts.fct_student_tool_day.key_unique"},
    ),
    "a day of 25 hours": (
        "restricted:UPDATE fct_student_tool_day SET active_minutes = 1500 WHERE student_key = md5('1')",
        {"marts.fct_student_tool_day.minutes"},
    ),
    "use by nobody on the roster": (
        "restricted:DELETE FROM dim_student WHERE student_key = md5('1')",
        {"marts.fct_student_tool_day.students_known"},
    ),
    "a student in two groups at once": (
        "restricted:CREATE TABLE brg_student_subgroup AS SELECT 's' AS student_key, 'meals' AS dimension, subgroup, "
        "DATE '2025-08-18' AS starts_on, DATE '9999-12-31' AS ends_on FROM (VALUES ('yes'), ('no')) AS s (subgroup)",
        {"marts.brg_student_subgroup.spans_apart"},
    ),
    # landing
    "a stale source": ("UPDATE mart_source_health SET is_stale = true", {"landing.mart_source_health.fresh"}),
    "a failed pull": ("UPDATE mart_source_health SET status = 'failed'", {"landing.mart_source_health.last_pull_good"}),
    "much in quarantine": (
        "UPDATE mart_source_health SET rows_quarantined = 10",
        {"landing.mart_source_health.few_quarantined"},
    ),
    "a filter that matches few people": (
        "UPDATE mart_match_rate SET events_matched_person = 100",
        {"landing.mart_match_rate.person_matched"},
    ),
    "a grade that nobody knows": (
        "INSERT INTO mart_unknown_word VALUES ('maple', 'clever', 'grade', 'Year 9', 12)",
        {"landing.mart_unknown_word.every_word_known"},
    ),
    "few people who were found by e-mail": (
        "UPDATE mart_identity_match SET people = 4 WHERE linked_by = 'ambiguous'",
        {"privacy.mart_identity_match.people.not_small"},
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_caught_by_its_check_alone(failing: Failing, fault: str) -> None:
    change, caught_by = FAULTS[fault]
    assert failing(change) == caught_by


def test_a_refused_table_is_named(
    project: Project, small_district: ModuleType, suites: Callable[[Facts], list[Suite]]
) -> None:
    small_district.write_warehouse(project, mart_value="SELECT 'a' AS student_key")
    candidate = make_candidate(project, project.district("maple"), "run")
    facts = facts_of(project.district("maple"), candidate)
    [query] = [
        expectation.unexpected_rows_query  # type: ignore[attr-defined]
        for suite in suites(facts)
        for expectation in suite.expectations
        if expectation.meta["check_id"] == "privacy.leaders.no_table_refused"  # type: ignore[index]
    ]
    found = duckdb.connect().sql(query.format(batch="duckdb_columns()")).fetchall()
    assert found == [("mart_value: student_key",)]


def test_a_configured_source_that_never_came_is_a_warning(suites: Callable[[Facts], list[Suite]]) -> None:
    facts = Facts("maple", ("sis", "lms"), 10, {"leaders": {"mart_source_health": {}}, "restricted": {}}, {}, {})
    [suite] = [suite for suite in suites(facts) if suite.area == "landing"]
    [seen] = [e for e in suite.expectations if e.meta["check_id"].endswith("every_source_seen")]  # type: ignore[index]
    batch = "(SELECT 'sis' AS source, now() AS last_good_pull_at) AS batch"
    assert duckdb.connect().sql(seen.unexpected_rows_query.format(batch=batch)).fetchall() == [("lms",)]  # type: ignore[attr-defined]
    assert seen.severity == "warning"  # type: ignore[attr-defined]


def test_every_check_has_its_papers(
    district: District, candidate: Candidate, suites: Callable[[Facts], list[Suite]]
) -> None:
    expectations = [
        (suite, expectation) for suite in suites(facts_of(district, candidate)) for expectation in suite.expectations
    ]
    ids = [expectation.meta["check_id"] for _, expectation in expectations]  # type: ignore[index]
    assert len(ids) == len(set(ids))
    for suite, expectation in expectations:
        papers = expectation.meta
        assert papers is not None
        assert papers["check_id"].startswith(f"{suite.area}."), papers
        assert papers["remedy"].endswith("."), papers
        assert str(expectation.description).endswith("."), papers
        assert expectation.severity in ("critical", "warning"), papers  # type: ignore[attr-defined]
