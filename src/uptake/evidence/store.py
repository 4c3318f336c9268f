"""Plans and results on record in the operations database. A plan is never changed, a result never overwritten."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from uptake import __version__
from uptake.errors import ConfigError, PermanentError
from uptake.evidence.plan import StudyPlan
from uptake.evidence.run import StudyResult
from uptake.operations.models import StudyPlanRecord, StudyResultRecord
from uptake.operations.session import reading, writing

SHORT = 12  # characters of a hash that people use


@dataclass(frozen=True)
class RecordedStudy:
    """A plan on record, and its results, the oldest first."""

    plan: StudyPlan
    hash: str
    planned_at: datetime
    results: tuple[StudyResult, ...]

    @property
    def short(self) -> str:
        return self.hash[:SHORT]


def record(engine: Engine, plan: StudyPlan) -> RecordedStudy:
    """Put a plan on record. The same plan again is the same study, with its first date."""
    with writing(engine) as session:
        if session.get(StudyPlanRecord, plan.hash) is None:
            session.add(
                StudyPlanRecord(
                    hash=plan.hash,
                    district=plan.marts.district if plan.marts else None,
                    tool=plan.tool,
                    question=plan.question,
                    planned_at=datetime.now(UTC),
                    code_version=__version__,
                    canonical=plan.canonical,
                )
            )
    return find(engine, plan.hash)


def find(engine: Engine, start_of_hash: str) -> RecordedStudy:
    """The study whose hash starts so. Raises ConfigError when there is none or more than one, PermanentError when the
    plan on record is not the one that was hashed."""
    with reading(engine) as session:
        found = session.scalars(
            select(StudyPlanRecord).where(StudyPlanRecord.hash.startswith(start_of_hash, autoescape=True)).limit(2)
        ).all()
        if len(found) != 1:
            how_many = "no study" if not found else "more than one study"
            raise ConfigError(f"{how_many} {start_of_hash!r}", remedy="see `uptake study list`.")
        return _study(session, found[0])


def all_studies(engine: Engine, district: str | None = None) -> list[RecordedStudy]:
    """Every study on record, the newest plan first."""
    chosen = select(StudyPlanRecord).order_by(StudyPlanRecord.planned_at.desc(), StudyPlanRecord.hash)
    if district is not None:
        chosen = chosen.where(StudyPlanRecord.district == district)
    with reading(engine) as session:
        return [_study(session, row) for row in session.scalars(chosen).all()]


def keep(engine: Engine, study: RecordedStudy, result: StudyResult) -> None:
    """Put a result on record, under the plan as it was recorded."""
    result = result.model_copy(update={"plan_hash": study.hash})
    with writing(engine) as session:
        session.add(
            StudyResultRecord(
                plan_hash=result.plan_hash,
                run_at=result.run_at,
                data_version=result.data_version,
                code_version=result.code_version,
                seconds=result.seconds,
                verdict=result.verdict.kind,
                essa_tier=result.verdict.tier,
                result=json.loads(result.model_dump_json()),
            )
        )


def _study(session: Session, row: StudyPlanRecord) -> RecordedStudy:
    if hashlib.sha256(row.canonical.encode()).hexdigest() != row.hash:
        raise PermanentError(
            f"the plan on record under {row.hash[:SHORT]} is not the one that was hashed",
            remedy="restore the operations database from a backup, and ask who changed it.",
        )
    plan = StudyPlan.model_validate_json(row.canonical)
    return RecordedStudy(plan, row.hash, row.planned_at, tuple(_results(session, row.hash)))


def _results(session: Session, plan_hash: str) -> Sequence[StudyResult]:
    chosen = select(StudyResultRecord.result).where(StudyResultRecord.plan_hash == plan_hash)
    return [StudyResult.model_validate(one) for one in session.scalars(chosen.order_by(StudyResultRecord.id))]
