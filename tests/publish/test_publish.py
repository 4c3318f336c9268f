from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import duckdb
import pytest

from uptake.errors import CheckError, PermanentError, TransientError
from uptake.operations.models import Snapshot
from uptake.operations.session import reading
from uptake.project import Project
from uptake.quality import summary
from uptake.quality.summary import CheckSummary, FailedCheck
from uptake.warehouse import snapshot
from uptake.warehouse.publish import (
    current_snapshot,
    latest_candidate,
    publish_candidate,
    publish_latest,
    read_current,
    status_of,
)
from uptake.warehouse.snapshot import Candidate, make_candidate

LEAK = FailedCheck("privacy.x", "privacy", "mart_x", None, "critical", "No small count.", "1 row", "Mend the mart.")


def candidate_of(project: Project) -> Candidate:
    return make_candidate(project, project.district("maple"), "run-1")


def publish(project: Project, candidate: Candidate, *failed: FailedCheck, passed: int = 3) -> str:
    checks = CheckSummary(candidate.id, passed, failed_critical=list(failed))
    summary.save(checks, candidate.path)
    return publish_candidate(project, project.district("maple"), candidate, checks, "run-1").id


def snapshot_rows(project: Project) -> dict[str, str]:
    with reading(project.operations) as session:
        return {row.id: row.status for row in session.query(Snapshot)}


def tables(file: Path) -> set[str]:
    with duckdb.connect(str(file), read_only=True) as connection:
        return {row[0] for row in connection.execute("SELECT table_name FROM information_schema.tables").fetchall()}


def test_tables_go_where_their_model_says_and_nowhere_else(project: Project, small_district: ModuleType) -> None:
    candidate = candidate_of(project)
    for audience in ("leaders", "restricted"):
        expected = {name for name, (where, _) in small_district.TABLES.items() if where == audience}
        assert tables(candidate.file(audience)) == expected
    assert candidate.manifest["tables"]["fct_student_tool_day"] == 200
    assert candidate.manifest["data_complete_through"] == "2026-04-10"


def test_an_unknown_audience_is_an_error_and_not_a_guess(project: Project) -> None:
    path = project.state_dir / "dbt" / "maple" / "target" / "manifest.json"
    path.write_text(path.read_text().replace('"restricted"', '"everyone"'))
    with pytest.raises(PermanentError, match="everyone"):
        candidate_of(project)


@pytest.mark.parametrize("column", ["student_key", "person_key", "users_email", "given_name", "TEACHER_ID"])
def test_a_leaders_table_with_a_personal_column_never_reaches_the_file(
    project: Project, small_district: ModuleType, column: str
) -> None:
    small_district.write_warehouse(project, mart_value=f"SELECT 'a' AS {column}")
    candidate = candidate_of(project)
    assert "mart_value" not in tables(candidate.file("leaders"))
    assert candidate.manifest["refused"] == {"mart_value": [column]}


@pytest.mark.parametrize("text", ["md5('7')", "'seen: ' || md5('7') || '!'", "['a', md5('7')]"])
def test_a_leaders_table_with_a_person_in_its_text_never_reaches_the_file(
    project: Project, small_district: ModuleType, text: str
) -> None:
    small_district.write_warehouse(project, mart_value=f"SELECT md5('a school') AS org_key, {text} AS note")
    candidate = candidate_of(project)
    assert "mart_value" not in tables(candidate.file("leaders"))
    assert candidate.manifest["refused"] == {"mart_value": ["note"]}


def test_a_table_is_not_cleared_of_people_who_were_not_known_then(project: Project, small_district: ModuleType) -> None:
    note = "SELECT md5('a school') AS org_key, md5('new') AS note"
    small_district.write_warehouse(project, mart_value=note)
    assert candidate_of(project).manifest["refused"] == {}
    assert candidate_of(project).manifest["refused"] == {}
    students = small_district.TABLES["dim_student"][1]
    known = f"FROM ({students}) UNION ALL BY NAME SELECT md5('new') AS student_key"
    small_district.write_warehouse(project, mart_value=note, dim_student=known)
    assert candidate_of(project).manifest["refused"] == {"mart_value": ["note"]}
    # Nor is what was refused ever cleared by being as it was.
    assert candidate_of(project).manifest["refused"] == {"mart_value": ["note"]}


def test_what_was_cleared_is_not_searched_again(
    project: Project, small_district: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[str] = []
    real = snapshot._personal
    monkeypatch.setattr(
        snapshot, "_personal", lambda db, source, columns: (searched.append(source), real(db, source, columns))[1]
    )
    candidate_of(project)
    assert len(searched) > 3
    searched.clear()
    small_district.write_warehouse(project, mart_value="SELECT 'another' AS note")
    candidate_of(project)
    assert searched == ['"maple"."marts"."mart_value"']
    searched.clear()
    (project.published("maple") / candidate_of(project).path.name / "manifest.json").unlink()
    searched.clear()
    candidate_of(project)
    assert len(searched) > 3, "nobody knows what was cleared"
    searched.clear()
    monkeypatch.setattr(snapshot, "PSEUDONYM", "[0-9a-f]{31}")
    candidate_of(project)
    assert len(searched) > 3, "what is looked for is another thing"


def test_person_level_files_are_for_their_owner_only(project: Project) -> None:
    candidate = candidate_of(project)
    for path, mode in (
        (candidate.path.parent, 0o700),
        (candidate.path, 0o700),
        (candidate.file("restricted"), 0o600),
        (candidate.file("leaders"), 0o600),
    ):
        assert stat.S_IMODE(path.stat().st_mode) == mode, path


def test_same_warehouse_same_rows_in_the_same_order(project: Project) -> None:
    def rows(candidate: Candidate) -> list[tuple[object, ...]]:
        with duckdb.connect(str(candidate.file("leaders")), read_only=True) as connection:
            return connection.execute("SELECT * FROM mart_adoption").fetchall()

    first = candidate_of(project)
    before = rows(first)
    assert rows(candidate_of(project)) == before
    assert not first.path.exists()  # a newer candidate takes its place


def test_a_clock_that_was_set_back_does_not_hide_the_newest(project: Project) -> None:
    first = candidate_of(project)
    tomorrow = f"2999{first.id[4:]}"
    first.path.rename(first.path.parent / f"candidate-{tomorrow}")
    second = candidate_of(project)
    assert second.id > tomorrow
    assert latest_candidate(project, project.district("maple")) == second


def test_nothing_built_says_what_to_do(project: Project) -> None:
    project.warehouse("maple").unlink()
    with pytest.raises(PermanentError, match="uptake build"):
        candidate_of(project)


def test_a_writer_at_work_is_a_reason_to_retry(project: Project) -> None:
    code = "import duckdb,sys,time; c=duckdb.connect(sys.argv[1]); print('open', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(project.warehouse("maple"))], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == "open\n"
        with pytest.raises(TransientError, match="being written"):
            candidate_of(project)
        writer.kill()


def test_publish_then_read_by_path_alone(project: Project) -> None:
    assert current_snapshot(project, "maple") is None
    published = publish(project, candidate_of(project))
    current = read_current(project.published("maple"))
    assert current is not None
    assert current.id == published
    assert current.rejected is None
    assert current.manifest["checks"] == {"passed": 3, "failed_warning": []}
    assert current.manifest["published_at"]
    assert "mart_adoption" in tables(current.leaders)
    assert "dim_student" in tables(current.restricted)
    assert snapshot_rows(project) == {published: "published"}


def test_a_critical_failure_keeps_the_last_good_snapshot_and_says_since_when(project: Project) -> None:
    good = publish(project, candidate_of(project))
    with pytest.raises(CheckError, match=r"privacy\.x \(1 row\).*Mend the mart"):
        publish(project, candidate_of(project), LEAK)
    first = status_of(project, project.district("maple"))
    assert first["snapshot_id"] == good
    [failing] = first["failing_checks"]
    assert (failing["check_id"], failing["remedy"]) == ("privacy.x", "Mend the mart.")

    other = FailedCheck("marts.y", "marts", "mart_y", None, "critical", "Y.", "2 rows", "Mend y.")
    newest = candidate_of(project)
    with pytest.raises(CheckError):
        publish(project, newest, LEAK, other)
    second = status_of(project, project.district("maple"))
    since = {check["check_id"]: check["since"] for check in second["failing_checks"]}
    assert second["failing_checks_since"] == first["failing_checks_since"] == since["privacy.x"]
    assert since["marts.y"] > since["privacy.x"]
    assert snapshot_rows(project)[newest.id] == "rejected"

    again = publish(project, candidate_of(project))
    third = status_of(project, project.district("maple"))
    assert (third["snapshot_id"], third["failing_checks"], third["failing_checks_since"]) == (again, [], None)
    assert not (project.published("maple") / "rejected.json").exists()


def test_status_before_the_first_publication(project: Project) -> None:
    district = project.district("maple")
    assert status_of(project, district)["snapshot_id"] is None
    with pytest.raises(CheckError):
        publish(project, candidate_of(project), LEAK)
    status = status_of(project, district)
    assert status["snapshot_id"] is None
    assert len(status["failing_checks"]) == 1


def test_unchecked_is_not_published(project: Project) -> None:
    district = project.district("maple")
    with pytest.raises(PermanentError, match="uptake check"):
        publish_latest(project, district, "run-1")
    candidate_of(project)
    with pytest.raises(CheckError, match="not checked"):
        publish_latest(project, district, "run-1")
    assert current_snapshot(project, "maple") is None


def test_checks_of_another_candidate_publish_nothing(project: Project) -> None:
    candidate = candidate_of(project)
    with pytest.raises(CheckError, match="not of"):
        publish_candidate(project, project.district("maple"), candidate, CheckSummary("another", 1), "run-1")


def test_what_was_checked_is_what_is_published(project: Project) -> None:
    candidate = candidate_of(project)
    with duckdb.connect(str(candidate.file("leaders"))) as connection:
        connection.execute("UPDATE mart_value SET wasted = 0")
    with pytest.raises(CheckError, match="not the file that was checked"):
        publish(project, candidate)
    assert current_snapshot(project, "maple") is None


def test_publishing_twice_changes_nothing(project: Project) -> None:
    first = publish(project, candidate_of(project))
    before = (project.published("maple") / first / "manifest.json").read_bytes()
    assert publish_latest(project, project.district("maple"), "run-2").id == first
    assert (project.published("maple") / first / "manifest.json").read_bytes() == before


@pytest.mark.parametrize("killed_before", ["rename", "write_text"])
def test_a_publication_cut_short_is_finished_by_the_next_run(
    project: Project, monkeypatch: pytest.MonkeyPatch, killed_before: str
) -> None:
    good = publish(project, candidate_of(project))
    candidate = candidate_of(project)

    class Killed(BaseException): ...

    def killed(*_: object) -> None:
        raise Killed

    summary.save(CheckSummary(candidate.id, 1), candidate.path)
    with monkeypatch.context() as patch:
        if killed_before == "write_text":  # the manifest is written with it too: let that one pass
            patch.setattr("uptake.warehouse.durable.write_json", lambda path, value: path.write_text(json.dumps(value)))
        patch.setattr(f"uptake.warehouse.durable.{killed_before}", killed)
        with pytest.raises(Killed):
            publish_latest(project, project.district("maple"), "run-1")
    assert (read_current(project.published("maple")) or pytest.fail()).id == good
    found = latest_candidate(project, project.district("maple"))
    assert found is not None and found.id == candidate.id
    assert publish_latest(project, project.district("maple"), "run-2").id == candidate.id
    assert snapshot_rows(project) == {good: "published", candidate.id: "published"}


def test_a_run_killed_before_it_said_so_is_recorded_by_the_next(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = candidate_of(project)
    with monkeypatch.context() as patch:
        patch.setattr("uptake.warehouse.publish._record", lambda *_: None)
        publish(project, first)
    assert snapshot_rows(project) == {first.id: "candidate"}
    second = publish(project, candidate_of(project))
    assert snapshot_rows(project) == {first.id: "published", second: "published"}


def test_a_rejection_older_than_what_is_up_is_not_told(project: Project) -> None:
    with pytest.raises(CheckError):
        publish(project, candidate_of(project), LEAK)
    stale = (project.published("maple") / "rejected.json").read_bytes()
    publish(project, candidate_of(project))
    (project.published("maple") / "rejected.json").write_bytes(stale)  # killed before it was removed
    assert status_of(project, project.district("maple"))["failing_checks"] == []
    assert (current_snapshot(project, "maple") or pytest.fail()).rejected is None


def test_the_last_five_stay_and_every_manifest(project: Project) -> None:
    published = [publish(project, candidate_of(project)) for _ in range(7)]
    folder = project.published("maple")
    kept = sorted(path.name for path in folder.iterdir() if (path / "leaders.duckdb").exists())
    assert kept == sorted(published)[2:]
    assert sorted(path.stem for path in (folder / "manifests").iterdir()) == sorted(published)[:2]
    assert current_snapshot(project, "maple").id == published[-1]  # type: ignore[union-attr]


def test_an_open_reader_outlives_its_snapshot(project: Project) -> None:
    publish(project, candidate_of(project))
    first = current_snapshot(project, "maple")
    assert first is not None
    with duckdb.connect(str(first.leaders), read_only=True) as reader:
        for _ in range(6):
            publish(project, candidate_of(project))
        assert not first.leaders.exists()
        held = reader.execute("SELECT count(*) FROM mart_adoption").fetchone()
        assert held == (first.manifest["tables"]["mart_adoption"],)
