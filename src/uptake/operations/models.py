"""Tables of the operations database. Migrations under `migrations/` are the only way they change.

Times are UTC and come from the machine's clock; dates named `_on` are district-local.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import ClassVar

from sqlalchemy import JSON, BigInteger, DateTime, Float, ForeignKey, Index, Integer, String, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """SQLite forgets time zones; this gives UTC back on every engine, and refuses a naive time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: object) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive time reached the operations database")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: object) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Count = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    type_annotation_map: ClassVar = {datetime: UtcDateTime, int: Count}


class Place:
    """Where something happened."""

    district: Mapped[str] = mapped_column(String(40))
    source: Mapped[str] = mapped_column(String(40))
    resource: Mapped[str] = mapped_column(String(80))


class Pull(Place, Base):
    """One pull of one resource. The start of the last good one, minus the look-back, is the cursor."""

    __tablename__ = "pull"
    __table_args__ = (Index("ix_pull_place", "district", "source", "resource", "status"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(String(200))
    mode: Mapped[str] = mapped_column(String(20))
    since: Mapped[datetime | None]
    until: Mapped[datetime]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(String(20))  # running, good, failed


class LandedFile(Place, Base):
    """A file of the lake counts from the moment its row is committed until `superseded_at`."""

    __tablename__ = "landed_file"
    __table_args__ = (
        Index("ix_landed_file_window", "district", "source", "resource", "window_token"),
        Index("ix_landed_file_live", "district", "superseded_at"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(String(200))
    namespace: Mapped[str] = mapped_column(String(40))  # the landing view is <namespace>__<resource>
    window_token: Mapped[str] = mapped_column(String(120))
    window_mode: Mapped[str] = mapped_column(String(20))
    window_start: Mapped[datetime | None]
    window_end: Mapped[datetime | None]
    path: Mapped[str] = mapped_column(String(500))  # relative to the lake
    content_hash: Mapped[str] = mapped_column(String(64))
    row_count: Mapped[int]
    deleted_count: Mapped[int] = mapped_column(default=0)
    byte_count: Mapped[int]
    event_min: Mapped[datetime | None]
    event_max: Mapped[datetime | None]
    landed_at: Mapped[datetime]
    superseded_at: Mapped[datetime | None]
    compacted_into: Mapped[int | None]  # the file in which these rows stand since, when that is why it ceased to count

    @property
    def received_at(self) -> datetime | None:
        """Receipt of the first event of a segment of the receiver's spool; None of what was not pushed to us."""
        return self.window_start if self.window_mode == "file" else None


class Outcome(Place, Base):
    """What each step did. For `land`: rows_in = rows_out + rows_quarantined, always."""

    __tablename__ = "outcome"
    __table_args__ = (Index("ix_outcome_place", "district", "source", "resource", "at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime]
    step: Mapped[str] = mapped_column(String(20))  # pull, land, sweep, build, check, publish, replay
    status: Mapped[str] = mapped_column(String(20))  # good, warning, failed
    window_token: Mapped[str] = mapped_column(String(120), default="")
    rows_in: Mapped[int | None]
    rows_out: Mapped[int | None]
    rows_quarantined: Mapped[int | None]
    source_total: Mapped[int | None]
    seconds: Mapped[float] = mapped_column(Float)
    error_class: Mapped[str | None] = mapped_column(String(80))
    message: Mapped[str | None] = mapped_column(Text)
    remedy: Mapped[str | None] = mapped_column(Text)
    details: Mapped[dict[str, object] | None] = mapped_column(JSON)


class QuarantineFile(Place, Base):
    """Rows that broke their contract, grouped by window and reason. The rows are in the file at `path`."""

    __tablename__ = "quarantine_file"
    __table_args__ = (Index("ix_quarantine_place", "district", "source", "resource"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(String(200))
    window_token: Mapped[str] = mapped_column(String(120))
    path: Mapped[str] = mapped_column(String(500))  # relative to the quarantine
    reason: Mapped[str] = mapped_column(String(200))
    column_name: Mapped[str | None] = mapped_column(String(120))
    row_count: Mapped[int]
    quarantined_at: Mapped[datetime]
    superseded_at: Mapped[datetime | None]  # the window was pulled again
    replayed_at: Mapped[datetime | None]
    replayed_rows: Mapped[int | None]


class CheckResult(Base):
    """One expectation's result on one candidate: the history that an auditor reads."""

    __tablename__ = "check_result"
    __table_args__ = (Index("ix_check_result_district", "district", "checked_at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(String(200))
    district: Mapped[str] = mapped_column(String(40))
    snapshot_id: Mapped[str] = mapped_column(String(80))
    suite: Mapped[str] = mapped_column(String(80))
    check_id: Mapped[str] = mapped_column(String(200))  # stable over time: a check's history is one id
    table_name: Mapped[str] = mapped_column(String(120))
    column_name: Mapped[str | None] = mapped_column(String(120))
    severity: Mapped[str] = mapped_column(String(20))  # critical, warning
    is_success: Mapped[bool]
    observed: Mapped[str | None] = mapped_column(Text)
    unexpected_rows: Mapped[int | None]
    description: Mapped[str | None] = mapped_column(Text)
    remedy: Mapped[str | None] = mapped_column(Text)
    checked_at: Mapped[datetime]


class Snapshot(Base):
    """A candidate and what became of it."""

    __tablename__ = "snapshot"
    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    district: Mapped[str] = mapped_column(String(40), index=True)
    run_id: Mapped[str] = mapped_column(String(200))
    status: Mapped[str] = mapped_column(String(20))  # candidate, rejected, published
    created_at: Mapped[datetime]
    published_at: Mapped[datetime | None]
    data_complete_through: Mapped[date | None]
    code_version: Mapped[str] = mapped_column(String(80))
    failed_checks: Mapped[list[str] | None] = mapped_column(JSON)


class Freshness(Place, Base):
    """How long the rows of a landed file took until a page showed them. Times are the machine's.

    since_at: receipt of the first of them (basis `received`), or when the pull that brought them began (`pulled`).
    """

    __tablename__ = "freshness"
    __table_args__ = (Index("ix_freshness_district", "district", "published_at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    snapshot_id: Mapped[str] = mapped_column(String(80))
    landed_file_id: Mapped[int]
    row_count: Mapped[int]
    basis: Mapped[str] = mapped_column(String(20))
    since_at: Mapped[datetime]
    landed_at: Mapped[datetime]
    published_at: Mapped[datetime]


class AlertState(Base):
    """What a target was last told of a subject, so that it is told of changes only."""

    __tablename__ = "alert_state"
    district: Mapped[str] = mapped_column(String(40), primary_key=True)
    subject: Mapped[str] = mapped_column(String(120), primary_key=True)  # such as pull:sis, freshness:lms, checks
    target: Mapped[str] = mapped_column(String(40), primary_key=True)
    is_bad: Mapped[bool]
    since: Mapped[datetime]


class AccessLog(Base):
    """Who saw what. Append-only: each row's hash covers the row before it."""

    __tablename__ = "access_log"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    district: Mapped[str] = mapped_column(String(40), index=True)
    viewer: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(40))
    page: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(40))
    details: Mapped[dict[str, object] | None] = mapped_column(JSON)
    previous_hash: Mapped[str] = mapped_column(String(64))
    row_hash: Mapped[str] = mapped_column(String(64))


class ReceiverKey(Base):
    """A sender's key for pushing events. Only a keyed hash of its secret is held."""

    __tablename__ = "receiver_key"
    id: Mapped[str] = mapped_column(String(20), primary_key=True)  # the public half of the key
    district: Mapped[str] = mapped_column(String(40), index=True)
    source: Mapped[str] = mapped_column(String(40))
    sensor: Mapped[str] = mapped_column(String(80))  # who sends, in the district's own words
    secret_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]  # set when a newer key has taken its place
    revoked_at: Mapped[datetime | None]


class StudyPlanRecord(Base):
    """A frozen plan of a study and when it was recorded. `canonical` is the text that `hash` is the SHA-256 of."""

    __tablename__ = "study_plan"
    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    district: Mapped[str | None] = mapped_column(String(40), index=True)  # None: from a table that somebody brought
    tool: Mapped[str] = mapped_column(String(200))
    question: Mapped[str] = mapped_column(Text)
    planned_at: Mapped[datetime]
    code_version: Mapped[str] = mapped_column(String(80))
    canonical: Mapped[str] = mapped_column(Text)


class StudyResultRecord(Base):
    """One run of a plan. Nothing is overwritten: another run, on other data or other code, is another row."""

    __tablename__ = "study_result"
    id: Mapped[int] = mapped_column(primary_key=True)
    plan_hash: Mapped[str] = mapped_column(String(64), ForeignKey("study_plan.hash"), index=True)
    run_at: Mapped[datetime]
    data_version: Mapped[str] = mapped_column(String(100))
    code_version: Mapped[str] = mapped_column(String(80))
    seconds: Mapped[float] = mapped_column(Float)
    verdict: Mapped[str] = mapped_column(String(40))
    essa_tier: Mapped[int | None]
    result: Mapped[dict[str, object]] = mapped_column(JSON)  # uptake.evidence.run.StudyResult
