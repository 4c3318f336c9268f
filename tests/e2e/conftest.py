"""One simulated district, brought the whole way once for all tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from whole_way import WholeWay

from uptake.project import Project
from uptake.sandbox.running import running_sandbox

STUDENTS = 700  # enough that a grade is larger than the smallest group that may be shown


@pytest.fixture(scope="session")
def whole_way(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeWay]:
    folder = tmp_path_factory.mktemp("whole")
    with running_sandbox(state=folder / "sandbox", students=STUDENTS) as sandbox, pytest.MonkeyPatch.context() as patch:
        for name, value in sandbox.environment.items():
            patch.setenv(name, value)
        config = sandbox.write_config(folder / "uptake.yaml", state_dir=folder / "var", history_days=49)
        way = WholeWay(sandbox, Project.load(config), config)
        way.pull()
        way.build_check_publish()
        yield way
    assert "UPTAKE_SANDBOX_URL" not in os.environ
