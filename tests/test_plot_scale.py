"""The drawing of docs/scale.md is of the numbers that lie beside it."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def script() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "scripts" / "plot_scale.py"))


def test_the_drawing_is_of_the_numbers(script: dict[str, Any]) -> None:
    assert script["TARGET"].read_text() == script["drawn"](script["read"](script["SOURCE"])), (
        "draw it again: python scripts/plot_scale.py"
    )


def test_a_value_stands_where_its_axis_says(script: dict[str, Any]) -> None:
    picture = script["Picture"]("Seconds", [script["Line"]("batch", "#0072B2", lambda row: row["batch"])])
    drawn = script["draw"](picture, [{"days": 0.0, "batch": 0.0}, {"days": 100.0, "batch": 50.0}])
    bottom, top = script["HEIGHT"] - script["MARGIN"], script["MARGIN"]
    half = bottom - (bottom - top) / 1.1  # the axis goes a tenth beyond the largest value
    assert f'points="48.0,{bottom:.1f} 328.0,{half:.1f}"' in drawn
