"""Alembic migrations of the operations database. `HEAD` is the newest, so that checking needs no Alembic."""

HEAD = "0005"
