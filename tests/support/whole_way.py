"""A simulated district on its whole way, as the end-to-end tests drive it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
        published = self.project.published(DISTRICT)
        with read_snapshot_file(published / (published / "current").read_text().strip(), file) as connection:
            return connection.execute(query).fetchall()

    def contents(self) -> dict[str, list[tuple]]:
        """Every table of the leaders' snapshot, in an order of its own, but for the records of the runs themselves."""
        tables = [name for (name,) in self.rows("select table_name from duckdb_tables() order by 1")]
        records = {"mart_check_history", "mart_source_health", "mart_freshness", "mart_reconciliation"}
        return {name: self.rows(f"select * from {name} order by all") for name in tables if name not in records}
