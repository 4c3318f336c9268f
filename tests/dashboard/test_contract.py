"""The snapshot of these tests is typed as the marts are: a renamed column breaks here, and not on a page."""

from __future__ import annotations

import re
from functools import cache

import make_snapshot
import pytest
import yaml
from conftest import ROOT

SAME = {"timestamp with time zone": "timestamptz", "boolean": "bool", "decimal(18, 2)": "decimal(18,2)"}


@cache
def declared() -> dict[str, dict[str, str]]:
    """Columns and types of every model and seed of the warehouse that has a contract."""
    tables: dict[str, dict[str, str]] = {}
    for folder in ("models/marts", "seeds"):
        for file in (ROOT / "dbt_project" / folder).rglob("*.yml"):
            content = yaml.safe_load(file.read_text(encoding="utf-8"))
            for model in [*content.get("models", []), *content.get("seeds", [])]:
                columns = model.get("columns", [])
                tables[model["name"]] = {
                    column["name"]: _type(column.get("data_type", "varchar")) for column in columns
                }
    return tables


def _type(name: str) -> str:
    name = name.lower().strip()
    return SAME.get(name, name)


def used(table: str) -> dict[str, str]:
    found = re.findall(r"(\w+)\s+([A-Z]+(?:\(\d+,\s*\d+\))?)", make_snapshot.TABLES[table])
    return {name: _type(kind.lower()) for name, kind in found}


@pytest.mark.parametrize("table", sorted(make_snapshot.TABLES))
def test_each_column_is_one_of_the_mart_with_its_type(table: str) -> None:
    mart = declared()[table]
    wanted = used(table)
    assert wanted
    assert {name: mart.get(name) for name in wanted} == wanted
