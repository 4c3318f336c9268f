"""One simulated district, brought the whole way once for all tests of this folder: pulled, built, checked, published."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from uptake import pipeline
from uptake.project import Project
from uptake.sandbox.running import RunningSandbox, running_sandbox

STUDENTS = 700  # enough that a grade is larger than the smallest group that may be shown
DISTRICT = "riverbend"
SOURCES = ("sis", "lms", "filter", "registers")


@dataclass
class WholeWay:
    sandbox: RunningSandbox
    project: Project
    config: Path

    def pull(self, *sources: str, full: bool = False) -> None:
        for source in sources or SOURCES:
            pipeline.pull(self.project, DISTRICT, source, full=full)

    def build_check_publish(self) -> None:
        pipeline.build(self.project, DISTRICT)
        pipeline.check(self.project, DISTRICT)
        pipeline.publish(self.project, DISTRICT)

    def rows(self, query: str, file: str = "leaders.duckdb") -> list[tuple]:
        """From the published snapshot."""
        published = self.project.published(DISTRICT)
        path = published / (published / "current").read_text().strip() / file
        with duckdb.connect(str(path), read_only=True) as connection:
            return connection.execute(query).fetchall()

    def contents(self) -> dict[str, list[tuple]]:
        """Every table of the leaders' snapshot, in an order of its own, but for the records of the runs themselves."""
        tables = [name for (name,) in self.rows("select table_name from duckdb_tables() order by 1")]
        records = {"mart_check_history", "mart_source_health", "mart_reconciliation"}
        return {name: self.rows(f"select * from {name} order by all") for name in tables if name not in records}


@pytest.fixture(scope="session")
def whole_way(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeWay]:
    folder = tmp_path_factory.mktemp("whole")
    with running_sandbox(state=folder / "sandbox", students=STUDENTS) as sandbox, pytest.MonkeyPatch.context() as patch:
        for name, value in sandbox.environment.items():
            patch.setenv(name, value)
        config = sandbox.write_config(folder / "uptake.yaml", state_dir=folder / "var", history_days=63)
        way = WholeWay(sandbox, Project.load(config), config)
        way.pull()
        way.build_check_publish()
        yield way
    assert "UPTAKE_SANDBOX_URL" not in os.environ
