"""Into which file the rows of a landed file were put together with others.

Revision ID: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("landed_file", sa.Column("compacted_into", COUNT))


def downgrade() -> None:
    op.drop_column("landed_file", "compacted_into")
