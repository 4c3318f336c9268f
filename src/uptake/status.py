"""What `uptake status` tells: what is published, how fresh each source is, what failed and what to do."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from uptake.config import District
from uptake.operations.models import Outcome, Pull, QuarantineFile
from uptake.operations.session import reading
from uptake.project import Project


def district_status(project: Project, district: District) -> dict[str, Any]:
    """JSON-ready status of one district.

    The keys of `uptake.warehouse.publish.status_of`, and
    sources: [{source, kind, failed: {at, message, remedy} | None, resources: [{resource, last_pull_at,
    last_good_pull_at, status, message, remedy}]}]; `failed` is why the newest pull could not begin,
    steps: {build|check|publish: {at, status, message, remedy}}, quarantined_rows: rows waiting in quarantine.
    Times are ISO 8601; pulls are timed by the district's clock, steps by the machine's.
    """
    from uptake.warehouse.publish import status_of  # noqa: PLC0415 - brings the warehouse with it

    return status_of(project, district) | {
        "sources": [
            {"source": source.name, "kind": source.kind, **_source(project, district, source.name)}
            for source in district.sources
        ],
        "steps": _steps(project, district),
        "quarantined_rows": _quarantined(project, district),
    }


def _source(project: Project, district: District, source: str) -> dict[str, Any]:
    here = (Pull.district == district.id, Pull.source == source)
    good = func.max(Pull.started_at).filter(Pull.status == "good")
    pulls = select(Pull.resource, func.max(Pull.started_at), good).where(*here).group_by(Pull.resource)
    with reading(project.operations) as session:
        found = {resource: (last, last_good) for resource, last, last_good in session.execute(pulls)}
        latest = {
            outcome.resource: outcome
            for outcome in _newest_outcomes(session, Outcome.district == district.id, Outcome.source == source)
        }
    newest = max(latest.values(), key=lambda outcome: outcome.id, default=None)
    failed = newest if newest is not None and newest.resource == "*" else None
    return {
        "failed": failed and {"at": _iso(failed.at), "message": failed.message, "remedy": failed.remedy},
        "resources": [
            {
                "resource": resource,
                "last_pull_at": _iso(last),
                "last_good_pull_at": _iso(last_good),
                **_told(latest.get(resource)),
            }
            for resource, (last, last_good) in sorted(found.items())
        ],
    }


def _steps(project: Project, district: District) -> dict[str, Any]:
    with reading(project.operations) as session:
        query = (
            select(Outcome.step, func.max(Outcome.id))
            .where(Outcome.district == district.id, Outcome.source == "*")
            .group_by(Outcome.step)
        )
        newest = {step: session.get_one(Outcome, outcome_id) for step, outcome_id in session.execute(query)}
        return {step: {"at": _iso(outcome.at), **_told(outcome)} for step, outcome in sorted(newest.items())}


def _newest_outcomes(session: Any, *where: Any) -> list[Outcome]:
    newest = select(func.max(Outcome.id)).where(*where).group_by(Outcome.resource)
    return list(session.scalars(select(Outcome).where(Outcome.id.in_(newest))))


def _quarantined(project: Project, district: District) -> int:
    query = select(func.coalesce(func.sum(QuarantineFile.row_count), 0)).where(
        QuarantineFile.district == district.id,
        QuarantineFile.superseded_at.is_(None),
        QuarantineFile.replayed_at.is_(None),
    )
    with reading(project.operations) as session:
        return int(session.scalars(query).one())


def _told(outcome: Outcome | None) -> dict[str, Any]:
    if outcome is None:
        return {"status": "unknown", "message": None, "remedy": None}
    return {"status": outcome.status, "message": outcome.message, "remedy": outcome.remedy}


def _iso(value: Any) -> str | None:
    return value.isoformat() if value is not None else None
