"""The jobs, one function each: pull, build, check, publish. The `uptake` command and the DAGs call these only.

Each may be run again at any time: it does what is left to do, and twice is the same as once.
"""

from __future__ import annotations

import fcntl
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import func, select

from uptake import clock
from uptake.alerts.tell import tell
from uptake.alerts.troubles import BUILD, CHECKS, Known, failed, held_back, of_pull
from uptake.config import District, SourceSettings, place_of_source, told_at
from uptake.contracts import Resource, Window
from uptake.credentials import Credential
from uptake.errors import ConfigError, PermanentError, TransientError, UptakeError
from uptake.landing import ledger
from uptake.landing.door import Door
from uptake.landing.land import Doubted, land, open_door
from uptake.landing.ledger import At, Record
from uptake.landing.replay import ReplayResult
from uptake.landing.replay import replay as replay_file
from uptake.landing.sweep import Swept, sweep
from uptake.landing.vault import private_folder
from uptake.operations.models import Outcome, Pull, QuarantineFile
from uptake.operations.session import reading
from uptake.project import Project
from uptake.sources.base import Home, Settles, Source
from uptake.sources.pushed import PushedSettings, PushedSource
from uptake.sources.registry import KINDS, open_source, warehouse_resources

# The warehouse and the checks take seconds to import: a pull needs neither.
if TYPE_CHECKING:
    from uptake.compact import Compacted
    from uptake.quality.run import Checker
    from uptake.quality.summary import CheckSummary
    from uptake.retention import Pruned
    from uptake.warehouse.dbt import BuildSummary, Steps
    from uptake.warehouse.publish import SnapshotRef


class Progress(Protocol):
    """Told of a pull's advance. `rows` so far in this window; `total` where the source gives one."""

    def __call__(self, resource: str, window: int, windows: int, rows: int, total: int | None) -> None: ...


class PullIsRunning(TransientError):
    """Another process is pulling the same source."""


@dataclass(slots=True)
class ResourceSummary:
    """mode: full, incremental, backfill, or `not due`. error: why it stopped; None when all of it landed."""

    resource: str
    mode: str
    windows: int = 0
    pulled: int = 0
    landed: int = 0
    quarantined: int = 0
    deleted: int = 0
    warnings: list[str] = field(default_factory=list)
    doubted: list[Doubted] = field(default_factory=list)
    error: UptakeError | None = None


@dataclass(slots=True)
class PullSummary:
    district: str
    source: str
    run_id: str
    resources: list[ResourceSummary] = field(default_factory=list)
    seconds: float = 0.0

    def counts(self) -> dict[str, int]:
        """Rows pulled, landed, quarantined and marked deleted, over all resources."""
        return {
            name: sum(getattr(resource, name) for resource in self.resources)
            for name in ("pulled", "landed", "quarantined", "deleted")
        }

    @property
    def is_empty(self) -> bool:
        """Nothing at all had come: no window was read."""
        return not any(resource.windows for resource in self.resources)


def new_run_id() -> str:
    return f"manual__{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}__{secrets.token_hex(3)}"


def pull(
    project: Project,
    district_id: str,
    source_name: str,
    *,
    resources: Sequence[str] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    full: bool = False,
    run_id: str | None = None,
    progress: Progress | None = None,
    accept_deletes: bool = False,
    dry_run: bool = False,
) -> PullSummary:
    """Bring what is new at one source into the lake.

    `since`/`until` ask for a span of time again, `full` for everything.
    `accept_deletes`: a person has looked and says that a loss which looks like a broken feed is real. It holds for
    entities, and for events of a span that is given from end to end.
    `dry_run`: read everything that is asked for, say what would be landed and marked, and change nothing.

    All resources are asked for what was there at one instant, so that they agree with each other. One that fails does
    not stop the others. At the end the worst error is raised (a permanent one before a transient one), with the
    others as its notes.
    """
    district = project.district(district_id)
    settings = district.source(source_name)
    summary = PullSummary(district.id, settings.name, run_id or new_run_id())
    with _telling(project, district, of_pull(settings.name), summary.run_id, is_on=not dry_run):
        return _pull(
            project,
            district,
            settings,
            summary,
            resources=resources,
            since=since,
            until=until,
            full=full,
            progress=progress,
            accept_deletes=accept_deletes,
            dry_run=dry_run,
        )


def _pull(
    project: Project,
    district: District,
    settings: SourceSettings,
    summary: PullSummary,
    *,
    resources: Sequence[str] | None,
    since: datetime | None,
    until: datetime | None,
    full: bool,
    progress: Progress | None,
    accept_deletes: bool,
    dry_run: bool,
) -> PullSummary:
    started, begun_at = time.monotonic(), time.time()
    with _alone(project, district, settings):
        with _recorded_for_source(project, district, settings, summary.run_id):
            source = opened(project, district, settings)
            now = clock.now(district)
            door, vault = open_door(project, district)
            _settle(source, project, district, settings, door)
            if not dry_run:
                _sweep_after_a_kill(project, district, settings, summary.run_id, now, before=begun_at)
        with vault, source:
            job = _Pull(
                project, district, settings, source, door, summary.run_id, now, progress, accept_deletes, dry_run
            )
            for resource in _chosen(source, settings, resources):
                summary.resources.append(job.run(resource, since, until, full))
    summary.seconds = time.monotonic() - started
    errors = [resource.error for resource in summary.resources if resource.error is not None]
    if errors:
        raise _worst(errors)
    return summary


def sweep_source(project: Project, district_id: str, source_name: str, *, dry_run: bool = False) -> Swept:
    """Remove the files that killed pulls of a source left behind. Raises TransientError while one is running."""
    district = project.district(district_id)
    settings = district.source(source_name)
    begun_at = time.time()
    with _alone(project, district, settings):
        return sweep(project, district.id, settings.name, before=begun_at, dry_run=dry_run)


def _sweep_after_a_kill(
    project: Project, district: District, settings: SourceSettings, run_id: str, now: datetime, *, before: float
) -> None:
    """Where a pull of this source never came to its end, close it and remove what it left."""
    killed = ledger.close_killed_pulls(project.operations, district.id, settings.name, finished_at=now)
    if not killed:
        return
    started = time.monotonic()
    swept = sweep(project, district.id, settings.name, before=before)
    record = Record(
        step="sweep",
        seconds=time.monotonic() - started,
        message=f"{killed} earlier pulls of a resource were killed; {swept.files} files that they left were removed.",
        details={"killed_pulls": killed, "files": swept.files, "bytes": swept.bytes},
    )
    ledger.record_outcome(project.operations, At(district.id, settings.name, "*"), run_id=run_id, record=record)


def _settle(source: Source, project: Project, district: District, settings: SourceSettings, door: Door) -> None:
    """Give the source its home, where it makes use of one."""
    if isinstance(source, Settles):
        notes = project.notes(district.id, settings.name)
        private_folder(notes)
        source.settle(Home(notes, door.keyring.event_key))


@contextmanager
def _recorded_for_source(project: Project, district: District, settings: SourceSettings, run_id: str) -> Iterator[None]:
    """A failure in here is one of every resource: its outcome record is the source's as a whole."""
    try:
        yield
    except UptakeError as error:
        error.at(district=district.id, source=settings.name)
        _record_failure(project, At(district.id, settings.name, "*"), run_id, error)
        raise


def opened(project: Project, district: District, settings: SourceSettings) -> Source:
    """The source, ready for a `with` block; one of pushed events with the spool in which they wait."""
    source = open_source(settings, credential_of(project, settings))
    if isinstance(source, PushedSource):
        from uptake.receiver.spool import open_lane  # noqa: PLC0415 - only pushed sources have a spool

        source.attach(lambda resource: open_lane(project, district.id, settings.name, resource))
    return source


def credential_of(project: Project, settings: SourceSettings) -> Credential | None:
    """The source's credential; None for a kind that needs none, unless it names a connection all the same.

    Raises ConfigError that names the key and the line of the configuration that asks for it.
    """
    if not KINDS[settings.kind].needs_credential and settings.connection is None:
        return None
    try:
        if settings.connection is None:
            raise ConfigError(
                f"source {settings.name!r} names no connection", remedy="add `connection:` to it in uptake.yaml."
            )
        return project.credential(settings.connection)
    except ConfigError as error:
        place = place_of_source(project.config, settings)
        if place is not None and project.config_path.exists():  # else it was made without a file, and has no lines
            error.message = told_at(project.config_path, (*place, "connection"), error.message)
        raise


def _chosen(source: Source, settings: SourceSettings, names: Sequence[str] | None) -> list[Resource]:
    known = source.resources
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise ConfigError(
            f"source {settings.name!r} has no resource {', '.join(map(repr, unknown))}",
            remedy=f"name some of: {', '.join(known)}.",
        )
    return [resource for name, resource in known.items() if not names or name in names]


@contextmanager
def _alone(project: Project, district: District, settings: SourceSettings) -> Iterator[None]:
    """One pull of a source at a time: a second one would read the same windows and diff against a moving lake."""
    folder = project.state_dir / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"pull.{district.id}.{settings.name}").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PullIsRunning(
                "another pull of this source is running",
                district=district.id,
                source=settings.name,
                remedy="wait for it to end; the lock frees itself with its process.",
            ) from error
        yield


@dataclass
class _Pull:
    """A pull's way from resource to resource: how much to ask for, window by window, and the ledger's word on it.

    now: the district's time when the pull began; the next cursor.
    """

    project: Project
    district: District
    settings: SourceSettings
    source: Source
    door: Door
    run_id: str
    now: datetime
    progress: Progress | None
    accept_deletes: bool
    dry_run: bool

    def run(self, resource: Resource, since: datetime | None, until: datetime | None, full: bool) -> ResourceSummary:
        at = At(self.district.id, self.settings.name, resource.name)
        summary = ResourceSummary(resource.name, "incremental")
        summary.mode, start = self._plan(at, resource, since, until, full)
        if summary.mode == "not due":
            return summary
        accepts = self.accept_deletes and (resource.kind == "entity" or (since is not None and until is not None))
        began = time.monotonic()
        engine, end = self.project.operations, until or self.now
        if self.dry_run:
            try:
                self._land_all(summary, at, resource, start, end, accepts)
            except UptakeError as error:
                summary.error = error.at(**at.columns())
            return summary
        pull_id = ledger.start_pull(
            engine, at, run_id=self.run_id, mode=summary.mode, since=start, until=end, started_at=self.now
        )
        try:
            self._land_all(summary, at, resource, start, end, accepts)
        except UptakeError as error:
            summary.error = error.at(**at.columns())
        finally:
            finished_at = self.now + timedelta(seconds=time.monotonic() - began)
            is_good = summary.error is None and sys.exception() is None
            ledger.finish_pull(engine, pull_id, status="good" if is_good else "failed", finished_at=finished_at)
        return summary

    def _land_all(
        self, summary: ResourceSummary, at: At, resource: Resource, start: datetime | None, end: datetime, accepts: bool
    ) -> None:
        windows = self._windows(at, resource, start, end, full=summary.mode == "full")
        for number, window in enumerate(windows, start=1):
            self._land(summary, resource, window, number, len(windows), accepts)

    def _plan(
        self, at: At, resource: Resource, since: datetime | None, until: datetime | None, full: bool
    ) -> tuple[str, datetime | None]:
        """Mode of the pull and where it starts. Only `full` and `incremental` pulls move the cursor."""
        engine = self.project.operations
        last = ledger.last_good_pull(engine, at)
        cursor = last.started_at - resource.lookback if last else None
        if full and since is None and until is None:
            return "full", None
        if resource.full_sync_every is not None:
            last_full = ledger.last_good_pull(engine, at, full=True)
            is_due = last_full is None or self.now - last_full.started_at >= resource.full_sync_every
            if is_due and until is None:
                return "full", None
            if not resource.cursor:
                return "not due", None
        if since is None and until is None:
            return "incremental", cursor
        reaches_cursor = cursor is None or (since is not None and since <= cursor)
        return ("incremental" if until is None and reaches_cursor else "backfill"), since

    def _windows(
        self, at: At, resource: Resource, since: datetime | None, until: datetime, *, full: bool
    ) -> list[Window]:
        try:
            windows = self.source.windows(resource, since=since, until=until, full=full)
        except UptakeError as error:
            if not self.dry_run:
                _record_failure(self.project, at, self.run_id, error)
            raise
        if resource.full_list:
            return self._lists(at, windows, full=full)
        if full or not any(window.mode == "file" for window in windows):
            return windows
        # A pushed source has thousands of windows a day, and only those since its oldest one that waits can matter.
        waiting_since = self.source.waiting_since(resource) if isinstance(self.source, PushedSource) else None
        taken = ledger.taken_tokens(self.project.operations, at, since=waiting_since)
        for window in windows:
            if window.token in taken:
                self._forget(resource, window)
        return [window for window in windows if window.mode != "file" or window.token not in taken]

    def _forget(self, resource: Resource, window: Window) -> None:
        """What was pushed waits in the spool until the ledger says that it landed."""
        if isinstance(self.source, PushedSource):
            self.source.forget(resource, window)

    def _lists(self, at: At, windows: list[Window], *, full: bool) -> list[Window]:
        """Of files that are each the whole list, or a change to it: those newer than the one that counts, and with
        `full` that one.

        A list that was taken before counts again when it is put back; a change does not. A file that is older than what
        counts would bring back what has gone since: it is written down once and not taken.
        """
        engine = self.project.operations
        newest = ledger.newest_file(engine, at)
        taken = ledger.taken_tokens(engine, at)
        if newest is None or newest.window_end is None:
            return [window for window in windows if full or window.token not in taken]
        held = {row.window_token for row in ledger.live_files(engine, at.district, at.source, at.resource)}
        chosen = []
        for window in windows:
            if window.token == newest.window_token:
                if full:
                    chosen.append(window)
            elif window.end is not None and window.end < newest.window_end:
                if window.token not in taken and not self.dry_run:
                    self._leave(at, window, newest.window_end)
            elif full or window.token not in taken or (window.token in held and not window.is_change):
                chosen.append(window)
        return chosen

    def _leave(self, at: At, window: Window, newest: datetime) -> None:
        assert window.end is not None
        record = Record(
            step="land",
            status="warning",
            window_token=window.token,
            rows_in=0,
            rows_out=0,
            rows_quarantined=0,
            message=(
                f"A file of {at.resource} that was last changed at {window.end:%Y-%m-%d %H:%M} UTC is older than the "
                f"list that counts ({newest:%Y-%m-%d %H:%M} UTC) and was not taken."
            ),
            remedy="nothing, if the newer list is right; else save the older one anew, so that it is the newest.",
        )
        ledger.record_outcome(self.project.operations, at, run_id=self.run_id, record=record)

    def _land(
        self, summary: ResourceSummary, resource: Resource, window: Window, number: int, windows: int, accepts: bool
    ) -> None:
        def advance(rows: int, total: int | None) -> None:
            if self.progress is not None:
                self.progress(resource.name, number, windows, rows, total)

        result = land(
            self.project,
            self.district,
            self.settings,
            self.source,
            resource,
            window,
            run_id=self.run_id,
            door=self.door,
            now=self.now,
            progress=advance,
            accepts=accepts,
            is_trial=self.dry_run,
        )
        self._forget(resource, window)
        summary.windows += 1
        summary.pulled += result.pulled
        summary.landed += result.landed
        summary.quarantined += result.quarantined
        summary.deleted += result.deleted
        summary.warnings.extend(result.warnings)
        if result.doubted is not None:
            summary.doubted.append(result.doubted)


def _record_failure(project: Project, at: At, run_id: str, error: UptakeError) -> None:
    ledger.record_outcome(project.operations, at, run_id=run_id, record=Record("pull").failed(error))


def _worst(errors: Sequence[UptakeError]) -> UptakeError:
    """A permanent error before a transient one; the others are its notes."""
    worst = next((error for error in errors if isinstance(error, PermanentError)), errors[0])
    for error in errors:
        if error is not worst:
            worst.add_note(str(error))
            for note in getattr(error, "__notes__", ()):
                worst.add_note(note)
    return worst


def first_pulls_ahead(project: Project, district_id: str) -> list[str]:
    """Of a district that was never published: sources of which no pull has come to its end yet, well or not."""
    from uptake.warehouse.publish import current_snapshot  # noqa: PLC0415

    district = project.district(district_id)
    if current_snapshot(project, district.id) is not None:
        return []
    with reading(project.operations) as session:
        runs = dict(
            session.execute(
                select(Pull.source, func.count(Pull.run_id.distinct()))
                .where(Pull.district == district.id)
                .group_by(Pull.source)
            )
            .tuples()
            .all()
        )
        failed = set(
            session.scalars(
                select(Outcome.source).where(Outcome.district == district.id, Outcome.status == "failed").distinct()
            )
        )

    def is_in_its_first(settings: SourceSettings) -> bool:
        if runs[settings.name] > 1:
            return False
        try:
            with _alone(project, district, settings):
                return False
        except TransientError:
            return True

    return [
        settings.name
        for settings in district.sources
        if settings.name not in failed and (settings.name not in runs or is_in_its_first(settings))
    ]


def build(
    project: Project,
    district_id: str,
    *,
    full_refresh: bool = False,
    run_id: str | None = None,
    progress: Steps | None = None,
) -> BuildSummary:
    """Bring the district's warehouse up to what the ledger says is landed. One at a time for each district.

    Raises PermanentError with the model's name when a model fails, TransientError while another build is writing.
    """
    from uptake.warehouse.dbt import build_warehouse  # noqa: PLC0415

    district = project.district(district_id)
    run_id = run_id or new_run_id()
    with _telling(project, district, BUILD, run_id), _recorded(project, district, "build", run_id) as record:
        summary = build_warehouse(project, district, full_refresh=full_refresh, run_id=run_id, progress=progress)
        record.details = {
            "models": summary.models,
            "unchanged": summary.unchanged,
            "tests": summary.tests,
            "touched_dates": summary.touched_dates,
            "dbt_startup_seconds": round(summary.dbt_startup_seconds, 2),
            "full_refresh": full_refresh,
        }
    return summary


def checker(project: Project, district_id: str) -> Checker:
    """A checker that gets ready beside what is done before `check`. Leaving its context writes the pages."""
    from uptake.quality.run import Checker  # noqa: PLC0415

    return Checker(project, project.district(district_id))


def check(
    project: Project,
    district_id: str,
    *,
    run_id: str | None = None,
    by: Checker | None = None,
    progress: Steps | None = None,
) -> CheckSummary:
    """Make a candidate snapshot of what was built and hold it to the expectations.

    by: a checker that was started earlier; it has the verdict then, and writes the pages when its context is left.
    A failed critical expectation is in the summary, not an error: `publish` is what refuses.
    """
    from uptake.warehouse.snapshot import make_candidate  # noqa: PLC0415

    district = project.district(district_id)
    run_id = run_id or new_run_id()
    with _recorded(project, district, "check", run_id) as record, ExitStack() as stack:
        by = by or stack.enter_context(checker(project, district_id))
        started = time.monotonic()
        candidate = make_candidate(project, district, run_id)
        candidate_seconds = time.monotonic() - started
        summary = by.run(candidate, run_id, progress=progress)
        failed = len(summary.failed_critical) + len(summary.failed_warning)
        record.details = {
            "snapshot": candidate.id,
            "candidate_seconds": round(candidate_seconds, 2),
            "passed": summary.passed,
            "carried_over": summary.carried_over,
            "failed_critical": [failure.check_id for failure in summary.failed_critical],
            "failed_warning": [failure.check_id for failure in summary.failed_warning],
        }
        if failed:
            record.status = "failed" if summary.failed_critical else "warning"
            record.message = f"{failed} of {failed + summary.passed} checks failed."
    if summary.failed_critical:
        tell(
            project, district, {CHECKS: held_back([check.check_id for check in summary.failed_critical])}, run_id=run_id
        )
    return summary


def publish(project: Project, district_id: str, *, run_id: str | None = None) -> SnapshotRef:
    """Publish the newest checked candidate. Raises CheckError when it is not fit: the last good snapshot stays up."""
    from uptake.freshness import measure  # noqa: PLC0415
    from uptake.warehouse.publish import publish_latest  # noqa: PLC0415

    district = project.district(district_id)
    run_id = run_id or new_run_id()
    with _recorded(project, district, "publish", run_id) as record:
        snapshot = publish_latest(project, district, run_id)
        record.details = {"snapshot": snapshot.id, "new_files": measure(project, district, snapshot)}
    tell(project, district, {CHECKS: None}, run_id=run_id)
    return snapshot


def prune(project: Project, district_id: str, *, dry_run: bool = False, run_id: str | None = None) -> Pruned:
    """Remove what is past its retention; with `dry_run`, only say what would be. See `uptake.retention`."""
    from uptake.retention import prune as prune_district  # noqa: PLC0415

    return prune_district(project, project.district(district_id), run_id=run_id or new_run_id(), dry_run=dry_run)


def compact(
    project: Project, district_id: str, source_name: str, *, dry_run: bool = False, run_id: str | None = None
) -> Compacted:
    """Put the small landed files of a source together; with `dry_run`, only say what would be. See `uptake.compact`.

    Raises TransientError while the source is being pulled.
    """
    from uptake.compact import compact as compact_source  # noqa: PLC0415

    district = project.district(district_id)
    settings = district.source(source_name)
    with _alone(project, district, settings):
        return compact_source(
            project,
            district,
            settings.name,
            [(name[0], resource) for name, resource in warehouse_resources().items() if name[0] == settings.namespace],
            run_id=run_id or new_run_id(),
            now=datetime.now(UTC),
            clock_now=clock.now(district),
            dry_run=dry_run,
        )


def replay(project: Project, held: QuarantineFile, *, run_id: str | None = None) -> ReplayResult:
    """Read a quarantine file's rows with the present contract, and land those that fit now."""
    district = project.district(held.district)
    settings = district.source(held.source)
    with _alone(project, district, settings):
        door, vault = open_door(project, district)
        with vault, opened(project, district, settings) as source:
            return replay_file(project, district, settings, source, held, run_id=run_id or new_run_id(), door=door)


def run(
    project: Project,
    district_id: str,
    *,
    run_id: str | None = None,
    progress: Progress | None = None,
    steps: Callable[[str], Steps | None] = lambda step: None,
    told: Callable[[object], None] = lambda done: None,
) -> SnapshotRef:
    """Pull every source, build, check and publish. What could be pulled is published even when a source failed; the
    worst of the pulls' errors is raised at the end.

    steps: gives what is told of the advance of the step `build` or `check`.
    told: gets each step's summary, or a pull's error, as it comes.
    """
    run_id = run_id or new_run_id()
    errors: list[UptakeError] = []
    for settings in project.district(district_id).sources:
        try:
            told(pull(project, district_id, settings.name, run_id=run_id, progress=progress))
        except UptakeError as error:
            errors.append(error)
            told(error)
    with checker(project, district_id) as by:
        told(build(project, district_id, run_id=run_id, progress=steps("build")))
        told(check(project, district_id, run_id=run_id, by=by, progress=steps("check")))
        snapshot = publish(project, district_id, run_id=run_id)
    if errors:
        raise _worst(errors)
    return snapshot


def update(
    project: Project,
    district_id: str,
    *,
    full_refresh: bool = False,
    run_id: str | None = None,
    told: Callable[[object], None] = lambda done: None,
) -> SnapshotRef | None:
    """Land what was pushed by now, build, check and publish: what the scheduler does when something came in.

    None when what is up shows all of it already; then nothing is checked or published. What could not be landed does
    not hold up the rest; the worst such error is raised at the end. `told` is as in `run`.
    """
    from uptake.warehouse.publish import shows_last_build  # noqa: PLC0415

    run_id = run_id or new_run_id()
    with checker(project, district_id) as by:  # it imports its libraries beside all that comes before the check
        errors = _pull_pushed(project, district_id, run_id, told)
        built = build(project, district_id, full_refresh=full_refresh, run_id=run_id)
        told(built)
        snapshot = None
        if not (built.nothing_new and shows_last_build(project, district_id)):
            told(check(project, district_id, run_id=run_id, by=by))
            snapshot = publish(project, district_id, run_id=run_id)
    if errors:
        raise _worst(errors)
    return snapshot


def _pull_pushed(project: Project, district_id: str, run_id: str, told: Callable[[object], None]) -> list[UptakeError]:
    """Pull the sources for which a closed segment waits; which of these pulls failed."""
    district = project.district(district_id)
    errors: list[UptakeError] = []
    for settings in district.sources:
        if not isinstance(settings, PushedSettings):
            continue
        try:
            if _waits(project, district, settings):
                told(pull(project, district_id, settings.name, run_id=run_id))
        except PullIsRunning:
            continue  # it lands the same segments, and what it lands starts the next update
        except UptakeError as error:
            errors.append(error)
            told(error)
    return errors


def _waits(project: Project, district: District, settings: SourceSettings) -> bool:
    with opened(project, district, settings) as source:
        return any(
            source.windows(resource, since=None, until=datetime.now(UTC), full=False)
            for resource in source.resources.values()
        )


@contextmanager
def _telling(project: Project, district: District, subject: str, run_id: str, *, is_on: bool = True) -> Iterator[None]:
    """Tell the alert targets how this went. What a retry may mend is not told: if it stays, the sources grow old, and
    that is."""
    known: Known = {}
    try:
        yield
        known = {subject: None}
    except PermanentError as error:
        known = {subject: failed(_WORK[subject.partition(":")[0]], error)}
        raise
    finally:
        if is_on:
            tell(project, district, known, run_id=run_id)


_WORK = {"pull": "A pull", "build": "A build"}


@contextmanager
def _recorded(project: Project, district: District, step: ledger.Step, run_id: str) -> Iterator[Record]:
    """An outcome record of the district as a whole, whatever happens inside."""
    at, record, started = At(district.id, "*", "*"), Record(step), time.monotonic()
    try:
        yield record
    except UptakeError as error:
        error.at(district=district.id)
        record.failed(error)
        raise
    except Exception as error:
        record.status, record.error_class = "failed", type(error).__name__
        record.message = f"{step} broke with {type(error).__name__}"
        raise
    finally:
        record.seconds = time.monotonic() - started
        ledger.record_outcome(project.operations, at, run_id=run_id, record=record)
