"""What is kept no longer than it is needed: old snapshots, superseded files of the lake, old records of runs.

Nothing that counts is touched: no live file, not the snapshot that is up, no record that a page or a later pull reads
(`uptake.config.Retention` says how long the rest stays). What was removed is written down as an outcome of step
`prune`; those receipts stay.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, or_, select
from sqlalchemy.orm import Session, aliased

from uptake.config import District
from uptake.landing.ledger import Step
from uptake.operations.models import CheckResult, Freshness, LandedFile, Outcome
from uptake.operations.session import reading, writing
from uptake.project import Project
from uptake.warehouse.publish import prune_snapshots

PRUNE: Step = "prune"
SHOWN_RUNS = 30  # check runs that the marts and the static pages show, however old they are


@dataclass(slots=True)
class Pruned:
    """What was removed, or in a dry run would be. lake_bytes: size of the lake files. ledger_rows: of files whose rows
    stand in a compacted file, which is what the ledger knows of them then."""

    snapshots: int = 0
    lake_files: int = 0
    lake_bytes: int = 0
    outcomes: int = 0
    check_results: int = 0
    freshness: int = 0
    ledger_rows: int = 0

    @property
    def is_nothing(self) -> bool:
        return not any(asdict(self).values())


def prune(
    project: Project, district: District, *, run_id: str, now: datetime | None = None, dry_run: bool = False
) -> Pruned:
    """Remove what is past its time. Safe to repeat after a crash at any instant. The caller holds the writer's slot.

    now: the machine's time, by which files were superseded and records written.
    """
    now = now or datetime.now(UTC)
    keep = district.privacy.retention
    done = Pruned()
    done.snapshots = len(prune_snapshots(project.published(district.id), keep=keep.snapshots, dry_run=dry_run))
    forgotten = []
    for row in _superseded(project, district, now - timedelta(days=keep.superseded_days)):
        path = project.lake / row.path
        if row.compacted_into is not None:
            forgotten.append(row.id)
        if not path.exists():  # its row stays: the record of what once counted
            continue
        done.lake_files += 1
        done.lake_bytes += path.stat().st_size
        if not dry_run:
            path.unlink()
    old_outcome = _old_outcome(district, now - timedelta(days=keep.outcome_days))
    old_check = _old_check(district, now - timedelta(days=keep.check_days))
    old_age = _old_age(district, now - timedelta(days=keep.freshness_days))
    with reading(project.operations) if dry_run else writing(project.operations) as session:
        done.outcomes = _count(session, Outcome, old_outcome)
        done.check_results = _count(session, CheckResult, old_check)
        done.freshness = _count(session, Freshness, old_age)
        done.ledger_rows = len(forgotten)
        if not dry_run and not done.is_nothing:
            session.execute(delete(LandedFile).where(LandedFile.id.in_(forgotten)))
            session.execute(delete(Outcome).where(old_outcome))
            session.execute(delete(CheckResult).where(old_check))
            session.execute(delete(Freshness).where(old_age))
            session.add(_receipt(district, now, run_id, done))
    return done


def _superseded(project: Project, district: District, before: datetime) -> list[LandedFile]:
    """Files that ceased to count before then, and whose path no live row names again (the same rows came back)."""
    live = aliased(LandedFile)
    query = select(LandedFile).where(
        LandedFile.district == district.id,
        LandedFile.superseded_at < before,
        ~select(live.id).where(live.path == LandedFile.path, live.superseded_at.is_(None)).exists(),
    )
    with reading(project.operations) as session:
        return list(session.scalars(query))


def _old_outcome(district: District, before: datetime) -> ColumnElement[bool]:
    """Of outcomes before then: not the newest of its resource and step (`uptake status` and the quality page tell it),
    no receipt, and of what landed only spans of time and segments of pushed events, since which dropped files were
    taken is known from here. A segment is gone from the spool long before; one that is not lands again as itself."""
    newest = (
        select(func.max(Outcome.id))
        .where(Outcome.district == district.id)
        .group_by(Outcome.source, Outcome.resource, Outcome.step)
    )
    span = or_(*(Outcome.window_token.like(f"{kind}-%") for kind in ("interval", "incremental", "segment")))
    return (
        (Outcome.district == district.id)
        & (Outcome.at < before)
        & (Outcome.step != PRUNE)
        & ((Outcome.step != "land") | span | (Outcome.status == "failed"))
        & Outcome.id.not_in(newest)
    )


def _old_check(district: District, before: datetime) -> ColumnElement[bool]:
    shown = (
        select(CheckResult.snapshot_id)
        .where(CheckResult.district == district.id)
        .distinct()
        .order_by(CheckResult.snapshot_id.desc())
        .limit(SHOWN_RUNS)
    )
    return (
        (CheckResult.district == district.id)
        & (CheckResult.checked_at < before)
        & CheckResult.snapshot_id.not_in(shown)
    )


def _old_age(district: District, before: datetime) -> ColumnElement[bool]:
    """Not of the newest file: by it is known what was measured."""
    newest = select(func.max(Freshness.landed_file_id)).where(Freshness.district == district.id).scalar_subquery()
    return (
        (Freshness.district == district.id) & (Freshness.published_at < before) & (Freshness.landed_file_id != newest)
    )


def _receipt(district: District, now: datetime, run_id: str, done: Pruned) -> Outcome:
    return Outcome(
        district=district.id,
        source="*",
        resource="*",
        run_id=run_id,
        at=now,
        step=PRUNE,
        status="good",
        seconds=0.0,
        details=asdict(done) | {"retention": district.privacy.retention.model_dump()},
    )


def _count(session: Session, model: type[Outcome | CheckResult | Freshness], where: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(model).where(where)) or 0
