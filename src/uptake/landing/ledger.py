"""The ledger: which files of the lake count, what was pulled, what became of every row.

A file counts from the moment its row is committed here. All of a window (its file, its quarantine, its outcome record)
is committed in one transaction, so a crash leaves the whole window or nothing of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import ColumnElement, Engine, ScalarResult, select, update
from sqlalchemy.orm import Session

from uptake.contracts import Window
from uptake.errors import PermanentError, UptakeError
from uptake.operations.models import LandedFile, Outcome, Pull, QuarantineFile
from uptake.operations.session import in_turn, reading, writing

Step = Literal["pull", "land", "sweep", "replay", "build", "check", "publish", "prune", "compact", "alert"]
Status = Literal["good", "warning", "failed"]
COMPACTED = "compacted"  # first part of the window's name of a file in which others were put together
CURSOR_MODES = ("full", "incremental")  # a backfill must not move the cursor


@dataclass(frozen=True, slots=True)
class At:
    """One resource of one source of one district. `*` as resource: the district as a whole."""

    district: str
    source: str
    resource: str

    def columns(self) -> dict[str, str]:
        return {"district": self.district, "source": self.source, "resource": self.resource}


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that lies complete in the lake and waits for its ledger row. `path` is relative to the lake."""

    path: str
    content_hash: str
    row_count: int
    deleted_count: int
    byte_count: int
    event_min: datetime | None
    event_max: datetime | None


@dataclass(frozen=True, slots=True)
class NewQuarantine:
    """`path` is relative to the quarantine and ends in a keyed hash of the rows: same rows, same path."""

    path: str
    reason: str
    column_name: str | None
    row_count: int


@dataclass(slots=True)
class Record:
    """What an outcome says. `rows_in == rows_out + rows_quarantined` for `land` and `replay`."""

    step: Step
    status: Status = "good"
    window_token: str = ""
    rows_in: int | None = None
    rows_out: int | None = None
    rows_quarantined: int | None = None
    source_total: int | None = None
    seconds: float = 0.0
    error_class: str | None = None
    message: str | None = None
    remedy: str | None = None
    details: dict[str, object] = field(default_factory=dict)

    def failed(self, error: UptakeError) -> Record:
        """This record, which now says what went wrong and what to do."""
        self.status, self.error_class = "failed", type(error).__name__
        self.message, self.remedy = error.message, error.remedy or None
        return self


@dataclass(frozen=True, slots=True)
class Committed:
    """landed: a new live row was written. superseded: how many live files ceased to count.
    is_orphan: nothing in the ledger names the file that was offered, so it may be removed."""

    landed: bool
    superseded: int
    is_orphan: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """What a window has landed before: files that count, oldest first, and rows that wait in quarantine."""

    files: list[LandedFile]
    quarantined_rows: int


def _now() -> datetime:
    return datetime.now(UTC)


# ---- pulls ----------------------------------------------------------------------------------------------------------


def start_pull(
    engine: Engine, at: At, *, run_id: str, mode: str, since: datetime | None, until: datetime, started_at: datetime
) -> int:
    """Returns the pull's id. `started_at` is the district clock's time, because the cursor is compared with it."""
    with writing(engine) as session:
        pull = Pull(
            **at.columns(), run_id=run_id, mode=mode, since=since, until=until, started_at=started_at, status="running"
        )
        session.add(pull)
        session.flush()
        return pull.id


def finish_pull(engine: Engine, pull_id: int, *, status: Literal["good", "failed"], finished_at: datetime) -> None:
    with writing(engine) as session:
        session.execute(update(Pull).where(Pull.id == pull_id).values(status=status, finished_at=finished_at))


def close_killed_pulls(engine: Engine, district: str, source: str, *, finished_at: datetime) -> int:
    """Mark pulls that never came to an end as failed; how many there were. The caller holds the source's lock, so that
    none of them can still be running."""
    query = (
        update(Pull)
        .where(Pull.district == district, Pull.source == source, Pull.status == "running")
        .values(status="failed", finished_at=finished_at)
    )
    with writing(engine) as session:
        return session.execute(query).rowcount  # type: ignore[attr-defined]


def last_good_pull(engine: Engine, at: At, *, full: bool = False) -> Pull | None:
    """The newest good pull that the cursor may start from; with `full`, the newest one that read everything."""
    modes = ("full",) if full else CURSOR_MODES
    query = (
        select(Pull)
        .filter_by(**at.columns(), status="good")
        .where(Pull.mode.in_(modes))
        .order_by(Pull.started_at.desc(), Pull.id.desc())
        .limit(1)
    )
    with reading(engine) as session:
        return session.scalars(query).first()


# ---- windows --------------------------------------------------------------------------------------------------------


def live_files(
    engine: Engine, district: str, source: str | None = None, resource: str | None = None
) -> list[LandedFile]:
    """Files that count, oldest first: in this order a later row of a key wins."""
    query = select(LandedFile).where(LandedFile.district == district, LandedFile.superseded_at.is_(None))
    if source is not None:
        query = query.where(LandedFile.source == source)
    if resource is not None:
        query = query.where(LandedFile.resource == resource)
    with reading(engine) as session:
        return list(session.scalars(query.order_by(LandedFile.landed_at, LandedFile.id)))


def taken_tokens(engine: Engine, at: At, *, since: datetime | None = None) -> set[str]:
    """Windows that landed whole at any time, or since then by the machine's clock; an empty one included.

    One of which everything went to quarantine is none: a dropped file that was refused is read again by each pull, so
    that it lands by itself once its mapping is mended, and is reported until then.
    """
    query = (
        select(Outcome.window_token)
        .filter_by(**at.columns(), step="land")
        .where(Outcome.status != "failed", (Outcome.rows_out > 0) | (Outcome.rows_quarantined == 0))
    )
    if since is not None:
        query = query.where(Outcome.at >= since)
    with reading(engine) as session:
        return set(session.scalars(query))


def held_by(engine: Engine, at: At, window: Window) -> Held:
    """What committing the window again would supersede."""
    with reading(engine) as session:
        again = _Again(session, at, window)
        return Held(list(reversed(again.files)), again.quarantined_rows)


def newest_file(engine: Engine, at: At) -> LandedFile | None:
    """Of dropped files that count, the one that was last changed where it lay."""
    with reading(engine) as session:
        found = _live(session, at, LandedFile.window_mode == "file", LandedFile.window_end.is_not(None))
        return max(found, key=lambda row: row.window_end or row.landed_at, default=None)


def commit_window(
    engine: Engine,
    at: At,
    window: Window,
    *,
    run_id: str,
    namespace: str,
    file: NewFile | None,
    quarantined: Sequence[NewQuarantine],
    record: Record,
    is_entity: bool,
    keeps: bool = False,
    is_whole: bool = False,
) -> Committed:
    """Make a window count: supersede what it landed before, insert the new rows, write its outcome; all or nothing.

    The same content again is a no-op: for the same window, and for an entity also when the newest live file already
    says exactly this (a full sync of an unchanged table). `file` None: the window holds no row.
    `keeps`: what the window landed before stays, and waits in quarantine, beside what is new.
    `is_whole`: the window says all there is, so only the newest file can say the same.
    """
    now = _now()
    with writing(engine) as session:
        in_turn(session, f"window {at.district} {at.source} {at.resource}")
        again = _Again(session, at, window)
        same = next((row for row in again.files if file and row.content_hash == file.content_hash), None)
        if same is not None and is_whole and same is not _live(session, at).first():
            same = None
        if same is None and is_entity and file:
            newest = _live(session, at).first()
            same = newest if newest is not None and newest.content_hash == file.content_hash else None
        outdated = [] if keeps else [row for row in again.files if row is not same]
        for row in outdated:
            row.superseded_at = now
        if file is not None and same is None:
            session.add(_landed(at, window, file, run_id=run_id, namespace=namespace, landed_at=now))
        everything = (window.mode == "full" and is_entity) or (is_whole and file is not None)
        kept = again.close_quarantine(quarantined, now, everything=everything, keeps=keeps)
        session.add_all(
            _quarantined(at, window.token, new, run_id=run_id, now=now) for new in quarantined if new.path not in kept
        )
        session.add(_outcome(at, run_id, record, now))
        landed = file is not None and same is None
        is_orphan = file is not None and not landed and not _is_named(session, file.path)
        return Committed(landed=landed, superseded=len(outdated), is_orphan=is_orphan)


def commit_compaction(
    engine: Engine, at: At, members: Sequence[LandedFile], file: NewFile, *, run_id: str, record: Record
) -> bool:
    """Put `file` in the place of `members`, which are neighbours, oldest first. False: one of them ceased to count
    meanwhile, and nothing was changed.

    It stands in the order where the last of them stood. Spans of events keep their span, so that reading all of it
    again replaces the file.
    """
    now = _now()
    with writing(engine) as session:
        in_turn(session, f"window {at.district} {at.source} {at.resource}")
        held = [session.get_one(LandedFile, member.id) for member in members]
        if any(row.superseded_at is not None for row in held):
            return False
        is_span = all(row.window_mode == "interval" for row in held)
        window = Window(
            mode="interval" if is_span else held[-1].window_mode,  # type: ignore[arg-type]
            token=f"{COMPACTED}-{held[0].id}-{held[-1].id}",
            start=min((row.window_start for row in held if row.window_start), default=None),
            end=max((row.window_end for row in held if row.window_end), default=None),
        )
        namespace, landed_at = held[-1].namespace, held[-1].landed_at
        new = _landed(at, window, file, run_id=run_id, namespace=namespace, landed_at=landed_at)
        session.add(new)
        session.flush()
        for row in held:
            row.superseded_at = now
            row.compacted_into = new.id
        session.add(_outcome(at, run_id, record, now))
        return True


def named_paths(engine: Engine, district: str, source: str) -> set[str]:
    """Every file of the lake that the ledger knows of a source, live or superseded."""
    query = select(LandedFile.path).where(LandedFile.district == district, LandedFile.source == source)
    with reading(engine) as session:
        return set(session.scalars(query))


def is_named(engine: Engine, path: str) -> bool:
    """Whether a file of the lake is in the ledger, be it live or superseded."""
    with reading(engine) as session:
        return _is_named(session, path)


class _Again:
    """What a window brings again: what it landed before itself, what windows inside its span landed (a day is asked
    for after its hours were), and what was replayed out of either's quarantine."""

    def __init__(self, session: Session, at: At, window: Window) -> None:
        is_inside = LandedFile.window_token == window.token
        if window.mode == "interval":
            is_inside |= (
                (LandedFile.window_mode == "interval")
                & (LandedFile.window_start >= window.start)
                & (LandedFile.window_end <= window.end)
            )
        self._waiting = list(session.scalars(select(QuarantineFile).filter_by(**at.columns(), superseded_at=None)))
        self._window = window
        replays = [
            replay_token(row.id) for row in self._waiting if row.replayed_at and self._is_inside(row.window_token)
        ]
        if replays:
            is_inside |= LandedFile.window_token.in_(replays)
        self.files = list(_live(session, at, is_inside))

    @property
    def quarantined_rows(self) -> int:
        return sum(
            row.row_count for row in self._waiting if row.replayed_at is None and self._is_inside(row.window_token)
        )

    def close_quarantine(
        self, new: Sequence[NewQuarantine], now: datetime, *, everything: bool, keeps: bool
    ) -> set[str]:
        """Close what came again: in this window, anywhere after a full sync, and in other windows that hold exactly
        the rows of a new file (a look-back reads the same broken row many times). Returns paths that stay as they are.
        `keeps`: only what is exactly the same has come again.
        """
        paths = {entry.path for entry in new}
        marks = {_mark(entry.path) for entry in new}
        kept = set()
        for row in self._waiting:
            if row.window_token == self._window.token and row.path in paths and row.replayed_at is None:
                kept.add(row.path)
            elif _mark(row.path) in marks or (not keeps and (everything or self._is_inside(row.window_token))):
                row.superseded_at = now
        return kept

    def _is_inside(self, token: str) -> bool:
        if token == self._window.token:
            return True
        span = _INTERVAL.fullmatch(token)
        mine = _INTERVAL.fullmatch(self._window.token)
        return span is not None and mine is not None and span[1] >= mine[1] and span[2] <= mine[2]


# As `Window.between` writes it; stamps of one length, so that they compare as text.
_INTERVAL = re.compile(r"interval-(\d{8}T\d{6}Z)-(\d{8}T\d{6}Z)")


def _landed(at: At, window: Window, file: NewFile, *, run_id: str, namespace: str, landed_at: datetime) -> LandedFile:
    return LandedFile(
        **at.columns(),
        run_id=run_id,
        namespace=namespace,
        window_token=window.token,
        window_mode=window.mode,
        window_start=window.start,
        window_end=window.end,
        path=file.path,
        content_hash=file.content_hash,
        row_count=file.row_count,
        deleted_count=file.deleted_count,
        byte_count=file.byte_count,
        event_min=file.event_min,
        event_max=file.event_max,
        landed_at=landed_at,
        superseded_at=None,
    )


def _quarantined(at: At, token: str, new: NewQuarantine, *, run_id: str, now: datetime) -> QuarantineFile:
    return QuarantineFile(
        **at.columns(),
        run_id=run_id,
        window_token=token,
        path=new.path,
        reason=new.reason,
        column_name=new.column_name,
        row_count=new.row_count,
        quarantined_at=now,
        superseded_at=None,
        replayed_at=None,
        replayed_rows=None,
    )


def _live(session: Session, at: At, *where: ColumnElement[bool]) -> ScalarResult[LandedFile]:
    """Live files of a resource, newest first."""
    query = select(LandedFile).filter_by(**at.columns(), superseded_at=None).where(*where)
    return session.scalars(query.order_by(LandedFile.landed_at.desc(), LandedFile.id.desc()))


def _is_named(session: Session, path: str) -> bool:
    return session.scalars(select(LandedFile.id).where(LandedFile.path == path).limit(1)).first() is not None


def _mark(path: str) -> str:
    """The keyed hash in a quarantine file's name."""
    return path.rsplit(".", 2)[1]


# ---- quarantine -----------------------------------------------------------------------------------------------------


def replay_token(quarantine_id: int) -> str:
    return f"replay-{quarantine_id}"


def quarantine_files(
    engine: Engine, district: str, source: str | None = None, resource: str | None = None, *, is_open: bool = True
) -> list[QuarantineFile]:
    """Oldest first. `is_open`: only those that were neither replayed nor overtaken by a new pull of their window."""
    query = select(QuarantineFile).where(QuarantineFile.district == district)
    if source is not None:
        query = query.where(QuarantineFile.source == source)
    if resource is not None:
        query = query.where(QuarantineFile.resource == resource)
    if is_open:
        query = query.where(QuarantineFile.superseded_at.is_(None), QuarantineFile.replayed_at.is_(None))
    with reading(engine) as session:
        return list(session.scalars(query.order_by(QuarantineFile.id)))


def quarantine_file(engine: Engine, quarantine_id: int) -> QuarantineFile | None:
    with reading(engine) as session:
        return session.get(QuarantineFile, quarantine_id)


def commit_replay(
    engine: Engine,
    at: At,
    window: Window,
    *,
    held_id: int,
    run_id: str,
    namespace: str,
    file: NewFile,
    quarantined: Sequence[NewQuarantine],
    record: Record,
) -> None:
    """Make replayed rows count and close the quarantine file they were in, in one transaction.

    The rows are dated when they went to quarantine, so that they do not win over rows that landed since. What still
    does not fit stays under the window it came from, and is closed when that window is pulled again.
    """
    now = _now()
    with writing(engine) as session:
        in_turn(session, f"window {at.district} {at.source} {at.resource}")
        held = session.get_one(QuarantineFile, held_id)
        if held.replayed_at is not None or held.superseded_at is not None:
            raise PermanentError(
                f"quarantine file {held_id} was replayed or pulled again meanwhile",
                remedy="list what is open with `uptake quarantine list`.",
            )
        held.replayed_at = now
        held.replayed_rows = file.row_count
        session.add(_landed(at, window, file, run_id=run_id, namespace=namespace, landed_at=held.quarantined_at))
        session.add_all(_quarantined(at, held.window_token, new, run_id=run_id, now=now) for new in quarantined)
        session.add(_outcome(at, run_id, record, now))


# ---- outcomes -------------------------------------------------------------------------------------------------------


def record_outcome(engine: Engine, at: At, *, run_id: str, record: Record) -> None:
    with writing(engine) as session:
        session.add(_outcome(at, run_id, record, _now()))


def _outcome(at: At, run_id: str, record: Record, now: datetime) -> Outcome:
    if record.step in ("land", "replay") and record.status != "failed":
        assert record.rows_in is not None and record.rows_out is not None and record.rows_quarantined is not None
        if record.rows_in != record.rows_out + record.rows_quarantined:
            raise AssertionError(
                f"{record.rows_in} rows were pulled, {record.rows_out} landed, {record.rows_quarantined} quarantined"
            )
    return Outcome(
        **at.columns(),
        run_id=run_id,
        at=now,
        step=record.step,
        status=record.status,
        window_token=record.window_token,
        rows_in=record.rows_in,
        rows_out=record.rows_out,
        rows_quarantined=record.rows_quarantined,
        source_total=record.source_total,
        seconds=record.seconds,
        error_class=record.error_class,
        message=record.message,
        remedy=record.remedy,
        details=record.details or None,
    )
