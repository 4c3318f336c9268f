"""Models built as dbt builds them, from the SQL that it compiled, without starting it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import closing
from datetime import date
from functools import cache
from pathlib import Path

import duckdb
from lake import DISTRICT, Lake

from uptake.warehouse.dbt import target_dir
from uptake.warehouse.engine import table_exists
from uptake.warehouse.prepare import finish, prepare

# All that the fact of use is made from.
USE = ("fct_student_tool_day", "int_person_seen_day")


class Warehouse:
    """`lake`, built by the SQL that was compiled for `built`. Incremental models keep dates that are not touched."""

    def __init__(self, lake: Lake, built: Lake, models: Sequence[str] = USE) -> None:
        self.lake = lake
        target = target_dir(built.project, DISTRICT)
        self._steps = _steps(target, built.project.warehouse(DISTRICT).stem, tuple(models))

    def build(self) -> set[date]:
        """Returns the dates that were made again."""
        work = prepare(self.lake.project, self.lake.district, models_signature="m")
        with closing(duckdb.connect(str(work.warehouse))) as connection:
            connection.execute("set TimeZone = 'UTC'")
            for kind, schema, name, sql in self._steps:
                table = f"{schema}.{name}"
                if kind == "incremental" and not work.full_refresh and table_exists(connection, schema, name):
                    connection.execute(f"create or replace temp table incoming as {sql}")
                    touched = "on_date in (select on_date from landing.touched_date)"
                    connection.execute(f"delete from {table} where {touched}")
                    connection.execute(f"insert into {table} by name from incoming")
                else:
                    form = "view" if kind == "view" else "table"
                    connection.execute(f"create or replace {form} {table} as {sql}")
        finish(work)
        return work.dates


@cache
def _steps(target: Path, built_as: str, models: tuple[str, ...]) -> list[tuple[str, str, str, str]]:
    """(materialisation, schema, name, SQL) of all that the models are made from, in order."""
    manifest = json.loads((target / "manifest.json").read_text())
    steps: dict[str, tuple[str, str, str, str]] = {}

    def add(unique_id: str) -> None:
        node = manifest["nodes"].get(unique_id)
        if node is None or unique_id in steps:
            return
        if node["resource_type"] == "seed":
            path = Path(node["root_path"]) / node["original_file_path"]
            steps[unique_id] = ("table", node["schema"], node["alias"], f"select * from read_csv('{path}')")
            return
        for parent in node["depends_on"]["nodes"]:
            add(parent)
        compiled = (target / "compiled" / "uptake" / node["original_file_path"]).read_text()
        sql = compiled.replace(f'"{built_as}".', "")
        steps[unique_id] = (node["config"]["materialized"], node["schema"], node["alias"], sql)

    for name in models:
        add(f"model.uptake.{name}")
    return list(steps.values())


def copied(district: Path, root: Path, built: Lake) -> Warehouse:
    """A copy of `district` at `root`."""
    shutil.copytree(district, root)
    return Warehouse(Lake.at(root), built)
