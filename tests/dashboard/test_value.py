"""The views of the Value page: cost against effect, renewals, and what keeping everything will cost."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import make_snapshot
import pytest
from conftest import FIRST, said
from streamlit.testing.v1 import AppTest
from test_pages import _arrow_rows

Visit = Callable[..., AppTest]
VIEWS = ("Paid and used", "Cost and effect", "Renewals", "Next three years")


def rows_of(app: AppTest) -> dict[str, dict[str, str]]:
    """The page's table by tool, cells without the blanks that sort them."""
    table = app.dataframe[0].value.map(str.strip)
    return {row["Tool"]: row for row in table.to_dict("records")}


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_at_its_address_and_has_the_anatomy(look: Visit, view: str) -> None:
    app = look("value", see=view)
    assert not app.exception
    assert 1 <= len(app.metric) <= 5
    assert len(app.get("vega_lite_chart")) == len(app.dataframe) == 1
    assert "What to do next" in said(app) and said(app).count("**Data through**") >= len(app.metric)


def test_a_tool_is_a_cross_of_two_intervals_or_it_is_not_drawn(look: Visit) -> None:
    app = look("value", see="Cost and effect")
    (chart,) = app.get("vega_lite_chart")
    drawn = {row["tool"]: row for row in _arrow_rows(chart.proto) if "tool" in row}
    assert set(drawn) == {"ReadWell", "MathPath"}, "neither without a study, nor where the study cannot tell"
    for row in drawn.values():
        assert row["low"] < row["at"] < row["high"] and 0 < row["cost_low"] < row["cost"] < row["cost_high"]
    assert (drawn["ReadWell"]["kind"], drawn["MathPath"]["kind"]) == ("clear gain", "could be nothing")
    text = said(app).replace("\\", "")
    assert "**Canvas**: its study did not pass its checks" in text
    assert "**PhonicsPath**: no study of it has run" in text
    assert "Plan a study of ScienceLab first" in text, "a tool that nobody uses needs no study"
    assert "Of 5 tools that we pay for, 2 have a study that can tell what it does for results" in text
    assert "ReadWell clearly brings a gain" in text and "4.0 to +11.8 percentile points" in text


def test_what_a_gain_costs_has_two_ends_or_is_not_told(look: Visit) -> None:
    app = look("value", see="Cost and effect")
    rows = rows_of(app)
    assert rows["ReadWell"]["Cost of a gain"] == "$5.91 to $17.95"
    assert rows["MathPath"]["Cost of a gain"] == "no: the gain may be nothing"
    assert rows["Canvas"]["Effect, percentile points"] == "not known"
    assert [metric.value for metric in app.metric if metric.label.startswith("A gain")] == ["$6 to $18"]
    assert rows["MathPath"]["Total cost so far"] == "$35,500 to $40,500"
    assert (rows["MathPath"]["Training"], rows["Canvas"]["Training"]) == ("$6,000", "–")


def test_nothing_is_divided_by_users_who_are_hidden(look: Visit) -> None:
    for view in ("Paid and used", "Cost and effect"):
        rows = rows_of(look("value", see=view))
        for label in ("Cost per user", "Cost per hour of use"):
            assert not re.search(r"\d", rows["ScienceLab"][label]), "fewer than 10 students used it"
            assert rows["PhonicsPath"][label] == "no use"
            assert rows["ReadWell"][label].startswith("$")


def test_a_renewal_says_what_happens_and_who_says_when(look: Visit) -> None:
    app = look("value", see="Renewals")
    table = app.dataframe[0].value
    assert table["Tool"].tolist() == ["MathPath", "PhonicsPath", "ReadWell", "Canvas", "ScienceLab"]
    rows = rows_of(app)
    assert rows["MathPath"]["Decide by"] == "Mar 30, 2026 (past)"
    assert rows["MathPath"]["If nobody decides"] == "It renews by itself"
    assert rows["MathPath"]["Notice"] == "60 days, by the contract"
    assert rows["ReadWell"]["If nobody decides"] == "It ends on Jun 30, 2026"
    assert rows["Canvas"]["If nobody decides"] == "Not known: read the contract"
    assert rows["Canvas"]["Notice"] == "60 days, the district's own rule"
    text = said(app).replace("\\", "")
    assert "The next decision is PhonicsPath ($18,000), by Apr 16, 2026: whether it renews by itself" in text
    assert "MathPath renews by itself: ask the vendor today" in text
    assert {metric.label: metric.value for metric in app.metric}["Renew by themselves"] == "1 of 5"


def test_the_forecast_has_ends_and_says_what_is_signed(look: Visit) -> None:
    app = look("value", see="Next three years")
    figures = {metric.label: metric.value for metric in app.metric}
    assert figures["In 2026-27"] == "$163,770"
    assert figures["Signed already"] == "0%"
    assert "$159,000 to $170,130" in said(app).replace("\\", "")
    (chart,) = app.get("vega_lite_chart")
    years = {row["year"]: row for row in _arrow_rows(chart.proto) if row.get("part") == "If it is renewed"}
    assert list(years) == ["2025-26", "2026-27", "2027-28", "2028-29"]
    assert years["2025-26"]["amount"] == 0
    assert all(row["low"] <= row["amount"] <= row["high"] for name, row in years.items() if name != "2025-26")
    assert rows_of(app)["Canvas"]["2026-27"] == "$60,000 to $64,200"


def test_amounts_in_two_currencies_are_never_added(
    installation: Path, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    dollars = make_snapshot.value_rows

    def some_canadian(through: Any) -> list[dict[str, Any]]:
        return [row | ({"currency": "CAD"} if row["tool_key"] == "canvas" else {}) for row in dollars(through)]

    monkeypatch.setattr(make_snapshot, "value_rows", some_canadian)
    make_snapshot.publish(installation, FIRST)
    app = visit("value")
    assert app.selectbox(key="currency").value == "USD"
    assert "Canvas" not in rows_of(app) and "of the $74,250 spent so far" in said(app).replace("\\", "")
    app.selectbox(key="currency").set_value("CAD").run()
    assert list(rows_of(app)) == ["Canvas"] and "of the CAD 45,000 spent so far" in said(app)
    home = said(visit()).replace("\\", "")
    assert "$90,000 need a decision" in home
