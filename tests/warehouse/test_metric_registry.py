"""The registry of metric definitions: whole, shown by the pages, and the same in the documentation."""

from __future__ import annotations

import ast
import csv
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("metrics_page", ROOT / "scripts" / "metrics_page.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _registry() -> list[dict[str, str]]:
    with (ROOT / "dbt_project/seeds/metric_definition.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_page_is_made_from_the_registry(page: ModuleType) -> None:
    assert (ROOT / "docs/metrics.md").read_text(encoding="utf-8") == page.metrics_page(), (
        "run `python scripts/metrics_page.py`"
    )


def test_every_definition_is_whole() -> None:
    rows = _registry()
    for row in rows:
        assert all(text is not None and text == text.strip() and text for text in row.values()), row["metric"]
        assert row["definition"].endswith(".") and row["caution"].endswith("."), row["metric"]
    keys = [row["metric"] for row in rows]
    assert keys == sorted(set(keys))


def _metrics_of_numbers() -> Iterator[tuple[str, str]]:
    """The metric of every figure that a page shows: fourth argument of Number(...)."""
    for path in sorted((ROOT / "dashboard").glob("*/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Number":
                metric = node.args[3]
                assert isinstance(metric, ast.Constant), f"{path.name}, line {node.lineno}: name the metric"
                yield f"{path.name}, line {node.lineno}", str(metric.value)


def test_every_figure_of_a_page_opens_a_definition() -> None:
    asked = list(_metrics_of_numbers())
    known = {row["metric"] for row in _registry()}
    assert len(asked) > 15
    assert not [(place, metric) for place, metric in asked if metric not in known]
