"""Who saw what: a chain in which nothing can be changed, taken out or slipped in without a trace."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.exc import OperationalError

from access_log import FIRST, first_broken_row, record_look
from uptake.operations.models import AccessLog
from uptake.operations.session import open_engine
from viewer import Viewer

VIEWER = Viewer("head@example.org", "principal", districts=("testville",), schools=("sch-1",))


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return open_engine(f"sqlite:///{tmp_path / 'operations.db'}")


def look(engine: Engine, page: str = "equity") -> str:
    return record_look(engine, VIEWER, district="testville", page=page, action="view", details={"tool": "ä", "n": 1})


def test_each_row_covers_the_one_before(engine: Engine) -> None:
    first, second = look(engine), look(engine, "value")
    with engine.connect() as connection:
        rows = connection.execute(select(AccessLog.previous_hash, AccessLog.row_hash).order_by(AccessLog.id)).all()
    assert rows == [(FIRST, first), (first, second)]
    assert first_broken_row(engine) is None


@pytest.mark.parametrize(
    "tamper",
    [
        update(AccessLog).where(AccessLog.id == 2).values(viewer="someone@example.org"),
        update(AccessLog).where(AccessLog.id == 2).values(details={"n": 2}),
        update(AccessLog).where(AccessLog.id == 2).values(row_hash="0" * 64),
    ],
)
def test_a_change_breaks_the_chain_where_it_was_made(engine: Engine, tamper: object) -> None:
    for _ in range(4):
        look(engine)
    with engine.begin() as connection:
        connection.execute(tamper)  # type: ignore[call-overload]
    assert first_broken_row(engine) == 2


def test_a_row_taken_out_breaks_the_chain(engine: Engine) -> None:
    for _ in range(4):
        look(engine)
    with engine.begin() as connection:
        connection.execute(delete(AccessLog).where(AccessLog.id == 2))
    assert first_broken_row(engine) == 3


def test_many_at_once_still_make_one_chain(engine: Engine) -> None:
    with ThreadPoolExecutor(6) as pool:
        hashes = list(pool.map(lambda _: look(engine), range(30)))
    assert len(set(hashes)) == 30
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(AccessLog)) == 30
    assert first_broken_row(engine) is None


def test_a_look_that_cannot_be_written_is_an_error(engine: Engine) -> None:
    AccessLog.__table__.drop(engine)  # type: ignore[attr-defined]
    with pytest.raises(OperationalError):
        look(engine)
