"""The record of who looked at what: append-only, and each row's hash covers the row before it.

Rule: a look that is not recorded is refused where it could show one person. Pages of suppressed totals open all the
same, but say on the page that the look could not be recorded (see `components.frame`); nothing fails in silence.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import Engine, select, text

from uptake.operations.models import AccessLog
from uptake.operations.session import writing
from viewer import Viewer

FIRST = "0" * 64


def row_hash(previous_hash: str, look: Mapping[str, object]) -> str:
    """SHA-256 (hex) of the previous row's hash and the row's canonical JSON: sorted keys, no spaces, UTF-8."""
    canonical = json.dumps(look, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(f"{previous_hash}{canonical}".encode()).hexdigest()


def as_look(row: AccessLog) -> dict[str, object]:
    """What a row's hash covers."""
    return {
        "at": row.at.astimezone(UTC).isoformat(),
        "district": row.district,
        "viewer": row.viewer,
        "role": row.role,
        "page": row.page,
        "action": row.action,
        "details": row.details,
    }


def record_look(
    engine: Engine,
    viewer: Viewer,
    *,
    district: str,
    page: str,
    action: str,
    details: Mapping[str, object] | None = None,
) -> str:
    """Append one look and give back its hash. Whatever goes wrong is raised: the caller must not show and forget.

    One writer at a time makes the chain; SQLite's write transaction does that, PostgreSQL needs the table lock.
    """
    with writing(engine) as session:
        if engine.dialect.name == "postgresql":
            session.execute(text("LOCK TABLE access_log IN EXCLUSIVE MODE"))
        last = session.scalars(select(AccessLog.row_hash).order_by(AccessLog.id.desc()).limit(1)).first()
        row = AccessLog(
            at=datetime.now(UTC),
            district=district,
            viewer=viewer.name,
            role=viewer.role,
            page=page,
            action=action,
            details=dict(details or {}),
            previous_hash=last or FIRST,
        )
        row.row_hash = row_hash(row.previous_hash, as_look(row))
        session.add(row)
        return row.row_hash


def first_broken_row(engine: Engine) -> int | None:
    """The id of the first row whose hash or link does not hold; None when the whole chain holds."""
    previous = FIRST
    with engine.connect() as connection:
        for row in connection.execute(select(AccessLog.__table__).order_by(AccessLog.id)):
            look = as_look(AccessLog(**{name: value for name, value in row._mapping.items() if name != "id"}))
            if row.previous_hash != previous or row.row_hash != row_hash(previous, look):
                return row.id
            previous = row.row_hash
    return None
