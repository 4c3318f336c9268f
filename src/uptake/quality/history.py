"""Results of every check on every candidate, in the operations database: the history that an auditor reads."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Engine, delete, func, insert, select

from uptake.operations.models import CheckResult
from uptake.operations.session import reading, writing
from uptake.quality.pages import Run
from uptake.quality.suite import Result


def record(operations: Engine, *, district: str, snapshot_id: str, run_id: str, results: Sequence[Result]) -> None:
    """One row for each result, with the time at which it really ran: before the candidate, where it was carried over.

    A run that is repeated on the same candidate replaces what it wrote before.
    """
    with writing(operations) as session:
        session.execute(
            delete(CheckResult).where(
                CheckResult.district == district, CheckResult.snapshot_id == snapshot_id, CheckResult.run_id == run_id
            )
        )
        rows = [
            {
                "run_id": run_id,
                "district": district,
                "snapshot_id": snapshot_id,
                "suite": result.area,
                "check_id": result.check_id,
                "table_name": result.table,
                "column_name": result.column,
                "severity": result.severity,
                "is_success": result.is_success,
                "observed": result.observed,
                "unexpected_rows": result.unexpected_rows,
                "description": result.description,
                "remedy": result.remedy,
                "checked_at": result.checked_at,
            }
            for result in results
        ]
        if rows:
            session.execute(insert(CheckResult), rows)


def recent_runs(operations: Engine, district: str, *, limit: int) -> list[Run]:
    """Counts of the last check runs of a district, newest first."""
    failed = CheckResult.is_success.is_(False)
    query = (
        select(
            CheckResult.snapshot_id,
            func.max(CheckResult.checked_at),
            func.count().filter(CheckResult.is_success),
            func.count().filter(failed, CheckResult.severity != "warning"),
            func.count().filter(failed, CheckResult.severity == "warning"),
        )
        .where(CheckResult.district == district)
        .group_by(CheckResult.snapshot_id)
        .order_by(CheckResult.snapshot_id.desc())
        .limit(limit)
    )
    with reading(operations) as session:
        return [Run(*row) for row in session.execute(query)]
