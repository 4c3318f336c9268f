"""Alembic's entry point. `uptake.operations.session` hands the connection over and owns the transaction."""

from __future__ import annotations

from alembic import context

from uptake.operations.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite cannot alter a column in place
    transaction_per_migration=False,
)
context.run_migrations()
