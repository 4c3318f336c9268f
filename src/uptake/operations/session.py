"""Opening the operations database: SQLite by default, PostgreSQL by URL, always at the newest migration.

Several processes write to it at once (two sources being pulled, a build, the dashboard). On SQLite that means
write-ahead logging, a busy timeout, and `BEGIN IMMEDIATE` for every transaction that will write: a transaction that
reads first and writes later would otherwise fail at once, busy timeout or not.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tenacity
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from uptake.errors import ConfigError, TransientError
from uptake.operations.migrations import HEAD

BUSY_TIMEOUT_MS = 60_000
_WRITES = "uptake_writes"
_MIGRATION_LOCK = 7_310_226  # any number that nothing else in the database uses


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


# Two connections that turn a new file into write-ahead logging at once both hold its shared lock, and SQLite answers
# the second with "database is locked" without asking the busy timeout: only letting go and coming again helps.
_LOCKED_RETRY = tenacity.Retrying(
    retry=tenacity.retry_if_exception(_is_busy),
    wait=tenacity.wait_random(0.005, 0.05),
    stop=tenacity.stop_after_delay(BUSY_TIMEOUT_MS / 1000),
    reraise=True,
)


def open_engine(url: str) -> Engine:
    """An engine on a database that is at the newest migration.

    Raises ConfigError when the database is newer than this code, TransientError when it cannot be reached.
    """
    engine = make_engine(url)
    migrate(engine)
    return engine


def make_engine(url: str) -> Engine:
    """An engine that has not looked at the database yet."""
    address = make_url(url)
    if address.get_backend_name() != "sqlite":
        return create_engine(address, pool_pre_ping=True)
    if address.database and address.database != ":memory:":
        folder = Path(address.database).parent
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = create_engine(address)

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver must not open transactions by itself
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        _LOCKED_RETRY(connection.execute, "PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A session that only reads; it never waits for a writer on SQLite."""
    with Session(engine) as session:
        yield session


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """One transaction that may read and then write: committed at the end, rolled back on any error."""
    with (
        engine.connect().execution_options(**{_WRITES: True}) as connection,
        Session(connection) as session,
        connection.begin(),
    ):
        yield session
        session.flush()


def in_turn(session: Session, subject: str) -> None:
    """Make other transactions on this subject wait for the end of this one; on SQLite `writing` does so anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:subject, 0))"), {"subject": subject})


def current_revision(engine: Engine) -> str | None:
    """The database's migration; None for an empty database. Raises TransientError when it cannot be reached."""
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except OperationalError as error:
        raise TransientError(
            f"the operations database {engine.url.render_as_string(hide_password=True)} cannot be reached",
            remedy="start it, or mend operations_url in uptake.yaml (or UPTAKE_OPERATIONS_URL).",
        ) from error


def migrate(engine: Engine) -> None:
    """Bring the database to `HEAD`. Safe when several processes start at once."""
    if current_revision(engine) == HEAD:
        return
    from alembic import command  # noqa: PLC0415 - heavy, and seldom needed
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util.exc import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise ConfigError(
                "the operations database was written by a newer Uptake than this one",
                remedy="install the newer version, or name another database in operations_url.",
            ) from error
