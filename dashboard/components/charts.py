"""Pictures. Okabe-Ito colours, which colour-blind readers can tell apart; intervals are drawn, hidden cells named."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

BLUE, VERMILLION, ORANGE, GREEN = "#0072B2", "#D55E00", "#E69F00", "#009E73"
PURPLE, SKY, BLACK, GREY, DIM = "#CC79A7", "#56B4E9", "#1B2733", "#C9D2DB", "#7C8894"
SERIES = [BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY, BLACK, "#7A6A00"]
INK = "#1B2733"
USED, NOT_USED, ESTIMATED = "Paid and used", "Paid and not used", "Paid and not used (estimate)"
HIDDEN = "Use not shown"
KEPT = 200  # pictures of some 20 kB
AXIS = alt.Axis(labelColor=INK, titleColor=INK, labelFontSize=13, titleFontSize=13, labelLimit=280, gridColor="#E6EBF0")


@st.cache_data(show_spinner=False, max_entries=KEPT, hash_funcs={FunctionType: lambda make: make.__qualname__})
def draw(make: Callable[..., Any], frame: pd.DataFrame, *, alt_text: str, **options: Any) -> None:
    """Show the picture that `make` gives of these rows.

    What is sent to the browser is kept: the same rows, whoever looks, are sent again without being drawn again. Altair
    checks each picture against its schema, which costs more than all else on a page, and does so one viewer at a time.
    """
    chart = make(frame, **options)
    st.altair_chart(chart.configure_view(strokeWidth=0).configure_axis(labelFlush=False), width="stretch", alt=alt_text)


def heat_map(
    frame: pd.DataFrame, *, row: str, column: str, rate: str, words: str, column_order: list[str]
) -> alt.LayerChart:
    """A share for each row and column; `words` is written in the cell, and is all that a hidden cell shows."""
    order = frame.groupby(row)[rate].max().sort_values(ascending=False, na_position="last").index.tolist()
    base = alt.Chart(frame).encode(
        x=alt.X(f"{column}:N", title=None, sort=column_order, axis=alt.Axis(
            orient="top", labelAngle=0, labelColor=INK, labelFontSize=13, labelLimit=170, domain=False,
            ticks=False, labelOverlap=False)),
        y=alt.Y(f"{row}:N", title=None, sort=order, axis=alt.Axis(
            labelColor=INK, labelFontSize=13, labelLimit=220, domain=False, ticks=False, labelOverlap=False)),
    )  # fmt: skip
    hidden = base.mark_rect(stroke="white", strokeWidth=2, color="#E4E7EB")
    cells = base.mark_rect(stroke="white", strokeWidth=2).encode(
        color=alt.Color(f"{rate}:Q", scale=alt.Scale(domain=[0, 1], range=["#EAF3FA", "#004B7A"]), legend=None),
        tooltip=[alt.Tooltip(f"{row}:N"), alt.Tooltip(f"{column}:N"), alt.Tooltip(f"{words}:N", title="Share")],
    )
    labels = base.mark_text(fontSize=13).encode(
        text=f"{words}:N", color=alt.condition(f"datum['{rate}'] > 0.5", alt.value("white"), alt.value(INK))
    )
    return (hidden + cells + labels).properties(height=38 * len(order) + 60)


def lines(frame: pd.DataFrame, *, y: str, series: str, y_title: str, is_share: bool, order: list[str]) -> alt.Chart:
    """One line a series over `week_start_on`; a hidden point breaks its line, it is not drawn at zero.

    Weeks are words, in order: a browser in another time zone would move a point to the day before.
    """
    shape = ".0%" if is_share else ",.1f"
    starts = pd.to_datetime(frame["week_start_on"])
    is_one_year = starts.max() - starts.min() < pd.Timedelta(days=360) if len(starts) else True
    said = {start: f"{start:%b} {start.day}" + ("" if is_one_year else f", {start.year}") for start in starts.unique()}
    frame = frame.assign(week=starts.map(said))
    weeks = [said[start] for start in sorted(said)]
    return (
        alt.Chart(frame)
        .mark_line(point=alt.OverlayMarkDef(size=45), strokeWidth=2.5)
        .encode(
            x=alt.X("week:O", title="Week of", sort=weeks, axis=alt.Axis(
                labelAngle=0, labelOverlap="greedy", labelSeparation=12, labelColor=INK, titleColor=INK,
                labelFontSize=13, titleFontSize=13)),
            y=alt.Y(f"{y}:Q", title=y_title, axis=alt.Axis(
                format=".0%" if is_share else ",.0f", labelColor=INK, titleColor=INK, labelFontSize=13,
                titleFontSize=13, gridColor="#E6EBF0"), scale=alt.Scale(domainMin=0)),
            color=alt.Color(f"{series}:N", title=None, sort=order, scale=alt.Scale(domain=order, range=SERIES),
                            legend=alt.Legend(orient="right", labelFontSize=13, labelColor=INK, labelLimit=220)),
            tooltip=[alt.Tooltip(f"{series}:N", title="What"), alt.Tooltip("week:O", title="Week of"),
                     alt.Tooltip(f"{y}:Q", title=y_title, format=shape)],
        )
        .properties(height=340)
    )  # fmt: skip


def gaps(frame: pd.DataFrame, *, x_title: str) -> alt.LayerChart:
    """Gap and interval for each group, furthest behind first; the zero line is the comparison group.

    Columns: group, gap, low, high, is_clear.
    """
    order = frame["group"].tolist()
    y = alt.Y("group:N", sort=order, title=None, axis=alt.Axis(
        labelColor=INK, labelFontSize=14, labelLimit=420, domain=False, ticks=False, labelOverlap=False))  # fmt: skip
    colour = alt.Color(
        "is_clear:N",
        scale=alt.Scale(domain=["clear gap", "could be chance"], range=[VERMILLION, BLUE]),
        legend=alt.Legend(title=None, orient="top", labelFontSize=13, labelColor=INK, symbolType="circle"),
    )
    zero = alt.Chart(pd.DataFrame({"x": [0]})).mark_rule(color=INK, strokeDash=[4, 3]).encode(x="x:Q")
    interval = alt.Chart(frame).mark_rule(strokeWidth=3).encode(
        x=alt.X("low:Q", title=x_title, axis=alt.Axis(
            tickCount=9, labelColor=INK, titleColor=INK, labelFontSize=13, titleFontSize=13, gridColor="#E6EBF0")),
        x2="high:Q", y=y, color=colour)  # fmt: skip
    dots = alt.Chart(frame).mark_point(size=150, filled=True, opacity=1).encode(
        x="gap:Q", y=y, color=colour, shape=alt.Shape("is_clear:N", legend=None, scale=alt.Scale(
            domain=["clear gap", "could be chance"], range=["circle", "diamond"])),
        tooltip=[alt.Tooltip("group:N", title="Group"), alt.Tooltip("gap:Q", title="Gap", format="+.1f"),
                 alt.Tooltip("low:Q", title="from", format="+.1f"), alt.Tooltip("high:Q", title="to", format="+.1f")],
    )  # fmt: skip
    return (zero + interval + dots).properties(height=48 * len(order) + 130)


def money_format(currency: str) -> str:
    """How an axis writes money: with the dollar's sign, or as plain amounts whose currency stands in the title."""
    return "$,.0f" if currency == "USD" else ",.0f"


def _in(currency: str) -> str:
    return "" if currency == "USD" else f", in {currency}"


def money_bars(frame: pd.DataFrame, *, currency: str) -> alt.Chart:
    """Cost of each contract, split into what was used and what was not. Columns: contract, part, amount, place.

    currency: of all amounts.
    """
    parts = [USED, NOT_USED, ESTIMATED, HIDDEN]
    order = frame.drop_duplicates("contract")["contract"].tolist()
    return (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            y=alt.Y("contract:N", sort=order, title=None, axis=alt.Axis(
                labelColor=INK, labelFontSize=14, labelLimit=260, domain=False, ticks=False, labelOverlap=False)),
            x=alt.X("amount:Q", title=f"Cost in the school year so far{_in(currency)}", axis=alt.Axis(
                format=money_format(currency), tickCount=6, labelColor=INK, titleColor=INK, labelFontSize=13,
                titleFontSize=13, gridColor="#E6EBF0")),
            color=alt.Color("part:N", sort=parts, scale=alt.Scale(domain=parts, range=[BLUE, VERMILLION, ORANGE, GREY]),
                            legend=alt.Legend(title=None, orient="top", labelFontSize=13, labelColor=INK,
                                              labelLimit=300)),
            order=alt.Order("place:Q"),
            tooltip=[alt.Tooltip("contract:N", title="Contract"), alt.Tooltip("part:N", title="Part"),
                     alt.Tooltip("amount:Q", title="Amount", format=money_format(currency))],
        )
        .properties(height=42 * len(order) + 130)
    )  # fmt: skip


def deadlines(frame: pd.DataFrame, *, today: Any, states: list[str]) -> alt.LayerChart:
    """When each contract must be decided. Columns: contract, decide_by, use (words), state, words.

    What is past has its words on the left of its point and what is ahead on the right, so none crosses today's line.
    """
    order = frame["contract"].tolist()
    now, at = pd.Timestamp(today), pd.to_datetime(frame["decide_by"])
    first, last = min(at.min(), now), max(at.max(), now)
    room = max((last - first) * 0.25, pd.Timedelta(days=14))  # for the words, on either side
    is_past = at < now
    y = alt.Y("contract:N", sort=order, title=None, axis=alt.Axis(
        labelColor=INK, labelFontSize=14, labelLimit=260, domain=False, ticks=False, labelOverlap=False))  # fmt: skip
    rule = alt.Chart(pd.DataFrame({"today": [now], "label": ["today"]}))
    line = rule.mark_rule(color=INK, strokeDash=[4, 3]).encode(x="today:T")
    name = rule.mark_text(align="left", dx=5, baseline="top", color=INK, fontSize=13).encode(
        x="today:T", y=alt.value(2), text="label")  # fmt: skip
    dots = alt.Chart(frame).mark_point(size=230, filled=True, opacity=1).encode(
        x=alt.X("decide_by:T", title="Decide by", scale=alt.Scale(domain=[
            (first - (room if is_past.any() else room / 6)).isoformat(),
            (last + (room if not is_past.all() else room / 2)).isoformat()]), axis=alt.Axis(
            format="%b %Y" if last - first > pd.Timedelta(days=150) else "%b %-d", tickCount=8, labelColor=INK,
            titleColor=INK, labelFontSize=13, titleFontSize=13)), y=y,
        color=alt.Color("state:N", scale=alt.Scale(
            domain=states, range=[VERMILLION, ORANGE, BLUE, DIM]), legend=alt.Legend(
            title=None, orient="top", labelFontSize=13, labelColor=INK)),
        shape=alt.Shape("state:N", legend=None, scale=alt.Scale(
            domain=states, range=["square", "triangle-up", "circle", "diamond"])),
        tooltip=[alt.Tooltip("contract:N", title="Contract"), alt.Tooltip("decide_by:T", title="Decide by"),
                 alt.Tooltip("words:N", title="Price"), alt.Tooltip("use:N", title="Use")],
    )  # fmt: skip
    labels = [
        alt.Chart(frame[side]).mark_text(align=align, dx=dx, color=INK, fontSize=13).encode(
            x="decide_by:T", y=y, text="words:N")
        for side, align, dx in ((is_past, "right", -14), (~is_past, "left", 14))
    ]  # fmt: skip
    return alt.layer(line, name, dots, *labels).properties(height=42 * len(order) + 130)


def check_runs(frame: pd.DataFrame) -> alt.Chart:
    """Checks by run. Columns: run (words), result, checks, place (order of the run)."""
    results = ["holds", "warning", "fails"]
    order = frame.sort_values("place")["run"].drop_duplicates().tolist()
    return (
        alt.Chart(frame)
        .mark_bar(size=26)
        .encode(
            x=alt.X("run:N", sort=order, title="Check run", axis=alt.Axis(
                labelAngle=-40, labelLimit=200, labelColor=INK, titleColor=INK, labelFontSize=12, titleFontSize=13)),
            y=alt.Y("checks:Q", title="Checks", axis=AXIS.copy()),
            color=alt.Color("result:N", sort=results, scale=alt.Scale(domain=results, range=[BLUE, ORANGE, VERMILLION]),
                            legend=alt.Legend(title=None, orient="top", labelFontSize=13, labelColor=INK)),
            tooltip=[alt.Tooltip("run:N", title="Run"), alt.Tooltip("result:N", title="Result"),
                     alt.Tooltip("checks:Q", title="Checks")],
        )
        .properties(height=340)
    )  # fmt: skip


def effects(frame: pd.DataFrame, *, useful: float) -> alt.LayerChart:
    """Difference and interval by this and by other ways, in percentile points; nil, and what would matter.

    Columns: way, at, low, high, kind (this study, another way, plain comparison). useful: least size worth having.
    """
    kinds = ["this study", "another way", "plain comparison, not to be trusted"]
    order = frame["way"].tolist()
    y = alt.Y("way:N", sort=order, title=None, axis=alt.Axis(
        labelColor=INK, labelFontSize=14, labelLimit=420, domain=False, ticks=False, labelOverlap=False))  # fmt: skip
    colour = alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=[VERMILLION, BLUE, DIM]), legend=alt.Legend(
        title=None, orient="top", labelFontSize=13, labelColor=INK, labelLimit=320, symbolType="circle"))  # fmt: skip
    band = alt.Chart(pd.DataFrame({"from": [-useful], "to": [useful]})).mark_rect(color=GREY, opacity=0.35).encode(
        x="from:Q", x2="to:Q")  # fmt: skip
    zero = alt.Chart(pd.DataFrame({"x": [0]})).mark_rule(color=INK, strokeDash=[4, 3]).encode(x="x:Q")
    interval = alt.Chart(frame).mark_rule(strokeWidth=3).encode(
        x=alt.X("low:Q", title="Percentile points (right of the line: students with the tool stand better)",
                axis=AXIS.copy()),
        x2="high:Q", y=y, color=colour)  # fmt: skip
    dots = alt.Chart(frame).mark_point(size=150, filled=True, opacity=1).encode(
        x="at:Q", y=y, color=colour, shape=alt.Shape("kind:N", legend=None, scale=alt.Scale(
            domain=kinds, range=["circle", "diamond", "square"])),
        tooltip=[alt.Tooltip("way:N", title="Way"), alt.Tooltip("at:Q", title="Difference", format="+.1f"),
                 alt.Tooltip("low:Q", title="from", format="+.1f"), alt.Tooltip("high:Q", title="to", format="+.1f")],
    )  # fmt: skip
    return (band + zero + interval + dots).properties(height=44 * len(order) + 130)


def likeness(frame: pd.DataFrame, *, good: float, most: float) -> alt.LayerChart:
    """Love plot: how far apart the groups were, before and in the analysis, in standard deviations.

    Columns: covariate, when (before, in the analysis), apart. good, most: limits, drawn as bands.
    """
    whens = ["before", "in the analysis"]
    order = frame["covariate"].drop_duplicates().tolist()
    bands = [
        alt.Chart(pd.DataFrame({"from": [-limit], "to": [limit]})).mark_rect(color=GREY, opacity=0.35).encode(
            x="from:Q", x2="to:Q")
        for limit in (most, good)
    ]  # fmt: skip
    dots = alt.Chart(frame).mark_point(size=130, opacity=1, strokeWidth=2.5).encode(
        x=alt.X("apart:Q", title="Difference with the tool, in standard deviations", axis=AXIS.copy()),
        y=alt.Y("covariate:N", sort=order, title=None, axis=alt.Axis(
            labelColor=INK, labelFontSize=14, labelLimit=320, domain=False, ticks=False, labelOverlap=False)),
        color=alt.Color("when:N", scale=alt.Scale(domain=whens, range=[ORANGE, BLUE]), legend=alt.Legend(
            title=None, orient="top", labelFontSize=13, labelColor=INK)),
        shape=alt.Shape("when:N", legend=None, scale=alt.Scale(domain=whens, range=["diamond", "circle"])),
        tooltip=[alt.Tooltip("covariate:N", title="What"), alt.Tooltip("when:N", title="When"),
                 alt.Tooltip("apart:Q", title="Apart", format="+.2f")],
    )  # fmt: skip
    zero = alt.Chart(pd.DataFrame({"x": [0]})).mark_rule(color=INK, strokeDash=[4, 3]).encode(x="x:Q")
    return alt.layer(*bands, zero, dots).properties(height=38 * len(order) + 120)


def dose(frame: pd.DataFrame, *, x_title: str) -> alt.LayerChart:
    """Parts of the users by amount of use, each beside those without. Columns: use (in order), effect, low, high."""
    order = frame["use"].tolist()
    x = alt.X("use:N", sort=order, title=x_title, axis=alt.Axis(
        labelAngle=0, labelColor=INK, titleColor=INK, labelFontSize=13, titleFontSize=13, labelLimit=200))  # fmt: skip
    zero = alt.Chart(pd.DataFrame({"y": [0]})).mark_rule(color=INK, strokeDash=[4, 3]).encode(y="y:Q")
    interval = alt.Chart(frame).mark_rule(strokeWidth=3, color=DIM).encode(
        x=x, y=alt.Y("low:Q", title="Difference, in the outcome's unit", axis=AXIS.copy()), y2="high:Q")  # fmt: skip
    dots = alt.Chart(frame).mark_point(size=150, filled=True, opacity=1, color=DIM).encode(
        x=x, y="effect:Q",
        tooltip=[alt.Tooltip("use:N", title="Use"), alt.Tooltip("effect:Q", title="Difference", format="+.3g"),
                 alt.Tooltip("low:Q", title="from", format="+.3g"), alt.Tooltip("high:Q", title="to", format="+.3g")],
    )  # fmt: skip
    return (zero + interval + dots).properties(height=300)


def cost_and_effect(frame: pd.DataFrame, *, currency: str, middle_cost: float | None) -> alt.LayerChart:
    """Cost for each user against effect, each with its interval: a cross, never a point alone.

    Columns: tool, cost_low, cost, cost_high, low, at, high (percentile points), kind, cost_words, effect_words.
    middle_cost: half of the tools cost less for each user.
    """
    kinds = ["clear gain", "could be nothing", "clear loss"]
    colour = alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=[GREEN, BLUE, VERMILLION]), legend=alt.Legend(
        title=None, orient="top", labelFontSize=13, labelColor=INK, labelLimit=300, symbolType="circle"))  # fmt: skip
    x = alt.X("cost_low:Q", title=f"Total cost for each user{_in(currency)} (to the right: dearer)", scale=alt.Scale(
        domainMin=0), axis=alt.Axis(format=money_format(currency), tickCount=6, labelColor=INK, titleColor=INK,
        labelFontSize=13, titleFontSize=13, gridColor="#E6EBF0"))  # fmt: skip
    y = alt.Y("low:Q", title="Effect in percentile points (up: better)", axis=AXIS.copy())
    zero = alt.Chart(pd.DataFrame({"y": [0]})).mark_rule(color=INK, strokeDash=[4, 3]).encode(y="y:Q")
    layers = [zero]
    if middle_cost is not None:
        middle = alt.Chart(pd.DataFrame({"x": [middle_cost], "label": ["half of the tools cost less"]}))
        layers.append(middle.mark_rule(color=DIM, strokeDash=[4, 3]).encode(x="x:Q"))
        layers.append(
            middle.mark_text(align="left", dx=5, baseline="top", color=INK, fontSize=12).encode(
                x="x:Q", y=alt.value(2), text="label"
            )
        )
    base = alt.Chart(frame)
    layers += [
        base.mark_rule(strokeWidth=3).encode(x=x, x2="cost_high:Q", y="at:Q", color=colour),
        base.mark_rule(strokeWidth=3).encode(x="cost:Q", y=y, y2="high:Q", color=colour),
        base.mark_point(size=150, filled=True, opacity=1).encode(
            x="cost:Q", y="at:Q", color=colour,
            shape=alt.Shape("kind:N", legend=None, scale=alt.Scale(
                domain=kinds, range=["circle", "diamond", "square"])),
            tooltip=[alt.Tooltip("tool:N", title="Tool"), alt.Tooltip("cost_words:N", title="Cost for each user"),
                     alt.Tooltip("effect_words:N", title="Percentile points")]),
        base.mark_text(align="left", baseline="bottom", dx=8, dy=-6, color=INK, fontSize=14).encode(
            x="cost:Q", y="at:Q", text="tool:N"),
    ]  # fmt: skip
    return alt.layer(*layers).properties(height=430)


def years_of_cost(frame: pd.DataFrame, *, currency: str) -> alt.LayerChart:
    """Cost of each budget year: what is signed and what would be renewed, with the ends of the sum.

    Columns: year (in order), part (signed, renewed), amount, place; low, high and words of the whole year.
    """
    parts = ["Signed", "If it is renewed"]
    order = frame["year"].drop_duplicates().tolist()
    x = alt.X("year:N", sort=order, title="Budget year", axis=alt.Axis(
        labelAngle=0, labelColor=INK, titleColor=INK, labelFontSize=13, titleFontSize=13))  # fmt: skip
    bars = alt.Chart(frame).mark_bar(size=70).encode(
        x=x,
        y=alt.Y("amount:Q", title=f"Total cost{_in(currency)}", axis=alt.Axis(
            format=money_format(currency), labelColor=INK, titleColor=INK, labelFontSize=13, titleFontSize=13,
            gridColor="#E6EBF0")),
        color=alt.Color("part:N", sort=parts, scale=alt.Scale(domain=parts, range=[BLUE, SKY]), legend=alt.Legend(
            title=None, orient="top", labelFontSize=13, labelColor=INK)),
        order=alt.Order("place:Q"),
        tooltip=[alt.Tooltip("year:N", title="Year"), alt.Tooltip("part:N", title="Part"),
                 alt.Tooltip("amount:Q", title="Likely", format=money_format(currency)),
                 alt.Tooltip("words:N", title="Whole year")])  # fmt: skip
    years = frame.drop_duplicates("year")
    ends = alt.Chart(years).mark_rule(strokeWidth=3, color=INK).encode(x=x, y="low:Q", y2="high:Q")
    labels = alt.Chart(years).mark_text(dy=-10, color=INK, fontSize=13).encode(x=x, y="high:Q", text="words:N")
    return (bars + ends + labels).properties(height=380)
