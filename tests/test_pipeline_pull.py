"""A pull decides what to ask for, lands it, and tells the truth about what failed."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fake_source import COURSES, PEOPLE, VISITS, FakeSource, make_project, people, visits
from sqlalchemy import select, update

from uptake import pipeline
from uptake.config import SourceSettings
from uptake.contracts import Resource, Window
from uptake.credentials import Credential
from uptake.errors import CheckError, ConfigError, PermanentError, TransientError
from uptake.landing import ledger
from uptake.landing.land import Doubted
from uptake.landing.sweep import Swept
from uptake.operations.models import LandedFile, Outcome, Pull
from uptake.operations.session import reading, writing
from uptake.project import Project
from uptake.status import district_status
from uptake.warehouse.dbt import BuildSummary

MORNING = datetime(2026, 4, 14, 10, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Bench:
    """A project, a source and a clock that the test sets."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.source = FakeSource()
        self.source.rows.update(people=people(30), visits=visits(200), courses=[{"id": "c1", "title": "Art"}])
        self.now = MORNING

    def pull(self, **options: object) -> pipeline.PullSummary:
        return pipeline.pull(self.project, "lakeside", "sis", **options)  # type: ignore[arg-type]

    def modes(self, summary: pipeline.PullSummary) -> dict[str, str]:
        return {resource.resource: resource.mode for resource in summary.resources}

    def asked(self, resource: Resource) -> list[Window]:
        asked = [window for name, window in self.source.asked if name == resource.name]
        self.source.asked = [entry for entry in self.source.asked if entry[0] != resource.name]
        return asked

    def pulls(self) -> list[Pull]:
        with reading(self.project.operations) as session:
            return list(session.scalars(select(Pull).order_by(Pull.id)))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(make_project(tmp_path))
    monkeypatch.setattr(pipeline, "open_source", lambda settings, credential: made.source)
    monkeypatch.setattr(pipeline, "credential_of", lambda project, settings: None)
    monkeypatch.setattr(pipeline.clock, "now", lambda district: made.now)
    return made


def test_the_first_pull_reads_everything(bench: Bench) -> None:
    summary = bench.pull(run_id="first")
    assert bench.modes(summary) == {"people": "full", "visits": "incremental", "courses": "full"}
    assert summary.counts() == {"pulled": 231, "landed": 231, "quarantined": 0, "deleted": 0}
    assert bench.asked(PEOPLE) == [Window.between("full", None, MORNING)]
    assert bench.asked(VISITS)[0].start == bench.source.earliest
    assert {pull.status for pull in bench.pulls()} == {"good"}
    assert {pull.run_id for pull in bench.pulls()} == {"first"}


def test_the_first_publication_waits_until_each_source_was_pulled_once(bench: Bench) -> None:
    assert pipeline.first_pulls_ahead(bench.project, "lakeside") == ["sis"]
    seen_within: list[list[str]] = []

    def look() -> float:
        seen_within.append(pipeline.first_pulls_ahead(bench.project, "lakeside"))
        return 0.0

    bench.source.pause = look
    bench.pull(run_id="first")
    assert seen_within and all(ahead == ["sis"] for ahead in seen_within), "a pull that has not come to its end"
    assert pipeline.first_pulls_ahead(bench.project, "lakeside") == []
    bench.pull(run_id="second")
    assert seen_within[-1] == [], "a second pull is no first one"


def test_a_source_that_cannot_be_pulled_does_not_hold_up_the_first_publication(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(settings: SourceSettings, credential: Credential) -> None:
        raise PermanentError("the client is not known", remedy="ask the vendor.")

    monkeypatch.setattr(pipeline, "open_source", refuse)
    with pytest.raises(PermanentError):
        bench.pull()
    assert pipeline.first_pulls_ahead(bench.project, "lakeside") == []


def test_the_next_pull_starts_where_the_last_good_one_began_less_the_look_back(bench: Bench) -> None:
    bench.pull()
    bench.source.asked.clear()
    bench.now = MORNING + 2 * HOUR
    summary = bench.pull()
    assert bench.modes(summary) == {"people": "incremental", "visits": "incremental", "courses": "not due"}
    assert bench.asked(PEOPLE) == [Window.between("incremental", MORNING - HOUR, bench.now)]
    assert bench.asked(VISITS)[0].start == (MORNING - HOUR).replace(minute=0)
    assert bench.asked(COURSES) == []


def test_a_failed_pull_does_not_move_the_cursor(bench: Bench) -> None:
    bench.pull()
    bench.now = MORNING + HOUR
    bench.source.errors["people"] = TransientError("away")
    with pytest.raises(TransientError):
        bench.pull()
    bench.source.errors.clear()
    bench.source.asked.clear()
    bench.now = MORNING + 3 * HOUR
    bench.pull()
    assert bench.asked(PEOPLE) == [Window.between("incremental", MORNING - HOUR, bench.now)]


def test_everything_is_read_again_when_it_is_due(bench: Bench) -> None:
    bench.pull()
    bench.now = MORNING + timedelta(days=1)
    assert bench.modes(bench.pull()) == {"people": "incremental", "visits": "incremental", "courses": "full"}
    bench.now = MORNING + timedelta(days=7)
    assert bench.modes(bench.pull())["people"] == "full"


def test_full_is_full_and_finds_what_vanished(bench: Bench) -> None:
    bench.pull()
    bench.now = MORNING + HOUR
    bench.source.rows["people"] = people(29)
    summary = bench.pull(full=True)
    assert bench.modes(summary) == {"people": "full", "visits": "full", "courses": "full"}
    assert summary.counts()["deleted"] == 1


def test_a_backfill_replaces_its_windows_and_leaves_the_cursor(bench: Bench) -> None:
    bench.pull()
    bench.source.asked.clear()
    bench.now = MORNING + HOUR
    start = datetime(2026, 4, 14, 8, tzinfo=UTC)
    summary = bench.pull(since=start, until=start + HOUR, resources=["visits"])
    assert bench.modes(summary) == {"visits": "backfill"}
    assert bench.asked(VISITS) == [Window.between("interval", start, start + HOUR)]
    live = ledger.live_files(bench.project.operations, "lakeside", "sis", "visits")
    assert sum(row.row_count for row in live) == 200
    bench.pull(resources=["visits"])
    assert bench.asked(VISITS)[0].start == (MORNING - HOUR).replace(minute=0)


def test_a_first_pull_since_a_date_sets_the_cursor(bench: Bench) -> None:
    since = datetime(2026, 4, 14, 9, tzinfo=UTC)
    assert bench.modes(bench.pull(since=since, resources=["visits"])) == {"visits": "incremental"}
    bench.source.asked.clear()
    bench.now = MORNING + HOUR
    bench.pull(resources=["visits"])
    assert bench.asked(VISITS)[0].start == (MORNING - HOUR).replace(minute=0)


def test_pulling_twice_at_the_same_instant_changes_nothing(bench: Bench) -> None:
    bench.pull()
    before = {row.id: row.landed_at for row in ledger.live_files(bench.project.operations, "lakeside")}
    files = sorted(bench.project.lake.rglob("*.parquet"))
    assert bench.pull().counts()["pulled"] > 0
    assert {row.id: row.landed_at for row in ledger.live_files(bench.project.operations, "lakeside")} == before
    assert sorted(bench.project.lake.rglob("*.parquet")) == files


def test_one_resource_that_fails_does_not_stop_the_others_and_the_worst_is_raised(bench: Bench) -> None:
    bench.source.errors["people"] = TransientError("the vendor is away")
    bench.source.errors["visits"] = PermanentError("the scope is missing", remedy="grant it.")
    bench.source.rows["visits"] = visits(150)
    with pytest.raises(PermanentError, match="scope is missing") as caught:
        bench.pull()
    assert "resource visits" in str(caught.value) and "grant it" in str(caught.value)
    assert "the vendor is away" in "".join(caught.value.__notes__)
    with reading(bench.project.operations) as session:
        outcomes = {(row.resource, row.status) for row in session.scalars(select(Outcome))}
    assert ("courses", "good") in outcomes
    assert {("people", "failed"), ("visits", "failed")} <= outcomes
    assert {pull.resource: pull.status for pull in bench.pulls()} == {
        "people": "failed",
        "visits": "failed",
        "courses": "good",
    }


def test_a_failure_to_list_windows_has_its_outcome(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> list[Window]:
        raise PermanentError("no such folder", remedy="mount it.")

    monkeypatch.setattr(bench.source, "windows", broken)
    with pytest.raises(PermanentError, match="no such folder"):
        bench.pull(resources=["people"])
    with reading(bench.project.operations) as session:
        (outcome,) = session.scalars(select(Outcome))
    assert (outcome.step, outcome.status, outcome.remedy) == ("pull", "failed", "mount it.")


def test_what_stops_a_whole_source_has_one_outcome(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_credential(*_: object) -> None:
        raise ConfigError("no credential for connection 'lakeside_sis'", remedy="export it.")

    monkeypatch.setattr(pipeline, "credential_of", no_credential)
    with pytest.raises(ConfigError, match="source sis"):
        bench.pull()
    with reading(bench.project.operations) as session:
        (outcome,) = session.scalars(select(Outcome))
    assert (outcome.source, outcome.resource, outcome.step, outcome.status) == ("sis", "*", "pull", "failed")
    (told,) = district_status(bench.project, bench.project.district("lakeside"))["sources"]
    assert told["failed"]["message"] == "no credential for connection 'lakeside_sis'"
    monkeypatch.setattr(pipeline, "credential_of", lambda *_: None)
    bench.pull()
    (told,) = district_status(bench.project, bench.project.district("lakeside"))["sources"]
    assert told["failed"] is None


def test_a_defect_marks_its_pull_as_failed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(bench.source, "windows", broken)
    with pytest.raises(ZeroDivisionError):
        bench.pull(resources=["people"])
    (pull,) = bench.pulls()
    assert pull.status == "failed"


def test_all_resources_are_asked_for_one_instant(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(MORNING + timedelta(minutes=minute) for minute in range(9))
    monkeypatch.setattr(pipeline.clock, "now", lambda district: next(times))
    bench.pull()
    assert {(pull.started_at, pull.until) for pull in bench.pulls()} == {(MORNING, MORNING)}


def test_windows_that_landed_before_a_failure_stay(bench: Bench) -> None:
    """The second hour fails; the first one is not lost, and the rerun takes both."""
    real, calls = bench.source.pull, []

    def fails_late(resource: Resource, window: Window):  # type: ignore[no-untyped-def]
        calls.append(window)
        if len(calls) == 10:
            raise TransientError("away")
        yield from real(resource, window)

    bench.source.pull = fails_late  # type: ignore[method-assign]
    with pytest.raises(TransientError):
        bench.pull(resources=["visits"])
    assert sum(row.row_count for row in ledger.live_files(bench.project.operations, "lakeside")) == 120
    bench.pull(resources=["visits"])
    assert sum(row.row_count for row in ledger.live_files(bench.project.operations, "lakeside")) == 200


# ---- files ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def dropped(bench: Bench) -> Callable[..., None]:
    """The source becomes a drop folder: one window for each file."""
    resource = replace(COURSES, full_sync_every=None)
    bench.source.resources = {"courses": resource}
    files: list[str] = []
    bench.source.windows = lambda *_, **__: [Window("file", f"file-{name}") for name in files]  # type: ignore[method-assign]

    def drop(*names: str) -> None:
        files.extend(names)

    return drop


def test_a_file_is_taken_once(bench: Bench, dropped: Callable[..., None]) -> None:
    dropped("a", "b")
    assert bench.pull().resources[0].windows == 2
    dropped("c")
    bench.source.asked.clear()
    assert bench.pull().resources[0].windows == 1
    assert [window.token for window in bench.asked(COURSES)] == ["file-c"]
    assert bench.pull(full=True).resources[0].windows == 3


def test_a_file_that_failed_is_tried_again(bench: Bench, dropped: Callable[..., None]) -> None:
    dropped("a")
    bench.source.errors["courses"] = TransientError("still being written")
    with pytest.raises(TransientError):
        bench.pull()
    bench.source.errors.clear()
    assert bench.pull().resources[0].windows == 1


def test_a_file_of_nothing_but_broken_rows_lands_by_itself_once_it_can_be_read(
    bench: Bench, dropped: Callable[..., None]
) -> None:
    dropped("a")
    bench.source.rows["courses"] = [{"title": "no key"}]
    for _ in range(2):
        assert bench.pull().counts() == {"pulled": 1, "landed": 0, "quarantined": 1, "deleted": 0}
        assert len(ledger.quarantine_files(bench.project.operations, "lakeside")) == 1
    bench.source.rows["courses"] = [{"id": "c1"}]  # as after mending the mapping
    assert bench.pull().counts()["landed"] == 1
    assert ledger.quarantine_files(bench.project.operations, "lakeside") == []
    assert bench.pull().resources[0].windows == 0


# ---- around it ------------------------------------------------------------------------------------------------------


def test_names_that_do_not_exist_are_told_with_those_that_do(bench: Bench) -> None:
    for attempt, known in (
        (lambda: pipeline.pull(bench.project, "nowhere", "sis"), "name one of: lakeside"),
        (lambda: pipeline.pull(bench.project, "lakeside", "lms"), "name one of: sis"),
        (lambda: bench.pull(resources=["grades"]), "name some of: people, visits, courses"),
    ):
        with pytest.raises(ConfigError, match=known):
            attempt()


def test_two_pulls_of_one_source_do_not_run_at_once(bench: Bench) -> None:
    bench.pull()
    with (bench.project.state_dir / "locks" / "pull.lakeside.sis").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(TransientError, match="another pull"):
            bench.pull()
    bench.pull()


def test_progress_is_told(bench: Bench) -> None:
    told: list[tuple[object, ...]] = []
    bench.source.page_size = 10
    bench.pull(resources=["people"], progress=lambda *call: told.append(call))
    assert told == [("people", 1, 1, rows, None) for rows in (10, 20, 30)]


def test_a_source_without_a_connection_is_a_configuration_error(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    settings = SourceSettings(name="sis", kind="oneroster")
    with pytest.raises(ConfigError, match="names no connection"):
        pipeline.credential_of(project, settings)
    asked: list[str] = []

    def resolve(connection: str) -> Credential:
        asked.append(connection)
        return Credential("id", "hush")

    known = replace(project, credential=resolve)
    assert pipeline.credential_of(known, settings.model_copy(update={"connection": "lakeside_sis"})) == Credential(
        "id", "hush"
    )
    assert asked == ["lakeside_sis"]
    assert pipeline.credential_of(project, SourceSettings(name="registers", kind="dropfolder")) is None
    far = SourceSettings(name="registers", kind="dropfolder", connection="lakeside_files")
    assert pipeline.credential_of(known, far) == Credential("id", "hush")


CONFIG = """\
districts:
  - id: lakeside
    name: Lakeside
    time_zone: America/Chicago
    calendar:
      school_years: [{name: 2025-26, starts_on: 2025-08-18, ends_on: 2026-06-05}]
    sources:
      - {name: registers, kind: dropfolder, folder: drop, mappings: registers}
      - name: sis
        kind: oneroster
        url: https://sis.example.org
        connection: lakeside_sis
      - {name: lms, kind: canvas, url: https://lms.example.org}
"""


def test_a_missing_credential_is_told_with_the_key_and_the_line_that_ask_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_LAKESIDE_SIS", raising=False)
    (tmp_path / "uptake.yaml").write_text(CONFIG)
    project = Project.load(tmp_path / "uptake.yaml")
    for source, told in (
        ("sis", "uptake.yaml line 12: districts.0.sources.1.connection: no credential for connection 'lakeside_sis'"),
        ("lms", "uptake.yaml line 13: districts.0.sources.2: source 'lms' names no connection"),
    ):
        with pytest.raises(ConfigError) as caught:
            pipeline.pull(project, "lakeside", source)
        assert caught.value.message == told
        assert caught.value.remedy


# ---- a loss that is real --------------------------------------------------------------------------------------------


def _state(bench: Bench) -> tuple[int, int, int, set[Path]]:
    with reading(bench.project.operations) as session:
        counts = [session.query(table).count() for table in (Outcome, Pull, LandedFile)]
    return (*counts, {path for root in (bench.project.lake, bench.project.quarantine) for path in root.rglob("*")})


def test_a_mass_delete_is_shown_and_then_accepted(bench: Bench) -> None:
    bench.source.rows["people"] = people(100)
    bench.pull()
    bench.source.rows["people"] = [row for row in people(100)[:60] if row["school"] == "school-0"]
    bench.now += HOUR
    before = _state(bench)
    (shown,) = bench.pull(resources=["people"], full=True, dry_run=True).resources
    assert _state(bench) == before
    assert (shown.pulled, shown.deleted) == (30, 20)
    assert shown.doubted == [Doubted(50, 1, (("school-1", 50),))]
    (would,) = bench.pull(resources=["people"], full=True, dry_run=True, accept_deletes=True).resources
    assert would.deleted == 70 and _state(bench) == before
    (refused,) = bench.pull(resources=["people"], full=True).resources
    assert refused.deleted == 20
    bench.now += HOUR
    (accepted,) = bench.pull(resources=["people"], full=True, accept_deletes=True).resources
    assert accepted.deleted == 50 and "as a person accepted" in " ".join(accepted.warnings)
    bench.now += HOUR
    (after,) = bench.pull(resources=["people"], full=True).resources
    assert (after.deleted, after.warnings) == (0, [])


def test_events_are_given_up_only_for_a_span_that_is_named_from_end_to_end(bench: Bench) -> None:
    bench.pull()
    start = bench.source.earliest.replace(hour=8)
    bench.source.rows["visits"] = []

    def held() -> int:
        return sum(row.row_count for row in ledger.live_files(bench.project.operations, "lakeside", "sis", "visits"))

    before = held()
    (visited,) = bench.pull(resources=["visits"], full=True, accept_deletes=True).resources
    assert held() == before and visited.warnings
    span = {"resources": ["visits"], "since": start, "until": start + HOUR, "accept_deletes": True}
    (shown,) = bench.pull(dry_run=True, **span).resources
    assert shown.doubted[0].rows == 120 and held() == before
    (gone,) = bench.pull(**span).resources
    assert held() == before - 120 and gone.warnings == []


# ---- what a killed pull left ----------------------------------------------------------------------------------------


def _leave_behind(bench: Bench, *, status: str = "running") -> list[Path]:
    """As a pull leaves it that is killed between its rename and its commit, while another file is being written."""
    (first, *_) = ledger.live_files(bench.project.operations, "lakeside")
    day = (bench.project.lake / first.path).parent
    left = [day / "lost.0123456789abcdef.parquet", day / ".lost.77.tmp"]
    for path in left:
        path.write_bytes(b"half a file")
        os.utime(path, (1, 1))
    with writing(bench.project.operations) as session:
        session.execute(update(Pull).where(Pull.resource == "courses").values(status=status))
    return left


def test_a_pull_after_a_kill_removes_what_was_left_and_nothing_else(bench: Bench) -> None:
    bench.pull()
    bench.source.rows["courses"] = [{"id": "c2", "title": "Music"}]
    bench.pull(full=True)  # now there are superseded files too
    before = set(bench.project.lake.rglob("*.parquet"))
    left = _leave_behind(bench)
    young = left[0].with_name("young.0123456789abcdef.parquet")
    young.write_bytes(b"of somebody who does not see the lock")
    os.utime(young, (time.time() + 60,) * 2)
    bench.pull(resources=["people"])
    assert not any(path.exists() for path in left) and young.exists()
    assert before <= set(bench.project.lake.rglob("*.parquet"))
    with reading(bench.project.operations) as session:
        (outcome,) = session.scalars(select(Outcome).filter_by(step="sweep"))
        assert outcome.details is not None and (outcome.details["files"], outcome.details["killed_pulls"]) == (2, 2)
        assert session.scalars(select(Pull).filter_by(status="running")).all() == []


def test_a_pull_after_a_good_one_does_not_look(bench: Bench) -> None:
    bench.pull()
    left = _leave_behind(bench, status="good")
    bench.pull()
    assert all(path.exists() for path in left)


def test_a_sweep_counts_first_and_waits_for_no_running_pull(bench: Bench) -> None:
    bench.pull()
    left = _leave_behind(bench, status="good")
    assert pipeline.sweep_source(bench.project, "lakeside", "sis", dry_run=True) == Swept(2, 22)
    assert all(path.exists() for path in left)
    district = bench.project.district("lakeside")
    with pipeline._alone(bench.project, district, district.source("sis")), pytest.raises(TransientError):
        pipeline.sweep_source(bench.project, "lakeside", "sis")
    assert pipeline.sweep_source(bench.project, "lakeside", "sis").files == 2
    assert not any(path.exists() for path in left)


# ---- build, check, publish ------------------------------------------------------------------------------------------


def _steps(project: Project) -> list[tuple[str, str, str | None]]:
    with reading(project.operations) as session:
        rows = session.scalars(select(Outcome).where(Outcome.resource == "*").order_by(Outcome.id))
        return [(row.step, row.status, row.message) for row in rows]


def test_a_step_leaves_an_outcome_whatever_happens(bench: Bench) -> None:
    district = bench.project.district("lakeside")
    with pipeline._recorded(bench.project, district, "build", "run") as record:
        record.details = {"models": 3}
    with pytest.raises(CheckError), pipeline._recorded(bench.project, district, "publish", "run"):
        raise CheckError("2 critical checks failed", remedy="mend.")
    with pytest.raises(ZeroDivisionError), pipeline._recorded(bench.project, district, "check", "run"):
        _ = 1 / 0
    assert _steps(bench.project) == [
        ("build", "good", None),
        ("publish", "failed", "2 critical checks failed"),
        ("check", "failed", "check broke with ZeroDivisionError"),
    ]


def test_run_publishes_what_could_be_pulled_and_then_tells_of_the_failure(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.source.errors["people"] = TransientError("away")
    done: list[str] = []
    for step in ("build", "check", "publish"):
        monkeypatch.setattr(pipeline, step, lambda *_, step=step, **__: done.append(step))
    told: list[object] = []
    with pytest.raises(TransientError, match="away"):
        pipeline.run(bench.project, "lakeside", told=told.append)
    assert done == ["build", "check", "publish"]
    assert isinstance(told[0], TransientError) and len(told) == 3


# ---- update ---------------------------------------------------------------------------------------------------------


def _update(
    project: Project, monkeypatch: pytest.MonkeyPatch, *, nothing_new: bool, is_shown: bool
) -> tuple[object, list[str]]:
    """(what an update gives, the steps that it took), with a build that says so."""
    done: list[str] = []

    def step(name: str, result: object) -> None:
        monkeypatch.setattr(pipeline, name, lambda *_, **__: done.append(name) or result)

    step("build", BuildSummary(nothing_new=nothing_new))
    step("check", None)
    step("publish", "the snapshot")
    monkeypatch.setattr(pipeline, "checker", lambda *_: nullcontext())
    monkeypatch.setattr("uptake.warehouse.publish.shows_last_build", lambda *_: is_shown)
    return pipeline.update(project, "lakeside", run_id="run"), done


@pytest.mark.parametrize(("nothing_new", "is_shown"), [(False, True), (False, False), (True, False)])
def test_an_update_publishes_what_is_new_or_not_shown_yet(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, nothing_new: bool, is_shown: bool
) -> None:
    found = _update(bench.project, monkeypatch, nothing_new=nothing_new, is_shown=is_shown)
    assert found == ("the snapshot", ["build", "check", "publish"])


def test_an_update_that_finds_nothing_new_neither_checks_nor_publishes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _update(bench.project, monkeypatch, nothing_new=True, is_shown=True) == (None, ["build"])
