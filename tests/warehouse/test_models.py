"""What is written beside the models: of each, what a row is, its key and owner; of a mart, what its readers need."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from lake import Lake

from uptake.warehouse.dbt import BuildSummary

PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"
MARTS = PROJECT / "models" / "marts"
# Keys that no build checks: the history's is before each publication (expectations/marts.py); the summary's 13 million
# rows are counted in tests/examples, and its staging keeps one row of each key.
TESTED_ELSEWHERE = {"mart_check_history", "fct_tool_usage_summary"}
RESOLVED = ("What is this test?", "When is it important to resolve?", "How to resolve?")


@cache
def described() -> dict[str, dict[str, Any]]:
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in (PROJECT / "models").rglob("*.yml")]
    return {model["name"]: model for file in files for model in file.get("models") or []}


def meta(name: str) -> dict[str, Any]:
    return dict(described()[name].get("config", {}).get("meta", {}))


def models(folder: Path = PROJECT / "models") -> dict[str, str]:
    return {path.stem: path.read_text(encoding="utf-8") for path in folder.rglob("*.sql")}


def marts() -> list[str]:
    return sorted(name for name in models(MARTS) if not name.startswith("int_"))


def test_every_model_says_what_a_row_is_and_whose_it_is() -> None:
    assert set(described()) == set(models())
    for name in models():
        assert described()[name].get("description", "").strip().endswith("."), name
        assert meta(name).get("owner") and meta(name).get("grain"), name
        assert isinstance(meta(name).get("key"), list), f"{name}: write `key: []` where rows have none"


@pytest.mark.parametrize("name", marts())
def test_a_mart_has_all_that_its_readers_need(name: str) -> None:
    columns = {column["name"]: column for column in described()[name]["columns"]}
    assert meta(name)["sources"] and f".{name}" in meta(name)["example"]
    assert set(meta(name)["key"]) <= set(columns) and meta(name)["key"]
    for column in columns.values():
        assert column.get("data_type") and column.get("description"), column["name"]
    assert 'contract={"enforced": false}' not in models(MARTS)[name]
    assert meta(name).get("checks_key", False) == (name not in TESTED_ELSEWHERE)


def test_every_test_says_what_it_is_when_it_matters_and_how_to_resolve_it() -> None:
    singular = [path for path in (PROJECT / "tests").rglob("*.sql") if path.parent.name != "generic"]
    assert len(singular) > 8
    for path in singular:
        text = path.read_text(encoding="utf-8")
        for heading in RESOLVED:
            assert re.search(rf"^-- {re.escape(heading)}\n--   \S", text, re.M), f"{path.name}: {heading}"


def test_every_key_is_a_key(built: tuple[Lake, BuildSummary]) -> None:
    """Also of the models that no build checks again and again."""
    lake, _ = built
    found = lake.query("select table_schema, table_name from information_schema.tables where table_catalog <> 'temp'")
    schemas = {name: schema for schema, name in found}
    wrong, rows = [], 0
    with lake.reading() as connection:
        for name in models():
            if not meta(name)["key"] or name not in schemas:
                continue
            key = ", ".join(meta(name)["key"])
            counts = f"select count(*), count(distinct row({key})) from {schemas[name]}.{name}"
            ((count, different),) = connection.execute(counts).fetchall()
            rows += count
            if count != different:
                wrong.append(name)
    assert wrong == [] and rows > 1000
