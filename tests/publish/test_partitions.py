"""Facts by date: written once, linked into every later snapshot, and never stale."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

import pytest

from uptake.errors import CheckError
from uptake.project import Project
from uptake.quality import summary
from uptake.quality.summary import CheckSummary
from uptake.warehouse.publish import SnapshotRef, publish_latest, read_current
from uptake.warehouse.snapshot import make_candidate

FACT = "fct_student_tool_day"


def use(minutes: float, *dates: str) -> str:
    """The fact with 50 students on each of the dates."""
    days = (
        " UNION ALL ".join(f"SELECT DATE '{on_date}' AS on_date" for on_date in dates)
        or "SELECT NULL::DATE AS on_date LIMIT 0"
    )
    return (
        "SELECT 'maple' AS district_id, md5(range::VARCHAR) AS student_key, 'reader' AS tool_key, on_date, "
        f"true AS is_in_school, {minutes}::DOUBLE AS active_minutes, 'lms_interaction' AS minutes_method, "
        f"1 AS sessions, 9 AS events FROM range(50), ({days}) AS day"
    )


def published(project: Project) -> SnapshotRef:
    candidate = make_candidate(project, project.district("maple"), "run")
    summary.save(CheckSummary(candidate.id, 1), candidate.path)
    return publish_latest(project, project.district("maple"), "run")


def files(snapshot: SnapshotRef) -> dict[str, os.stat_result]:
    found = (snapshot.path / "restricted" / FACT).glob("*/*.parquet")
    return {path.parent.name.removeprefix("on_date="): path.stat() for path in found}


def minutes(snapshot: SnapshotRef) -> dict[str, float]:
    with snapshot.open("restricted") as connection:
        rows = connection.execute(f"SELECT on_date::VARCHAR, max(active_minutes) FROM {FACT} GROUP BY 1").fetchall()
    return dict(rows)


def test_a_date_that_did_not_change_is_the_same_file(project: Project, small_district: ModuleType) -> None:
    versions = {"2026-04-06": "a", "2026-04-07": "b"}
    small_district.write_warehouse(project, by_date={FACT: versions}, **{FACT: use(10, *versions)})
    first = published(project)
    small_district.write_warehouse(
        project,
        by_date={FACT: versions | {"2026-04-07": "c", "2026-04-08": "d"}},
        **{FACT: use(10, "2026-04-06") + " UNION ALL " + use(20, "2026-04-07", "2026-04-08")},
    )
    second = published(project)
    before, after = files(first), files(second)
    assert after["2026-04-06"].st_ino == before["2026-04-06"].st_ino
    assert after["2026-04-07"].st_ino != before["2026-04-07"].st_ino
    assert minutes(first) == {"2026-04-06": 10, "2026-04-07": 10}  # the earlier snapshot keeps its numbers
    assert minutes(second) == {"2026-04-06": 10, "2026-04-07": 20, "2026-04-08": 20}
    assert second.manifest["tables"][FACT] == 150


@pytest.mark.parametrize("why", ["no_version", "other_rows"])
def test_what_may_have_changed_is_written(project: Project, small_district: ModuleType, why: str) -> None:
    versions = {} if why == "no_version" else {"2026-04-06": "a"}
    small_district.write_warehouse(project, by_date={FACT: versions}, **{FACT: use(10, "2026-04-06")})
    published(project)
    changed = use(20, "2026-04-06") + ("" if why == "no_version" else " LIMIT 40")
    small_district.write_warehouse(project, by_date={FACT: versions}, **{FACT: changed})
    assert minutes(published(project)) == {"2026-04-06": 20}


def test_a_fact_without_rows_is_an_empty_table(project: Project, small_district: ModuleType) -> None:
    small_district.write_warehouse(project, by_date={FACT: {}}, **{FACT: use(10)})
    assert minutes(published(project)) == {}


def test_a_pruned_snapshot_takes_no_file_from_those_that_stay(project: Project) -> None:
    last = [published(project) for _ in range(7)][-1]
    assert minutes(last) == {"2026-04-06": 12.5}
    assert {stat.st_nlink for stat in files(last).values()} == {5}


def test_a_snapshot_can_be_moved(project: Project, tmp_path: Path) -> None:
    snapshot = published(project)
    elsewhere = tmp_path / "elsewhere"
    project.published("maple").rename(elsewhere)
    moved = read_current(elsewhere)
    assert moved is not None and moved.id == snapshot.id
    assert minutes(moved) == {"2026-04-06": 12.5}


def test_a_lost_file_is_not_published(project: Project) -> None:
    candidate = make_candidate(project, project.district("maple"), "run")
    summary.save(CheckSummary(candidate.id, 1), candidate.path)
    next((candidate.path / "restricted" / FACT).glob("*/*.parquet")).unlink()
    with pytest.raises(CheckError, match="2026-04-06 is not the file that was checked"):
        publish_latest(project, project.district("maple"), "run")


def test_files_of_persons_are_for_their_owner_only_and_not_to_be_written(project: Project) -> None:
    for stat in files(published(project)).values():
        assert stat.st_mode & 0o777 == 0o400
