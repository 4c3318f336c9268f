"""First tables: ledger, outcomes, checks, snapshots, access log.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def _place() -> list[sa.Column[str]]:
    return [
        sa.Column("district", sa.String(40), nullable=False),
        sa.Column("source", sa.String(40), nullable=False),
        sa.Column("resource", sa.String(80), nullable=False),
    ]


def upgrade() -> None:
    op.create_table(
        "pull",
        sa.Column("id", COUNT, primary_key=True),
        sa.Column("run_id", sa.String(200), nullable=False),
        sa.Column("mode", sa.String(20), nullable=False),
        sa.Column("since", TIME),
        sa.Column("until", TIME, nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("finished_at", TIME),
        sa.Column("status", sa.String(20), nullable=False),
        *_place(),
    )
    op.create_index("ix_pull_place", "pull", ["district", "source", "resource", "status"])
    op.create_table(
        "landed_file",
        sa.Column("id", COUNT, primary_key=True),
        sa.Column("run_id", sa.String(200), nullable=False),
        sa.Column("namespace", sa.String(40), nullable=False),
        sa.Column("window_token", sa.String(120), nullable=False),
        sa.Column("window_mode", sa.String(20), nullable=False),
        sa.Column("window_start", TIME),
        sa.Column("window_end", TIME),
        sa.Column("path", sa.String(500), nullable=False),
        sa.Column("content_hash", sa.String(64), nullable=False),
        sa.Column("row_count", COUNT, nullable=False),
        sa.Column("deleted_count", COUNT, nullable=False),
        sa.Column("byte_count", COUNT, nullable=False),
        sa.Column("event_min", TIME),
        sa.Column("event_max", TIME),
        sa.Column("landed_at", TIME, nullable=False),
        sa.Column("superseded_at", TIME),
        *_place(),
    )
    op.create_index("ix_landed_file_window", "landed_file", ["district", "source", "resource", "window_token"])
    op.create_index("ix_landed_file_live", "landed_file", ["district", "superseded_at"])
    op.create_table(
        "outcome",
        sa.Column("id", COUNT, primary_key=True),
        sa.Column("run_id", sa.String(200), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("step", sa.String(20), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("window_token", sa.String(120), nullable=False),
        sa.Column("rows_in", COUNT),
        sa.Column("rows_out", COUNT),
        sa.Column("rows_quarantined", COUNT),
        sa.Column("source_total", COUNT),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("error_class", sa.String(80)),
        sa.Column("message", sa.Text()),
        sa.Column("remedy", sa.Text()),
        sa.Column("details", sa.JSON()),
        *_place(),
    )
    op.create_index("ix_outcome_place", "outcome", ["district", "source", "resource", "at"])
    op.create_table(
        "quarantine_file",
        sa.Column("id", COUNT, primary_key=True),
        sa.Column("run_id", sa.String(200), nullable=False),
        sa.Column("window_token", sa.String(120), nullable=False),
        sa.Column("path", sa.String(500), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("column_name", sa.String(120)),
        sa.Column("row_count", COUNT, nullable=False),
        sa.Column("quarantined_at", TIME, nullable=False),
        sa.Column("superseded_at", TIME),
        sa.Column("replayed_at", TIME),
        sa.Column("replayed_rows", COUNT),
        *_place(),
    )
    op.create_index("ix_quarantine_place", "quarantine_file", ["district", "source", "resource"])
    op.create_table(
        "check_result",
        sa.Column("id", COUNT, primary_key=True),
        sa.Column("run_id", sa.String(200), nullable=False),
        sa.Column("district", sa.String(40), nullable=False),
        sa.Column("snapshot_id", sa.String(80), nullable=False),
        sa.Column("suite", sa.String(80), nullable=False),
        sa.Column("check_id", sa.String(200), nullable=False),
        sa.Column("table_name", sa.String(120), nullable=False),
        sa.Column("column_name", sa.String(120)),
        sa.Column("severity", sa.String(20), nullable=False),
        sa.Column("is_success", sa.Boolean(), nullable=False),
        sa.Column("observed", sa.Text()),
        sa.Column("unexpected_rows", COUNT),
        sa.Column("description", sa.Text()),
        sa.Column("remedy", sa.Text()),
        sa.Column("checked_at", TIME, nullable=False),
    )
    op.create_index("ix_check_result_district", "check_result", ["district", "checked_at"])
    op.create_table(
        "snapshot",
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("district", sa.String(40), nullable=False),
        sa.Column("run_id", sa.String(200), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("published_at", TIME),
        sa.Column("data_complete_through", sa.Date()),
        sa.Column("code_version", sa.String(80), nullable=False),
        sa.Column("failed_checks", sa.JSON()),
    )
    op.create_index("ix_snapshot_district", "snapshot", ["district"])
    op.create_table(
        "access_log",
        sa.Column("id", COUNT, primary_key=True),
        sa.Column("at", TIME, nullable=False),
        sa.Column("district", sa.String(40), nullable=False),
        sa.Column("viewer", sa.String(200), nullable=False),
        sa.Column("role", sa.String(40), nullable=False),
        sa.Column("page", sa.String(80), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("details", sa.JSON()),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("row_hash", sa.String(64), nullable=False),
    )
    op.create_index("ix_access_log_district", "access_log", ["district"])


def downgrade() -> None:
    for table in ("access_log", "snapshot", "check_result", "quarantine_file", "outcome", "landed_file", "pull"):
        op.drop_table(table)
