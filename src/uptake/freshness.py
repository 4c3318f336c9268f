"""How long a row takes from its coming in to a page that shows it, measured at every publication.

What is counted: each row of a file that a publication shows for the first time, with the age that the oldest row of its
file had by then; so an age is never told too small, and too large by a segment of the spool at most.

- Pushed events (basis `received`): from the receipt of the first event in the file. How long the sender kept it is not
  in it: its clock is not ours.
- What is pulled (basis `pulled`): from the start of the pull that brought it. How long it had waited at the vendor is
  between nothing and the time between two pulls, and nobody can know it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from uptake.config import District, SourceSettings
from uptake.landing.ledger import COMPACTED
from uptake.operations.models import Freshness, LandedFile, Outcome
from uptake.operations.session import in_turn, reading, writing
from uptake.project import Project
from uptake.sources.pushed.base import PushedSettings

if TYPE_CHECKING:
    from uptake.warehouse.publish import SnapshotRef

RECEIVED, PULLED = "received", "pulled"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Landed rows that no page shows yet: since when the oldest has waited, by the machine's clock."""

    source: str
    since: datetime


def goal_seconds(district: District, settings: SourceSettings) -> int:
    """The source's own goal; else the district's for pushed events, and for a pull the time to the next one."""
    if settings.published_within_seconds is not None:
        return settings.published_within_seconds
    if isinstance(settings, PushedSettings):
        return district.thresholds.published_within_seconds
    return settings.pull_every_minutes * 60


def measure(project: Project, district: District, snapshot: SnapshotRef) -> int:
    """Write down the ages of the rows that `snapshot` shows for the first time; how many files that were.

    Publishing a snapshot again measures nothing again.
    """
    through = snapshot.manifest["landed_through"]
    published_at = datetime.fromisoformat(snapshot.manifest["published_at"])
    with writing(project.operations) as session:
        in_turn(session, f"freshness {district.id}")
        files = _files_after(session, district.id, _measured_through(session, district.id), through)
        began = _pulls_began(session, district.id, files)
        for file in files:
            session.add(
                Freshness(
                    district=district.id,
                    source=file.source,
                    resource=file.resource,
                    snapshot_id=snapshot.id,
                    landed_file_id=file.id,
                    row_count=file.row_count,
                    basis=RECEIVED if file.received_at else PULLED,
                    since_at=_since(file, began),
                    landed_at=file.landed_at,
                    published_at=published_at,
                )
            )
        return len(files)


def unpublished(project: Project, district: District) -> list[Waiting]:
    """The oldest row of each source that landed and that no publication has shown."""
    with reading(project.operations) as session:
        files = _files_after(session, district.id, _measured_through(session, district.id))
        began = _pulls_began(session, district.id, files)
        oldest: dict[str, datetime] = {}
        for file in files:
            since = _since(file, began)
            oldest[file.source] = min(since, oldest.get(file.source, since))
    return [Waiting(source, since) for source, since in sorted(oldest.items())]


def recent_p95(project: Project, district: District, *, now: datetime, window: timedelta) -> dict[str, float]:
    """Of each source with a publication in the window: 95 % of the rows were shown within so many seconds."""
    query = select(Freshness).where(Freshness.district == district.id, Freshness.published_at > now - window)
    found: dict[str, list[tuple[float, int]]] = {}
    with reading(project.operations) as session:
        for row in session.scalars(query):
            age = (row.published_at - row.since_at).total_seconds()
            found.setdefault(row.source, []).append((age, row.row_count))
    return {source: _percentile(ages, 0.95) for source, ages in found.items()}


def _percentile(ages: list[tuple[float, int]], share: float) -> float:
    """The smallest age that so large a share of the rows do not exceed."""
    wanted, seen = share * sum(rows for _, rows in ages), 0
    for age, rows in sorted(ages):
        seen += rows
        if seen >= wanted:
            return age
    raise ValueError("no rows")


def _measured_through(session: Session, district: str) -> int:
    newest = select(func.max(Freshness.landed_file_id)).where(Freshness.district == district)
    return session.scalar(newest) or 0


def _files_after(session: Session, district: str, after: int, through: int | None = None) -> list[LandedFile]:
    query = select(LandedFile).where(
        LandedFile.district == district,
        LandedFile.id > after,
        LandedFile.superseded_at.is_(None),
        ~LandedFile.window_token.startswith(f"{COMPACTED}-"),  # its rows were landed before
    )
    if through is not None:
        query = query.where(LandedFile.id <= through)
    return list(session.scalars(query.order_by(LandedFile.id)))


def _pulls_began(session: Session, district: str, files: list[LandedFile]) -> dict[tuple[str, str], datetime]:
    """When each pull (source, run) that brought one of the files began to land, by the machine's clock."""
    runs = {file.run_id for file in files}
    query = select(Outcome.source, Outcome.run_id, Outcome.at, Outcome.seconds).where(
        Outcome.district == district, Outcome.run_id.in_(runs), Outcome.step.in_(("land", "replay"))
    )
    found: dict[tuple[str, str], datetime] = {}
    for source, run_id, at, seconds in session.execute(query):
        began = at - timedelta(seconds=seconds)
        found[source, run_id] = min(began, found.get((source, run_id), began))
    return found


def _since(file: LandedFile, began: dict[tuple[str, str], datetime]) -> datetime:
    if file.received_at is not None:
        return file.received_at
    return min(began.get((file.source, file.run_id), file.landed_at), file.landed_at)
