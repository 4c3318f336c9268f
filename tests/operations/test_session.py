"""The operations database: the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import postgres
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import StatementError

from uptake.errors import ConfigError, TransientError
from uptake.operations import migrations
from uptake.operations.models import AccessLog, Base, Pull
from uptake.operations.session import current_revision, make_engine, open_engine, reading, writing


@pytest.fixture
def engine(operations_url: str) -> Engine:
    return open_engine(operations_url)


def _pull(**changes: object) -> Pull:
    moment = datetime(2026, 4, 14, 12, 30, 15, 123456, tzinfo=UTC)
    values = {"district": "d", "source": "s", "resource": "r", "run_id": "run", "mode": "full", "status": "running"}
    return Pull(**(values | {"until": moment, "started_at": moment} | changes))


def test_opening_migrates_to_what_the_models_say(engine: Engine) -> None:
    assert current_revision(engine) == migrations.HEAD
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_head_is_the_newest_migration() -> None:
    folder = Path(migrations.__file__).parent
    assert ScriptDirectory(str(folder)).get_current_head() == migrations.HEAD


def test_opening_twice_keeps_what_is_there(operations_url: str) -> None:
    with writing(open_engine(operations_url)) as session:
        session.add(_pull())
    with reading(open_engine(operations_url)) as session:
        assert session.scalar(select(func.count()).select_from(Pull)) == 1


def test_many_processes_may_open_an_empty_database_at_once(operations_url: str) -> None:
    failures: list[Exception] = []

    def opens() -> None:
        try:
            open_engine(operations_url).dispose()
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            failures.append(error)

    threads = [threading.Thread(target=opens) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert current_revision(make_engine(operations_url)) == migrations.HEAD


def test_another_that_writes_a_new_sqlite_file_is_waited_for(tmp_path: Path) -> None:
    writer = sqlite3.connect(tmp_path / "uptake.db", check_same_thread=False, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, writer.close)
    release.start()
    engine = open_engine(f"sqlite:///{tmp_path / 'uptake.db'}")
    release.join()
    with reading(engine) as session:
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"


def test_a_database_of_a_newer_version_is_refused(engine: Engine, operations_url: str) -> None:
    with writing(engine) as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match="newer Uptake"):
        open_engine(operations_url)


def test_times_come_back_in_utc(engine: Engine) -> None:
    eastern = datetime(2026, 4, 14, 8, 30, tzinfo=timezone(-timedelta(hours=4)))
    with writing(engine) as session:
        session.add(_pull(started_at=eastern))
    with reading(engine) as session:
        found = session.scalars(select(Pull)).one()
    assert found.started_at == eastern
    assert found.started_at.tzinfo is UTC
    assert found.until.microsecond == 123456


def test_a_naive_time_is_refused(engine: Engine) -> None:
    with pytest.raises(StatementError, match="naive time"), writing(engine) as session:
        session.add(_pull(started_at=datetime(2026, 4, 14)))


def test_a_failed_transaction_leaves_nothing(engine: Engine) -> None:
    with pytest.raises(RuntimeError), writing(engine) as session:
        session.add(_pull())
        session.flush()
        raise RuntimeError
    with reading(engine) as session:
        assert session.scalars(select(Pull)).all() == []


def test_writers_that_read_first_wait_for_each_other(engine: Engine) -> None:
    """Each adds one to a number that it read: a lost update or a lock error would show in the sum."""
    with writing(engine) as session:
        session.add(_log(details={"number": 0}))

    def adds() -> None:
        for _ in range(20):
            with writing(engine) as session:
                row = session.scalars(select(AccessLog).with_for_update()).one()
                assert row.details is not None
                number = row.details["number"]
                assert isinstance(number, int)
                row.details = {"number": number + 1}

    threads = [threading.Thread(target=adds) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(engine) as session:
        assert session.scalars(select(AccessLog)).one().details == {"number": 80}


def _log(**changes: object) -> AccessLog:
    values = {"at": datetime.now(UTC), "district": "d", "viewer": "v", "role": "leader", "page": "home"}
    return AccessLog(**(values | {"action": "view", "previous_hash": "", "row_hash": "h"} | changes))


def test_a_reader_does_not_wait_for_a_writer(engine: Engine) -> None:
    with writing(engine) as session:
        session.add(_pull())
        session.flush()
        with reading(engine) as other:
            assert other.scalars(select(Pull)).all() == []


def test_a_server_that_is_away_is_worth_a_retry_and_its_password_is_not_shown() -> None:
    with pytest.raises(TransientError) as caught:
        open_engine("postgresql+psycopg2://uptake:hush@127.0.0.1:1/uptake")
    assert "cannot be reached" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_the_sqlite_folder_is_private(tmp_path: Path) -> None:
    open_engine(f"sqlite:///{tmp_path / 'state' / 'uptake.db'}")
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0


def test_the_newest_server_of_any_version_is_found(tmp_path: Path) -> None:
    """CI installs whatever version Debian has; a test that finds none would be left out without a word."""
    assert postgres.binaries(tmp_path) is None
    for version in ("9.6", "15", "17"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "initdb").touch()
    assert postgres.binaries(tmp_path) == tmp_path / "17" / "bin"
