from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer

sys.path.insert(0, str(Path(__file__).parent / "support"))

import made_once
import postgres
import ready
import workers

for variable in ("UPTAKE_CONFIG", "UPTAKE_OPERATIONS_URL"):
    os.environ.pop(variable, None)

# The libraries that tests import stay: to look through them for garbage so often takes a tenth of the suite's time.
gc.set_threshold(50_000, 20, 20)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: workers.turn(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> workers.FilesOfOneKind:
    return workers.FilesOfOneKind(config, log)


@pytest.fixture(scope="session", autouse=True)
def started_ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        parses = made_once.run_folder(tmp_path_factory) / "parses"
        parses.mkdir(exist_ok=True)
        ready.use(patch, parses)
        yield


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    if postgres.binaries() is None:
        pytest.skip(postgres.INSTALL)
    with postgres.server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def operations_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An operations database that does not exist yet (SQLite) or is empty (PostgreSQL): tests run on both."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'operations' / 'uptake.db'}"
    return postgres.new_database(request.getfixturevalue("postgres_server"))
