"""Landing one window: pull, admit, write, diff, commit, and say what happened."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from uptake.catalogue import load_catalogue
from uptake.config import District, SourceSettings
from uptake.contracts import Batch, Reject, Resource, Window
from uptake.errors import PermanentError, TransientError, UptakeError
from uptake.landing import history, ledger, quarantine
from uptake.landing.deletes import Vanished, find_vanished
from uptake.landing.door import Door
from uptake.landing.ledger import At, NewFile, Record
from uptake.landing.quarantine import WindowQuarantine
from uptake.landing.vault import Keyring, Vault, private_folder
from uptake.landing.writer import WindowWriter
from uptake.project import Project
from uptake.sources.base import Source

_COLLECT_EVERY = 20
# Called after each batch with rows pulled so far and the source's own total, where it gave one.
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Doubted:
    """A loss that nobody but a person believes. `parents`: the name of each with its missing rows, biggest first; of
    many the first ones. `rows`, `parent_count`: of all."""

    rows: int
    parent_count: int
    parents: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class LandResult:
    """`is_new`: the lake changed; False when the same content was there already. `doubted`: what is missing and looks
    like a broken feed: kept, unless a person accepted it."""

    pulled: int
    landed: int
    quarantined: int
    deleted: int
    source_total: int | None
    seconds: float
    is_new: bool
    warnings: tuple[str, ...] = ()
    doubted: Doubted | None = None


def open_door(project: Project, district: District) -> tuple[Door, Vault]:
    """The district's door and the vault behind it; close the vault after use. What lies behind the door is private."""
    private_folder(project.lake)
    private_folder(project.quarantine)
    folder = project.vault(district.id)
    keyring = Keyring.open(folder)
    vault = Vault(folder)
    return Door(district.id, keyring, vault, load_catalogue(district.tool_catalogue)), vault


def land(
    project: Project,
    district: District,
    settings: SourceSettings,
    source: Source,
    resource: Resource,
    window: Window,
    *,
    run_id: str,
    door: Door,
    now: datetime,
    progress: Progress | None = None,
    accepts: bool = False,
    is_trial: bool = False,
) -> LandResult:
    """Bring one window into the lake, whole or not at all, and write its outcome record.

    `now`: the district's time, by which is told what its vendor may no longer list.
    `accepts`: a person says that what is missing is gone: it is marked deleted, or replaced, however much it is.
    `is_trial`: say what would happen and change nothing; not even an outcome is written.
    Raises TransientError or PermanentError, with the place in its context; the failure has its outcome record too.
    """
    at = At(district.id, settings.name, resource.name)
    started = time.monotonic()
    landing = _Landing(project, district, source, resource, window, at, door, now, progress, accepts, is_trial)
    try:
        with _collector_at_rest():
            return landing.run(run_id, started)
    except Exception as error:
        if is_trial:
            raise
        known = _known(error).at(district=at.district, source=at.source, resource=at.resource, window=window.token)
        ledger.record_outcome(
            project.operations,
            at,
            run_id=run_id,
            record=Record(
                step=landing.step,
                status="failed",
                window_token=window.token,
                seconds=time.monotonic() - started,
                error_class=type(known).__name__ if known is error else type(error).__name__,
                message=known.message,
                remedy=known.remedy or None,
            ),
        )
        if known is error:
            raise
        raise known from error


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Without automatic garbage collection, which walks through every parsed page again and again: reading JSON takes
    twice as long with it. Pages hold no cycles; what else does is collected every `_COLLECT_EVERY` batches.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _known(error: Exception) -> UptakeError:
    """Any failure as one that a scheduler understands. Texts of foreign errors may quote a row: they are not kept."""
    if isinstance(error, UptakeError):
        return error
    if isinstance(error, OSError):
        return TransientError(
            f"the lake or the vault cannot be written ({type(error).__name__}: {error.strerror})",
            remedy="look at the disk (`uptake doctor`), then run the pull again.",
        )
    return PermanentError(
        f"landing broke with {type(error).__name__}",
        remedy="this is a defect of Uptake or of its environment: see the log's traceback and report it.",
    )


@dataclass(frozen=True, slots=True)
class _Kept:
    """Rows of a span that are held and did not come again. `brings_news`: what came is not all held already."""

    rows: int
    quarantined: int
    brings_news: bool
    is_empty: bool

    @property
    def remedy(self) -> str:
        if not self.is_empty:
            return "nothing: spans that old need not be read again, and what is held of them is the record."
        return (
            "look whether the vendor still shows these events. If its history has ended, nothing is to be done; if it "
            "lost them for a while (an outage, a narrowed permission), pull the span again once they are back."
        )


@dataclass
class _Landing:
    """The state of one window on its way."""

    project: Project
    district: District
    source: Source
    resource: Resource
    window: Window
    at: At
    door: Door
    now: datetime
    progress: Progress | None
    accepts: bool
    is_trial: bool
    step: ledger.Step = "pull"
    pulled: int = 0
    source_total: int | None = None
    notes: list[str] = field(default_factory=list)
    keys: list[pa.Table] = field(default_factory=list)

    def run(self, run_id: str, started: float) -> LandResult:
        token, engine = self.window.token, self.project.operations
        rejected = WindowQuarantine(self.project.quarantine, self.at, token, self.resource, self.door)
        with WindowWriter(self.project.lake, self.at, token, self.resource) as writer:
            for batch in self._batches():
                self.step = "land"
                if batch.starts_over:
                    writer.start_over()
                    rejected.start_over()
                admitted = self.door.admit(self.resource, batch.table)
                writer.add(admitted, deleted=batch.is_deletion)
                rejected.add(batch, admitted)
                self._count(batch, admitted)
                self.step = "pull"
            self.step = "land"
            landed = writer.row_count
            vanished = self._vanished(rejected.rejects)
            if vanished is not None:
                writer.add(vanished.rows, deleted=True)
            deleted = writer.deleted_count
            quarantined = []
            if not self.is_trial:
                quarantined = rejected.finish()
                self.door.flush()
            file = writer.finish()
        kept = self._kept(file, rejected.row_count)
        doubted = self._doubted(vanished, kept)
        if self.is_trial:
            return self._trial(file, landed, rejected.row_count, deleted, doubted, time.monotonic() - started)
        if self.accepts:
            kept = None
        if kept is not None and file is not None and not kept.brings_news:
            self._forget(file)
            file = None
        warnings = self._warnings(rejected, vanished, kept)
        record = Record(
            step="land",
            status="warning" if warnings else "good",
            window_token=token,
            rows_in=self.pulled,
            rows_out=landed,
            rows_quarantined=rejected.row_count,
            source_total=self.source_total,
            seconds=time.monotonic() - started,
            message=" ".join(warnings) or None,
            remedy=kept.remedy if kept else None,
            details=self._details(rejected, vanished, deleted, kept),
        )
        committed = ledger.commit_window(
            engine,
            self.at,
            self.window,
            run_id=run_id,
            namespace=self.source.namespace,
            file=file,
            quarantined=quarantined,
            record=record,
            is_entity=self.resource.kind == "entity",
            keeps=kept is not None,
            is_whole=self._is_full_sync,
        )
        if file is not None and committed.is_orphan:
            self._forget(file)
        return LandResult(
            pulled=self.pulled,
            landed=landed,
            quarantined=rejected.row_count,
            deleted=deleted,
            source_total=self.source_total,
            seconds=record.seconds,
            is_new=committed.landed,
            warnings=tuple(warnings),
            doubted=doubted,
        )

    def _trial(
        self,
        file: NewFile | None,
        landed: int,
        quarantined: int,
        deleted: int,
        doubted: Doubted | None,
        seconds: float,
    ) -> LandResult:
        if file is not None:
            self._forget(file)
        return LandResult(
            self.pulled, landed, quarantined, deleted, self.source_total, seconds, is_new=False, doubted=doubted
        )

    def _doubted(self, vanished: Vanished | None, kept: _Kept | None) -> Doubted | None:
        if kept is not None:
            rows = kept.rows + kept.quarantined
            return Doubted(rows, 1, ((self.window.token, rows),))
        if vanished is None or not vanished.broken_parent_count:
            return None
        parents = tuple(zip(vanished.broken_parents, vanished.broken_losses, strict=True))
        return Doubted(vanished.kept_rows, vanished.broken_parent_count, parents)

    def _forget(self, file: NewFile) -> None:
        """Remove a file that was written and will not count; one that the ledger knows may be read just now."""
        if not ledger.is_named(self.project.operations, file.path):
            (self.project.lake / file.path).unlink(missing_ok=True)

    def _batches(self) -> Iterator[Batch]:
        for number, batch in enumerate(self.source.pull(self.resource, self.window), start=1):
            if number % _COLLECT_EVERY == 0:
                gc.collect(1)
            if batch.starts_over:
                self.pulled, self.notes, self.keys = 0, [], []
            self.pulled += batch.pulled
            if batch.source_total is not None:
                self.source_total = batch.source_total
            if batch.note and batch.note not in self.notes:
                self.notes.append(batch.note)
            yield batch

    def _count(self, batch: Batch, admitted: pa.Table) -> None:
        if self._is_full_sync:
            self.keys.append(admitted.select(self._key_schema.names))
        if self.progress is not None:
            self.progress(self.pulled, self.source_total)

    @property
    def _is_full_sync(self) -> bool:
        if self.window.mode == "file":
            return self.resource.full_list and not self.window.is_change
        return (
            self.window.mode == "full" and self.resource.kind == "entity" and self.resource.full_sync_every is not None
        )

    @property
    def _key_schema(self) -> pa.Schema:
        names = dict.fromkeys((*self.resource.key, *self.resource.delete_scope))
        return pa.schema([self.resource.landed_schema.field(name) for name in names])

    def _vanished(self, rejects: list[Reject]) -> Vanished | None:
        """A row in quarantine is still there at its source, so its key counts as pulled; if one cannot be told, no
        row is marked deleted this time."""
        if not self._is_full_sync:
            return None
        known = self._rejected_keys(rejects)
        if known is None:
            return None
        held = [
            file
            for file in ledger.live_files(self.project.operations, self.at.district, self.at.source, self.at.resource)
            if file.window_token != self.window.token
        ]
        return find_vanished(
            self.resource,
            self.project.lake,
            held,
            pa.concat_tables([known, *self.keys]),
            max_vanished_share=self.district.thresholds.max_vanished_share,
            accepts=self.accepts,
        )

    def _rejected_keys(self, rejects: list[Reject]) -> pa.Table | None:
        """Key and scope of rejected rows as they would have landed; None when a key cannot be read."""
        schema = self._key_schema
        fields = {entry.name: entry for entry in self.resource.fields}
        columns: dict[str, list[object]] = {name: [] for name in schema.names}
        for reject in rejects:
            record = quarantine.raw_record(reject)
            if record is None:
                return None
            for name, values in columns.items():
                value = quarantine.value_at(record, fields[name])
                value = self.door.landed_value(self.resource, fields[name], value)
                if value is None and name in self.resource.key:
                    return None
                values.append(value)
        try:
            return pa.table(
                [
                    pa.array([None if v is None else str(v) for v in values], pa.string()).cast(schema.field(name).type)
                    for name, values in columns.items()
                ],
                schema=schema,
            )
        except pa.ArrowInvalid:
            return None

    def _kept(self, file: NewFile | None, rejected: int) -> _Kept | None:
        """What stays of a span of events that was landed before; None where the new rows replace it.

        Inside the vendor's retention fewer rows are a correction, and are taken; none at all are not believed. Beyond
        it, what did not come again has aged out, and what came lands beside it: the newest row of a key wins.
        """
        if self.window.mode != "interval":
            return None
        held = ledger.held_by(self.project.operations, self.at, self.window)
        rows = sum(row.row_count for row in held.files)
        if not rows and not held.quarantined_rows:
            return None
        if file is None:
            return _Kept(rows, held.quarantined_rows, brings_news=False, is_empty=True)
        if not history.is_ageing(self.resource, self.window, self.now):
            return None
        found = history.compare(self.resource, self.project.lake, held.files, file.path)
        waiting = max(held.quarantined_rows - rejected, 0)
        if not found.missing and not waiting:
            return None
        return _Kept(found.missing, waiting, brings_news=found.brings_news, is_empty=False)

    def _kept_words(self, kept: _Kept) -> str:
        at, window = self.at, self.window
        assert window.start is not None and window.end is not None
        span = f"{window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M} UTC"
        held = f"{kept.rows} rows" + (f" and {kept.quarantined} in quarantine" if kept.quarantined else "")
        came = "came back without a good row" if kept.is_empty else "came back thinner, beyond what its vendor keeps"
        return f"{at.resource} of {at.source} in {at.district}, {span}, {came}: {held} are held from before, and stay."

    def _warnings(self, rejected: WindowQuarantine, vanished: Vanished | None, kept: _Kept | None) -> list[str]:
        found = list(self.notes)
        if self.source_total is not None and self.source_total != self.pulled:
            found.append(f"The source said {self.source_total} rows, {self.pulled} came.")
        if rejected.row_count:
            found.append(f"{rejected.row_count} rows are in quarantine: see `uptake quarantine list`.")
        if rejected.unknown_columns:
            found.append(f"Columns that the contract does not know: {', '.join(rejected.unknown_columns)}.")
        if vanished and vanished.broken_parent_count:
            of = " / ".join(self.resource.delete_scope) or "the whole resource"
        if vanished and vanished.broken_parent_count and vanished.is_accepted:
            found.append(
                f"{vanished.kept_rows} rows that are missing in {vanished.broken_parent_count} parents ({of}) were "
                f"marked deleted, as a person accepted. First: {', '.join(vanished.broken_parents[:3])}."
            )
        elif vanished and vanished.broken_parent_count:
            found.append(
                f"The feed of {vanished.broken_parent_count} parents ({of}) looks broken: {vanished.kept_rows} rows "
                f"are missing there and nothing was marked deleted. First: {', '.join(vanished.broken_parents[:3])}."
            )
        if self._is_full_sync and vanished is None:
            found.append("Rows in quarantine hide their key: nothing was marked deleted this time.")
        if kept is not None:
            found.append(self._kept_words(kept))
        return found

    def _details(
        self, rejected: WindowQuarantine, vanished: Vanished | None, deleted: int, kept: _Kept | None
    ) -> dict[str, object]:
        details: dict[str, object] = {}
        if kept is not None:
            details["kept_rows"] = kept.rows
        if rejected.unknown_columns:
            details["unknown_columns"] = rejected.unknown_columns
        if vanished is not None or deleted:
            details["deleted"] = deleted
        if vanished is not None and vanished.broken_parent_count:
            details["broken_parents"] = list(vanished.broken_parents)
            details["broken_parent_count"] = vanished.broken_parent_count
        return details
