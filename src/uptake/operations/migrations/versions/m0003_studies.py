"""Plans and results of impact studies.

Revision ID: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "study_plan",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("district", sa.String(40)),
        sa.Column("tool", sa.String(200), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("planned_at", TIME, nullable=False),
        sa.Column("code_version", sa.String(80), nullable=False),
        sa.Column("canonical", sa.Text(), nullable=False),
    )
    op.create_index("ix_study_plan_district", "study_plan", ["district"])
    op.create_table(
        "study_result",
        sa.Column("id", COUNT, primary_key=True),
        sa.Column("plan_hash", sa.String(64), sa.ForeignKey("study_plan.hash"), nullable=False),
        sa.Column("run_at", TIME, nullable=False),
        sa.Column("data_version", sa.String(100), nullable=False),
        sa.Column("code_version", sa.String(80), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("verdict", sa.String(40), nullable=False),
        sa.Column("essa_tier", COUNT),
        sa.Column("result", sa.JSON(), nullable=False),
    )
    op.create_index("ix_study_result_plan_hash", "study_result", ["plan_hash"])


def downgrade() -> None:
    op.drop_table("study_result")
    op.drop_table("study_plan")
