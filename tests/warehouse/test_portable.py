"""What only one engine understands stands in macros/engine.sql: another engine overrides that file and no model.

The names are those that a translator from DuckDB to Spark and Trino (sqlglot 30) passes on unchanged, of the compiled
models; everything else in them it translates.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"
ENGINE = PROJECT / "macros" / "engine.sql"
UNTRANSLATED = ("timezone", "date_part", "list_extract", "list_slice", "epoch_us", "hash", "date_sub", "list_intersect")
CALL = re.compile(rf"(?<![{{\w] )(?<!\w)({'|'.join(UNTRANSLATED)})\(")
SQL = [path for part in ("models", "macros", "tests") for path in sorted((PROJECT / part).rglob("*.sql"))]


def calls(path: Path) -> list[str]:
    text = re.sub(r"{#.*?#}", "", path.read_text(), flags=re.S)
    return CALL.findall(re.sub(r"--.*", "", text))


def test_the_rule_sees_what_it_forbids() -> None:
    assert set(calls(ENGINE)) == set(UNTRANSLATED)


@pytest.mark.parametrize("path", [path for path in SQL if path != ENGINE], ids=lambda path: path.stem)
def test_no_other_file_calls_what_only_this_engine_has(path: Path) -> None:
    assert calls(path) == [], f"give it a macro in {ENGINE.name}"
