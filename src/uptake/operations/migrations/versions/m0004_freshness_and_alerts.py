"""How long landed rows took to a page, and what alert targets were last told.

Revision ID: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "freshness",
        sa.Column("id", COUNT, primary_key=True),
        sa.Column("district", sa.String(40), nullable=False),
        sa.Column("source", sa.String(40), nullable=False),
        sa.Column("resource", sa.String(80), nullable=False),
        sa.Column("snapshot_id", sa.String(80), nullable=False),
        sa.Column("landed_file_id", COUNT, nullable=False),
        sa.Column("row_count", COUNT, nullable=False),
        sa.Column("basis", sa.String(20), nullable=False),
        sa.Column("since_at", TIME, nullable=False),
        sa.Column("landed_at", TIME, nullable=False),
        sa.Column("published_at", TIME, nullable=False),
    )
    op.create_index("ix_freshness_district", "freshness", ["district", "published_at"])
    op.create_table(
        "alert_state",
        sa.Column("district", sa.String(40), primary_key=True),
        sa.Column("subject", sa.String(120), primary_key=True),
        sa.Column("target", sa.String(40), primary_key=True),
        sa.Column("is_bad", sa.Boolean(), nullable=False),
        sa.Column("since", TIME, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("alert_state")
    op.drop_table("freshness")
