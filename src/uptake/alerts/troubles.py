"""What may be wrong in a district, each under a subject of its own.

Texts name sources, checks and classes of errors, and nothing of a row: they leave the house.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from uptake import clock, freshness
from uptake.config import District, SourceSettings
from uptake.freshness import goal_seconds
from uptake.operations.models import Pull
from uptake.operations.session import reading
from uptake.project import Project
from uptake.receiver.spool import begun_at, spool_folder
from uptake.sources.pushed.base import PushedSettings

CHECKS, BUILD = "checks", "build"
WINDOW = timedelta(hours=1)  # of publications that say how fresh a source is


@dataclass(frozen=True, slots=True)
class Trouble:
    """what: one sentence. remedy: what a person does next."""

    what: str
    remedy: str


Known = dict[str, Trouble | None]  # subject -> what is wrong with it; None: nothing


def of_pull(source: str) -> str:
    return f"pull:{source}"


def of_freshness(source: str) -> str:
    return f"freshness:{source}"


def failed(what: str, error: Exception) -> Trouble:
    return Trouble(
        f"{what} failed ({type(error).__name__}) and will fail again until somebody acts.",
        "see `uptake status` or the Data quality page for the reason and the remedy.",
    )


def held_back(check_ids: Sequence[str]) -> Trouble:
    first = ", ".join(check_ids[:5])
    return Trouble(
        f"{len(check_ids)} checks that must hold do not ({first}). The new snapshot is held back, the last good one "
        "stays.",
        "see the check report: each check says how to resolve it.",
    )


def of_age(project: Project, district: District, now: datetime) -> Known:
    """Whether each source reaches the pages in time. `now`: the machine's time.

    Late is what the last hour's publications showed later than the goal, what waits for longer than the goal and is not
    shown yet, and a source that no pull has read in time.
    """
    waiting = {entry.source: entry.since for entry in freshness.unpublished(project, district)}
    p95 = freshness.recent_p95(project, district, now=now, window=WINDOW)
    known: Known = {}
    for settings in district.sources:
        goal = goal_seconds(district, settings)
        since = min(
            (time for time in (waiting.get(settings.name), _spooled(project, district, settings)) if time), default=None
        )
        age = (now - since).total_seconds() if since else 0.0
        known[of_freshness(settings.name)] = _lateness(
            settings.name, goal, age, p95.get(settings.name, 0.0)
        ) or _silence(project, district, settings)
    return known


def _lateness(source: str, goal: int, waiting: float, p95: float) -> Trouble | None:
    if max(waiting, p95) <= goal:
        return None
    what = f"rows have waited {waiting:.0f} s" if waiting > goal else f"95 % of its rows were shown within {p95:.0f} s"
    return Trouble(
        f"{source} reaches the pages too late: {what}, the goal is {goal} s.",
        "see the runs of the publish DAG, and whether the machine has other work.",
    )


def _silence(project: Project, district: District, settings: SourceSettings) -> Trouble | None:
    """As mart_source_health calls a source stale; one that was never pulled is new, not silent."""
    limit = max(
        timedelta(hours=district.thresholds.stale_after_hours), 2 * timedelta(minutes=settings.pull_every_minutes)
    )
    with reading(project.operations) as session:
        pulls = session.query(Pull.started_at).filter_by(district=district.id, source=settings.name)
        last = pulls.filter_by(status="good").order_by(Pull.started_at.desc()).limit(1).scalar()
    if last is None or clock.now(district) - last <= limit:
        return None
    return Trouble(
        f"{settings.name} was not read for more than {limit.total_seconds() / 3600:.0f} hours.",
        "see the runs of its ingest DAG, or run `uptake pull`.",
    )


def _spooled(project: Project, district: District, settings: SourceSettings) -> datetime | None:
    """Receipt of the oldest pushed event that no pull has taken yet."""
    if not isinstance(settings, PushedSettings):
        return None
    names = [path.stem for path in (spool_folder(project, district.id) / settings.name).glob("*/*.*")]
    return begun_at(min(names)) if names else None
