"""A vendor's bad day, through the real pull into the lake: nothing lost, nothing twice, and an outcome that says so.

Each fault of the simulated district is switched on for every endpoint that it makes sense for; what is held afterwards
is compared with what a pull on a good day brings. That the faults themselves act is tests/sandbox/test_faults.py.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest
from fake_source import migrated
from sqlalchemy import select

from uptake import pipeline
from uptake.errors import PermanentError, TransientError, UptakeError
from uptake.landing import ledger
from uptake.operations.models import Outcome, Pull
from uptake.operations.session import reading
from uptake.project import Project
from uptake.sandbox.faults import MEANING
from uptake.sandbox.running import RunningSandbox, running_sandbox
from uptake.sources.api import ApiSource
from uptake.sources.registry import KINDS

DISTRICT = "riverbend"
KIND_OF = {"sis": "oneroster", "lms": "canvas", "filter": "umbrella"}
NOW = datetime(2026, 4, 14, 20, 0, tzinfo=UTC)  # a Tuesday, three in the afternoon
MORNING = datetime(2026, 4, 14, 13, 0, tzinfo=UTC)
EVENTS = {"activity": timedelta(hours=2), "page_views": timedelta(days=1)}
SETTINGS = "\n        page_size: {}\n        timeout_seconds: 0.5\n        retry_seconds: {}"
PAGE_SIZES = {"oneroster": 40, "canvas": 25, "umbrella": 60}


@dataclass(frozen=True)
class Desk:
    """A district that has its keys and nothing else, and the vendors whose faults are switched here."""

    sandbox: RunningSandbox
    project: Project

    def fault(self, source: str, fault: Any, *names: str, **options: Any) -> None:
        """A rule for each endpoint, so that each of them has its own bad moment."""
        for name in names or KINDS[KIND_OF[source]].declared:  # type: ignore[attr-defined]
            self.sandbox.fault(f"{KIND_OF[source]}/{name}", fault, **options)

    def pull(self, source: str, *names: str, **options: Any) -> pipeline.PullSummary:
        return pipeline.pull(self.project, DISTRICT, source, resources=names or None, **options)

    def read_all(self, source: str) -> list[pipeline.ResourceSummary]:
        """Every entity whole, and some hours of events."""
        names = list(KINDS[KIND_OF[source]].declared)  # type: ignore[attr-defined]
        entities = [name for name in names if name not in EVENTS]
        found = self.pull(source, *entities, full=True).resources if entities else []
        for name in set(names) & set(EVENTS):
            start = MORNING.replace(hour=0) if name == "page_views" else MORNING
            found += self.pull(source, name, since=start, until=start + EVENTS[name]).resources
        return found

    def held(self, source: str, name: str) -> list[str]:
        """What counts of a resource, as staging sees it: the newest row of each key, without the deleted ones. Its key
        stands first in each."""
        resource = KINDS[KIND_OF[source]].declared[name]  # type: ignore[attr-defined]
        live = ledger.live_files(self.project.operations, DISTRICT, source, name)
        files = [str(self.project.lake / file.path) for file in live]  # oldest first
        if not files:
            return []
        alive = "where not _deleted" if resource.kind == "entity" else ""
        newest = ", ".join(f'"{column}"' for column in resource.key)
        found = (
            reader()
            .execute(
                f"""
            select {newest}, * exclude (filename) from (
                select * from read_parquet($files, filename = true, hive_partitioning = false)
                qualify row_number() over (partition by {newest} order by list_position($files, filename) desc) = 1
            ) {alive} order by all
            """,
                {"files": files},
            )
            .fetchall()
        )
        return [str(row) for row in found]

    def all_held(self, source: str) -> dict[str, list[str]]:
        return {name: self.held(source, name) for name in KINDS[KIND_OF[source]].declared}  # type: ignore[attr-defined]

    def outcomes(self, source: str) -> list[Outcome]:
        with reading(self.project.operations) as session:
            query = select(Outcome).where(Outcome.source == source).order_by(Outcome.id)
            return list(session.scalars(query))

    def every_count_agrees(self, source: str) -> None:
        for outcome in self.outcomes(source):
            if outcome.step == "land" and outcome.status != "failed":
                assert outcome.rows_in == (outcome.rows_out or 0) + (outcome.rows_quarantined or 0)


@cache
def reader() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})


def key_of(row: str) -> str:
    return row.partition(",")[0]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    with running_sandbox(state=tmp_path_factory.mktemp("faults"), students=39, now=NOW) as running:
        yield running


def configured(sandbox: RunningSandbox, folder: Path, *, retry_seconds: float = 60) -> Project:
    config = sandbox.write_config(folder / "uptake.yaml", history_days=1)
    text = config.read_text()
    for kind, size in PAGE_SIZES.items():
        text = text.replace(f"kind: {kind}", f"kind: {kind}{SETTINGS.format(size, retry_seconds)}")
    config.write_text(text)
    return Project.load(config)


@pytest.fixture(scope="module")
def good_day(sandbox: RunningSandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """What a pull brings when nothing is wrong."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in sandbox.environment.items():
            patch.setenv(name, value)
        desk = Desk(sandbox, configured(sandbox, tmp_path_factory.mktemp("good")))
        for source in KIND_OF:
            desk.read_all(source)
            assert all(len(rows) > 1 for rows in desk.all_held(source).values())
            assert {outcome.status for outcome in desk.outcomes(source)} == {"good"}
        yield desk


@pytest.fixture
def desk(good_day: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Empty, with the keys of the good day: the same people have the same pseudonyms. Nobody sleeps."""
    monkeypatch.setattr(ApiSource, "sleep", lambda seconds: None)
    good_day.sandbox.set_clock(now=NOW)
    yield empty(good_day, tmp_path)
    good_day.sandbox.mend()


@pytest.fixture
def hasty(desk: Desk, good_day: Desk, tmp_path: Path) -> Desk:
    """As `desk`, with sources that leave what is asked for twice to the scheduler."""
    return empty(good_day, tmp_path / "hasty", retry_seconds=0.1)


def empty(good_day: Desk, folder: Path, **options: Any) -> Desk:
    project = configured(good_day.sandbox, folder, **options)
    operations = project.state_dir / "operations"
    operations.mkdir(parents=True)
    shutil.copy2(migrated(), operations)
    vault = project.vault(DISTRICT)
    vault.mkdir(parents=True, mode=0o700)
    for key in good_day.project.vault(DISTRICT).glob("*.key"):
        shutil.copy2(key, vault)
    return Desk(good_day.sandbox, project)


# ---- faults that pass -----------------------------------------------------------------------------------------------

PASSING: dict[str, dict[str, Any]] = {
    "throttle": {"times": 2, "retry_after": 0.5},
    "expire": {"times": 1, "after": 1},
    "error500": {"times": 2},
    "slow": {"times": 1, "seconds": 0.8},
    "truncate": {"times": 1},
    "html": {"times": 2},
    "clamp": {"size": 9},
    "no_totals": {},
}
# A Canvas token is made by a person: nothing could renew it (see below).
PASSING_PLACES = [(s, f) for s in KIND_OF for f in PASSING if (s, f) != ("lms", "expire")]


@pytest.mark.parametrize(("source", "fault"), PASSING_PLACES)
def test_a_fault_that_passes_costs_nothing(desk: Desk, good_day: Desk, source: str, fault: str) -> None:
    desk.fault(
        source, fault, *(["users", "courses"] if fault == "slow" and source != "filter" else []), **PASSING[fault]
    )
    summaries = desk.read_all(source)
    assert desk.all_held(source) == good_day.all_held(source)
    assert {outcome.status for outcome in desk.outcomes(source)} == {"good"}
    assert [warning for summary in summaries for warning in summary.warnings] == []
    assert all(summary.pulled == summary.landed for summary in summaries)
    if source == "sis":
        totals = {outcome.source_total for outcome in desk.outcomes(source)}
        assert (totals == {None}) == (fault == "no_totals")


@pytest.mark.parametrize("source", KIND_OF)
def test_rows_that_are_sent_twice_are_held_once(desk: Desk, good_day: Desk, source: str) -> None:
    desk.fault(source, "duplicate", share=0.3)
    summaries = desk.read_all(source)
    assert desk.all_held(source) == good_day.all_held(source)
    desk.every_count_agrees(source)
    assert any(summary.pulled > len(desk.held(source, summary.resource)) for summary in summaries), (
        "they did come twice"
    )


# ---- faults that stay -----------------------------------------------------------------------------------------------

ONE_OF = {"sis": "users", "lms": "courses", "filter": "activity"}
STAYING = {"throttle": "throttles", "error500": "500", "slow": "no answer", "truncate": "breaks off", "html": "HTML"}


@pytest.mark.parametrize("source", KIND_OF)
@pytest.mark.parametrize("fault", STAYING)
def test_a_fault_that_stays_is_left_to_the_scheduler_and_the_rerun_has_every_row(
    good_day: Desk, hasty: Desk, source: str, fault: str
) -> None:
    desk = hasty
    name = ONE_OF[source]
    options: dict[str, Any] = (
        {"full": True} if source != "filter" else {"since": MORNING, "until": MORNING + EVENTS[name]}
    )
    desk.fault(source, fault, name, retry_after=120, seconds=0.8)
    with pytest.raises(TransientError) as caught:
        desk.pull(source, name, **options)
    error = caught.value
    assert STAYING[fault] in error.message
    assert set(error.context) == {"district", "source", "resource", "window"}
    assert error.remedy
    assert (error.retry_after == 120) == (fault == "throttle")
    failed = desk.outcomes(source)[-1]
    assert (failed.status, failed.error_class) == ("failed", "TransientError")
    assert failed.message == error.message and failed.remedy == error.remedy
    assert desk.held(source, name) == []

    desk.sandbox.mend()
    desk.pull(source, name, **options)
    assert desk.held(source, name) == good_day.held(source, name)
    assert desk.outcomes(source)[-1].status == "good"


def test_a_token_that_a_person_made_and_that_is_over_is_a_matter_for_a_person(desk: Desk, good_day: Desk) -> None:
    desk.fault("lms", "expire", "courses", times=1)
    with pytest.raises(PermanentError) as caught:
        desk.pull("lms", "courses", "terms", full=True)
    assert {"district", "source", "resource", "window"} == set(caught.value.context)
    assert "'riverbend_lms'" in caught.value.remedy
    assert desk.held("lms", "courses") == []
    assert desk.held("lms", "terms") == good_day.held("lms", "terms"), "the others go on"
    states = {outcome.resource: (outcome.status, outcome.error_class) for outcome in desk.outcomes("lms")}
    assert states == {"courses": ("failed", "PermanentError"), "terms": ("good", None)}


def test_a_walk_that_breaks_in_the_middle_lands_nothing_of_its_window(desk: Desk, good_day: Desk) -> None:
    desk.pull("sis", "users", full=True)
    before = desk.held("sis", "users")
    desk.fault("sis", "html", "users", after=1)  # the first page comes
    with pytest.raises(UptakeError):
        desk.pull("sis", "users", full=True)
    assert desk.held("sis", "users") == before == good_day.held("sis", "users"), "half a walk deletes nobody"


# ---- rows that come late, or go --------------------------------------------------------------------------------------


def test_late_events_are_found_by_the_look_back(desk: Desk) -> None:
    desk.fault("filter", "late", "activity", share=0.4)
    desk.pull("filter", "activity", since=NOW - timedelta(hours=1))
    few = len(desk.held("filter", "activity"))
    desk.sandbox.mend()
    desk.sandbox.set_clock(now=NOW + timedelta(minutes=30))
    desk.pull("filter", "activity")
    found = set(desk.held("filter", "activity"))

    desk.pull("filter", "activity", since=NOW - timedelta(hours=1), until=NOW + timedelta(minutes=30))
    assert found == set(desk.held("filter", "activity")), "the look-back had brought every row"
    assert 0 < few < len(found)
    desk.every_count_agrees("filter")


def test_late_page_views_are_found_by_the_look_back(desk: Desk, good_day: Desk) -> None:
    start = MORNING.replace(hour=0)
    desk.sandbox.set_clock(now=start + timedelta(hours=23))
    desk.fault("lms", "late", "page_views", share=0.5)
    desk.pull("lms", "page_views", since=start)
    few = len(desk.held("lms", "page_views"))
    desk.sandbox.mend()
    desk.sandbox.set_clock(now=start + timedelta(hours=23, minutes=30))
    desk.pull("lms", "page_views")
    truth = good_day.held("lms", "page_views")
    assert 0 < few < len(truth)
    assert {key_of(row) for row in truth} <= {key_of(row) for row in desk.held("lms", "page_views")}


def test_late_roster_rows_are_found_by_the_look_back(desk: Desk) -> None:
    loaded = datetime(2025, 8, 4, 8, 40, tzinfo=UTC)  # within the hour in which the roster was posted
    desk.sandbox.set_clock(now=loaded)
    desk.fault("sis", "late", "users", share=0.4)
    desk.pull("sis", "users")
    few = len(desk.held("sis", "users"))
    desk.sandbox.mend()
    desk.sandbox.set_clock(now=loaded + timedelta(hours=2))
    assert desk.pull("sis", "users").resources[0].mode == "incremental"
    found = desk.held("sis", "users")
    desk.pull("sis", "users", full=True)
    assert found == desk.held("sis", "users")
    assert 0 < few < len(found)


@pytest.mark.parametrize(("source", "name"), [("sis", "users"), ("sis", "enrollments"), ("lms", "enrollments")])
def test_rows_that_vanish_are_marked_and_unmarked_when_they_come_back(desk: Desk, source: str, name: str) -> None:
    desk.pull(source, name, full=True)
    before = desk.held(source, name)
    desk.fault(source, "vanish", name, share=0.03)
    desk.sandbox.set_clock(now=NOW + timedelta(hours=1))
    (gone,) = desk.pull(source, name, full=True).resources
    assert gone.deleted > 0
    left = desk.held(source, name)
    assert set(map(key_of, left)) < set(map(key_of, before)) and len(left) == len(before) - gone.deleted
    desk.sandbox.mend()
    desk.sandbox.set_clock(now=NOW + timedelta(hours=2))
    desk.pull(source, name, full=True)
    # A vendor's row may tell of its own last minutes; who is enrolled does not change by them.
    assert list(map(key_of, desk.held(source, name))) == list(map(key_of, before))
    desk.every_count_agrees(source)


def test_a_window_that_comes_back_empty_takes_nothing_away(desk: Desk, good_day: Desk) -> None:
    span = {"since": MORNING, "until": MORNING + EVENTS["activity"]}
    desk.pull("filter", "activity", **span)
    desk.fault("filter", "vanish", "activity", share=1.0)
    (summary,) = desk.pull("filter", "activity", **span).resources
    assert "came back without a good row" in " ".join(summary.warnings)
    assert desk.outcomes("filter")[-1].status == "warning" and desk.outcomes("filter")[-1].remedy
    assert desk.held("filter", "activity") == good_day.held("filter", "activity")


def test_a_school_whose_feed_breaks_loses_nobody_and_is_named(desk: Desk, good_day: Desk) -> None:
    desk.pull("sis", "enrollments", full=True)
    desk.fault("sis", "roster_feed", "enrollments")
    desk.sandbox.set_clock(now=NOW + timedelta(hours=1))
    (summary,) = desk.pull("sis", "enrollments", full=True).resources
    assert summary.deleted == 0
    assert any("looks broken" in warning for warning in summary.warnings)
    outcome = desk.outcomes("sis")[-1]
    assert outcome.status == "warning" and outcome.details and outcome.details["broken_parents"]
    assert desk.held("sis", "enrollments") == good_day.held("sis", "enrollments")


def test_no_fault_is_left_out() -> None:
    with_tests_of_their_own = {"duplicate", "late", "vanish", "roster_feed"}
    assert set(PASSING) | with_tests_of_their_own == set(MEANING)


def test_a_failed_pull_leaves_the_cursor_where_it_was(desk: Desk) -> None:
    desk.pull("sis", "users")
    desk.sandbox.set_clock(now=NOW + timedelta(hours=1))
    desk.fault("sis", "error500", "users")
    with pytest.raises(TransientError):
        desk.pull("sis", "users")
    desk.sandbox.mend()
    desk.sandbox.set_clock(now=NOW + timedelta(hours=2))
    desk.pull("sis", "users")
    with reading(desk.project.operations) as session:
        pulls = list(session.scalars(select(Pull).order_by(Pull.id)))
    assert [pull.status for pull in pulls] == ["good", "failed", "good"]
    assert pulls[2].since == pulls[1].since and pulls[2].since is not None and pulls[2].since < NOW
