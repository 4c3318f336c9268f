"""A simulated district on its whole way, as the end-to-end tests drive it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from uptake import pipeline
from uptake.project import Project
from uptake.sandbox.running import RunningSandbox
from uptake.warehouse.partitions import read_snapshot_file

DISTRICT = "riverbend"
SOURCES = ("sis", "lms", "filter", "labbench", "registers")


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
        with self._published(file) as connection:
            return connection.execute(query).fetchall()

    def contents(self) -> dict[str, list[tuple]]:
        """Every table of the leaders' snapshot, in an order of its own, but for the records of the runs themselves."""
        records = {"mart_check_history", "mart_source_health", "mart_freshness", "mart_reconciliation"}
        with self._published("leaders.duckdb") as connection:
            tables = connection.execute("select table_name from duckdb_tables() order by 1").fetchall()
            return {
                name: connection.execute(f"select * from {name} order by all").fetchall()
                for (name,) in tables
                if name not in records
            }

    def _published(self, file: str) -> duckdb.DuckDBPyConnection:
        published = self.project.published(DISTRICT)
        return read_snapshot_file(published / (published / "current").read_text().strip(), file)
