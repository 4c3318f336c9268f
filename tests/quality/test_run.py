"""A candidate through the real suites and the real checker, to publication or to a reason why not."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from uptake.config import District
from uptake.errors import CheckError, PermanentError
from uptake.operations.models import CheckResult
from uptake.operations.session import reading
from uptake.project import Project
from uptake.quality import run, summary
from uptake.quality.run import Checker
from uptake.quality.summary import CheckSummary
from uptake.warehouse.publish import publish_latest, status_of
from uptake.warehouse.snapshot import Candidate, make_candidate


def run_checks(
    project: Project, district: District, candidate: Candidate, run_id: str, *, expectations: Path | None = None
) -> CheckSummary:
    """Check the candidate with a checker of its own, pages included."""
    with Checker(project, district, expectations=expectations) as checker:
        return checker.run(candidate, run_id)


def checked(project: Project, run_id: str = "run-1") -> tuple[Candidate, CheckSummary]:
    district = project.district("maple")
    candidate = make_candidate(project, district, run_id)
    return candidate, run_checks(project, district, candidate, run_id)


def history(project: Project) -> list[CheckResult]:
    with reading(project.operations) as session:
        found = session.query(CheckResult).all()
        session.expunge_all()
        return found


# Numbers that are wrong on purpose, each in another way, and the checks that must say so.
BROKEN = {
    "mart_unknown_tool": ("40::BIGINT AS students", "4::BIGINT AS students"),
    "mart_reconciliation": ("('rows_pulled', 421, 421)", "('rows_pulled', 421, 420)"),
    "mart_source_health": ("NULL::VARCHAR AS message", "'unknown user ana@maple.k12.example' AS message"),
    "mart_value": ("400::BIGINT AS seats,", "100::BIGINT AS seats,"),
    "mart_quarantine": ("SELECT 'maple'", "SELECT unnest(['maple', 'maple'])"),
    "mart_adoption": ("0.9::DOUBLE AS coverage_rate", "9::DOUBLE AS coverage_rate"),
}
CRITICAL = {
    "privacy.mart_unknown_tool.students.not_small",
    "reconciliation.mart_reconciliation.holds",
    "privacy.mart_source_health.no_email",
    "marts.mart_quarantine.key_unique",
    "marts.mart_adoption.coverage_rate",
}
WARNING = {"marts.mart_value.seats_not_exceeded"}


def test_a_sound_candidate_is_published_and_a_broken_one_is_not(project: Project, small_district: ModuleType) -> None:
    district = project.district("maple")
    _, sound = checked(project)
    assert (sound.failed_critical, sound.failed_warning) == ([], [])
    good = publish_latest(project, district, "run-1").id
    first = history(project)
    assert len(first) == sound.passed > 80
    assert {row.suite for row in first} == {"landing", "marts", "privacy", "reconciliation"}
    assert all(row.is_success and row.description and row.remedy for row in first)
    assert (project.data_docs / "maple" / "index.html").exists()

    changed = {}
    for table, (right, wrong) in BROKEN.items():
        sql = small_district.TABLES[table][1]
        assert right in sql
        changed[table] = sql.replace(right, wrong)
    small_district.write_warehouse(project, **changed)
    candidate, broken = checked(project, "run-2")
    assert {check.check_id for check in broken.failed_critical} == CRITICAL
    assert {check.check_id for check in broken.failed_warning} == WARNING
    assert summary.load(candidate.path) == broken
    observed = {check.check_id: check.observed for check in broken.failed_critical}
    assert observed["reconciliation.mart_reconciliation.holds"] == (
        "1 row: source sis, resource users, measure rows_pulled, expected 421.00, actual 420.00"
    )
    assert "ana" not in observed["privacy.mart_source_health.no_email"]
    with pytest.raises(CheckError):
        publish_latest(project, district, "run-2")
    status = status_of(project, district)
    assert status["snapshot_id"] == good
    assert {check["check_id"] for check in status["failing_checks"]} == CRITICAL
    assert all(check["since"] and check["remedy"] and check["description"] for check in status["failing_checks"])
    leaked = "ana@maple"
    for page in (project.data_docs / "maple").rglob("*.html"):
        assert leaked not in page.read_text()

    assert {row.run_id for row in history(project)} == {"run-1", "run-2"}


def suites_run(project: Project) -> dict[str, set[str]]:
    """By snapshot, the suites that Great Expectations really ran on it."""
    found: dict[str, set[str]] = {}
    stores = project.state_dir / "checks" / "maple"
    for file in stores.rglob("*.json"):
        found.setdefault(file.parent.parent.name, set()).add(
            ".".join(file.parent.parent.parent.relative_to(stores).parts)
        )
    return found


CANARIES = {"canary.leaders.canary", "canary.restricted.canary"}
# They ask which tables and columns there are, which the content of no table says.
ALWAYS = CANARIES | {"privacy.leaders.columns", "marts.leaders.tables"}


def test_only_what_reads_a_changed_table_is_asked_again(project: Project, small_district: ModuleType) -> None:
    first, everything = checked(project)
    assert everything.carried_over == 0
    again, same = checked(project, "run-2")
    assert suites_run(project)[again.id] == ALWAYS
    assert same.passed == everything.passed and same.carried_over > 80

    # One value; a suite of another table reads it too.
    sql = small_district.TABLES["mart_reconciliation"][1].replace("'users' AS resource", "'orgs' AS resource")
    small_district.write_warehouse(project, mart_reconciliation=sql)
    third, noticed = checked(project, "run-3")
    asked = suites_run(project)[third.id] - ALWAYS
    assert {"reconciliation.leaders.mart_reconciliation", "reconciliation.leaders.mart_source_health"} <= asked
    assert all("mart_reconciliation" in name or name == "reconciliation.leaders.mart_source_health" for name in asked)
    failed = {check.check_id for check in noticed.failed_critical}
    assert failed == {"reconciliation.mart_source_health.every_resource_reconciled"}

    # What failed is asked again, also where nothing changed.
    fourth, still = checked(project, "run-4")
    assert {check.check_id for check in still.failed_critical} == failed
    assert suites_run(project)[fourth.id] == ALWAYS | {"reconciliation.leaders.mart_source_health"}

    # History and pages say when each check really ran.
    rows = {(row.snapshot_id, row.check_id): row for row in history(project)}
    kept, new = "marts.mart_value.key_unique", "reconciliation.mart_source_health.every_resource_reconciled"
    assert rows[fourth.id, kept].checked_at == rows[first.id, kept].checked_at
    assert rows[fourth.id, new].checked_at > rows[third.id, new].checked_at
    page = (project.data_docs / "maple" / "index.html").read_text()
    assert f"{still.carried_over} of them were not asked again" in page
    assert page.count("nothing that this check reads has changed since") == still.carried_over
    assert f"validations/marts/leaders/mart_value/{first.id}/" in page

    # A changed setting of the district changes the checks that hold it.
    settings = project.district("maple").privacy
    district = project.district("maple").model_copy(update={"privacy": settings.model_copy(update={"minimum_n": 11})})
    candidate = make_candidate(project, district, "run-5")
    run_checks(project, district, candidate, "run-5")
    asked = suites_run(project)[candidate.id]
    assert "privacy.leaders.mart_value" in asked and "marts.leaders.mart_value" not in asked


def test_a_check_that_died_leaves_nothing_to_carry_over(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    checked(project)
    memory = project.state_dir / "checks" / "maple.json"
    assert memory.exists()
    monkeypatch.setattr(run.sys, "executable", "/bin/false")
    _, broken = checked(project, "run-2")
    assert [check.check_id for check in broken.failed_critical] == ["checker.works"]
    assert not memory.exists()


def test_expectations_are_found_or_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (run.expectations_dir() / "privacy.py").exists()
    monkeypatch.setenv(run.EXPECTATIONS_VARIABLE, str(tmp_path))
    with pytest.raises(PermanentError, match="UPTAKE_EXPECTATIONS"):
        run.expectations_dir()


def test_checking_again_replaces_the_rows_of_the_same_run(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run.Checker, "_ask", lambda _, candidate, progress: [run._broken(candidate, "x", "y")])
    candidate, _ = checked(project)
    run_checks(project, project.district("maple"), candidate, "run-1")
    assert len(history(project)) == 1


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("1 / 0", "ZeroDivisionError"),
        (
            "from uptake.quality import gx\ngx.CANARY_ROWS = 'SELECT 1 AS number, NULL AS word'\n"
            "def suites(facts): return []",
            "canary",
        ),
    ],
)
def test_a_checker_that_breaks_lets_nothing_through(project: Project, tmp_path: Path, code: str, said: str) -> None:
    (tmp_path / "broken_suites").mkdir()
    (tmp_path / "broken_suites" / "__init__.py").write_text(code)
    district = project.district("maple")
    candidate = make_candidate(project, district, "run-1")
    verdict = run_checks(project, district, candidate, "run-1", expectations=tmp_path / "broken_suites")
    [failed] = verdict.failed_critical
    assert failed.check_id == "checker.works"
    assert failed.observed.startswith("the checker itself is broken: ")
    assert said in failed.observed
    with pytest.raises(CheckError, match="the checker itself is broken"):
        publish_latest(project, district, "run-1")
    assert status_of(project, district)["snapshot_id"] is None
