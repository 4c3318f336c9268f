"""Retention: what is past its time goes, and nothing that a page, a pull or an auditor still needs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from uptake.config import Calendar, District, Span, UptakeConfig
from uptake.operations.models import CheckResult, LandedFile, Outcome
from uptake.operations.session import reading, writing
from uptake.project import Project
from uptake.retention import SHOWN_RUNS, Pruned, prune

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    year = Span(name="2025-26", starts_on="2025-08-18", ends_on="2026-06-05")
    district = District(
        id="maple",
        name="Maple",
        time_zone="America/Chicago",
        calendar=Calendar(school_years=(year,)),
        is_simulated=True,
    )
    return Project(UptakeConfig(districts=(district,), state_dir=tmp_path / "var"), tmp_path / "uptake.yaml")


def run(project: Project, *, dry_run: bool = False) -> Pruned:
    return prune(project, project.district("maple"), run_id="night", now=NOW, dry_run=dry_run)


def add_outcome(project: Project, days: int, step: str = "land", token: str = "interval-1", **columns: object) -> int:
    with writing(project.operations) as session:
        row = Outcome(
            **{"district": "maple", "source": "filter", "resource": "activity"} | columns,
            run_id="r", status="good", at=NOW - timedelta(days=days), step=step, window_token=token, seconds=0.0,
        )  # fmt: skip
        session.add(row)
        session.flush()
        return row.id


def outcomes(project: Project) -> set[int]:
    with reading(project.operations) as session:
        return set(session.scalars(select(Outcome.id).where(Outcome.step != "prune")))


def add_file(project: Project, path: str, superseded_days: int | None) -> Path:
    with writing(project.operations) as session:
        session.add(
            LandedFile(
                district="maple", source="filter", resource="activity", run_id="r", namespace="umbrella",
                window_token="w", window_mode="interval", path=path, content_hash="h", row_count=1, byte_count=3,
                landed_at=NOW - timedelta(days=90),
                superseded_at=None if superseded_days is None else NOW - timedelta(days=superseded_days),
            )
        )  # fmt: skip
    file = project.lake / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("abc")
    return file


def test_records_that_are_read_again_stay_however_old(project: Project) -> None:
    old = {add_outcome(project, 500), add_outcome(project, 500, token="segment-20250601T120000000000Z-0a1b2c3d")}
    kept = {
        add_outcome(project, 500, token="9f86d081884c"),  # a dropped file: by this it is known to be taken
        add_outcome(project, 399),
        add_outcome(project, 500, step="build", source="*", resource="*"),  # the newest of its step
        add_outcome(project, 500, district="lakeside"),
        add_outcome(project, 450),  # the newest of this resource
    }
    assert run(project).outcomes == len(old)
    assert outcomes(project) == kept and not old & kept


def test_check_history_that_pages_show_stays_however_old(project: Project) -> None:
    with writing(project.operations) as session:
        for number in range(SHOWN_RUNS + 2):
            session.add(
                CheckResult(
                    run_id="r", district="maple", snapshot_id=f"s{number:02}", suite="marts", check_id="marts.x",
                    table_name="x", severity="critical", is_success=True, checked_at=NOW - timedelta(days=500 - number),
                )
            )  # fmt: skip
    assert run(project).check_results == 2
    with reading(project.operations) as session:
        assert set(session.scalars(select(CheckResult.snapshot_id))) == {f"s{n:02}" for n in range(2, SHOWN_RUNS + 2)}


def test_superseded_files_go_after_their_time_and_live_ones_never(project: Project) -> None:
    gone = add_file(project, "a.parquet", 31)
    stays = [
        add_file(project, "b.parquet", 29),
        add_file(project, "c.parquet", None),
        add_file(project, "d.parquet", 31),
    ]
    add_file(project, "d.parquet", None)  # the same rows came back, under the same name
    done = run(project)
    assert (done.lake_files, done.lake_bytes) == (1, 3)
    assert not gone.exists() and all(file.exists() for file in stays)
    with reading(project.operations) as session:
        assert "a.parquet" in set(session.scalars(select(LandedFile.path))), "the ledger remembers it"


def test_a_dry_run_says_the_same_and_changes_nothing_and_a_second_run_finds_nothing(project: Project) -> None:
    file = add_file(project, "a.parquet", 31)
    add_outcome(project, 500)
    kept = add_outcome(project, 1)
    for name in (
        "20260101T000000-000000",
        "20260102T000000-000000",
        *(f"2026020{n}T000000-000000" for n in range(1, 6)),
    ):
        (project.published("maple") / name).mkdir(parents=True)
        (project.published("maple") / name / "manifest.json").write_text("{}")
    (project.published("maple") / "current").write_text("20260101T000000-000000")  # an earlier one was put back
    said = run(project, dry_run=True)
    assert said == Pruned(snapshots=1, lake_files=1, lake_bytes=3, outcomes=1)
    assert file.exists() and len(outcomes(project)) == 2
    assert run(project) == said
    assert outcomes(project) == {kept} and not file.exists()
    assert (project.published("maple") / "20260101T000000-000000").exists()
    assert not (project.published("maple") / "20260102T000000-000000").exists()
    assert run(project).is_nothing
    with reading(project.operations) as session:
        receipts = list(session.scalars(select(Outcome).where(Outcome.step == "prune")))
    assert [receipt.details["lake_files"] for receipt in receipts if receipt.details] == [1]
    assert receipts[0].run_id == "night"
