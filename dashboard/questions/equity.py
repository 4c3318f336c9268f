"""Who is being left out?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from components import charts, columns, filters, frame, words
from components.frame import Context, Number
from components.table import Column, table
from queries import equity, summary
from queries.equity import ANY_TOOL

PAGE = "equity"
QUESTION = "Who is being left out?"
TABLES = ("mart_equity_gap",)
BANDS = "district_band"
WHOLE = "Whole district"
ONE_SIDED = 0.025  # the share of comparisons without a gap whose interval lies below zero all the same
MEASURES = {
    "consistent_use": "Kept using it",
    "adoption": "Used it at all",
    "pct_access": "Students on an average day",
    "engagement_index": "Page loads for 1,000 students a day",
}
DID = {"adoption": "used", "consistent_use": "kept using"}
DRAWN = 12


def main() -> None:
    context = frame.open_page(PAGE, QUESTION)
    choices = equity.choices(context.reader)
    if choices.empty:
        frame.answer(
            "No group can be compared yet.",
            "The sources bring no student groups, or no group is large enough to show.",
        )
        frame.next_steps(["Ask your data engineer which student groups the student information system may send."])
        return
    top = st.container()
    chosen, place, group = _choose(choices)
    rows = equity.gaps(context.reader, **chosen)
    every_tool = chosen["tool_key"] is None
    rows = rows.assign(
        group=[words.group(row.dimension, row.subgroup) for row in rows.itertuples()],
        tool=[_tool(row.tool_key, row.tool_name) for row in rows.itertuples()],
    )
    if group:
        rows = rows[rows["dimension"] == group]
    measure = Measure(chosen["basis"], chosen["metric"])
    shown = rows[rows["gap_points"].notna()]
    period = words.period(chosen["period"])
    with top:
        _answer(context, rows, shown, measure, period=period)
    frame.numbers(context, _numbers(context, rows, shown, measure, period=period))
    if not shown.empty:
        head = "The widest gaps" if len(shown) > DRAWN else "How far each group is from the others"
        st.subheader(f"{head}, {place}, {period}", anchor=False)
        charts.draw(
            charts.gaps,
            _drawn(shown.head(DRAWN), with_tool=every_tool),
            x_title=measure.axis,
            alt_text="Dot chart of the gap of each group with its 95% interval, the group furthest behind first",
        )
        st.caption(
            "The dot is the gap, the line its 95% interval. A line that crosses zero may be chance. Left of zero: the "
            "group is behind."
        )
        if measure.is_bands:
            st.caption(words.safe(frame.caution(context, "districts_reporting")))
    _hidden(context, rows)
    st.subheader("Every comparison, the group furthest behind first", anchor=False)
    table(context, PAGE, "equity", rows, _columns(context, measure, with_tool=every_tool))
    frame.next_steps(_steps(shown, measure))


class Measure:
    """How a gap of this measure is put into words: in points of a share, or in page loads."""

    def __init__(self, basis: str, metric: str) -> None:
        self.metric = metric
        self.is_bands = basis == BANDS
        self.is_share = metric != "engagement_index"
        self.people = "districts" if self.is_bands else "students"
        unit = "percentage points" if self.is_share else "page loads for 1,000 students a day"
        self.axis = f"Difference from the comparison group, {unit}"

    def rate(self, value: Any) -> str:
        if words.is_missing(value):
            return "hidden"
        if not self.is_share:
            return words.number(value, 0)
        return f"{value:.1f}%" if self.is_bands else words.percent(value)

    def size(self, value: Any) -> str:
        """How wide a gap is, whichever side it is on."""
        text = f"{abs(value):,.{1 if self.is_share and abs(value) < 10 else 0}f}"
        return f"{text} {('point' if text == '1.0' else 'points') if self.is_share else 'page loads'}"

    def gap(self, value: Any) -> str:
        if words.is_missing(value):
            return "hidden"
        return f"{self.size(value)} {'behind' if value < 0 else 'ahead'}"


def _choose(choices: pd.DataFrame) -> tuple[dict[str, Any], str, str]:
    """What to compare: the query's values, the place in words, the group's dimension or nothing."""
    places = choices.drop_duplicates(["org_level", "org_key"])
    periods = choices.groupby("metric")["period"].nunique().max() > 1
    is_bands = choices["basis"].iloc[0] == BANDS
    spots = iter(st.columns(4 + int(periods) - int(is_bands)))
    with next(spots):
        tools = choices.drop_duplicates("tool_key")
        options = {"": "Every tool"} | dict(zip(tools["tool_key"], tools["tool_name"], strict=True))
        tool = filters.choose("Tool", options, key="tool", default=ANY_TOOL if is_bands else "")
    left = choices[choices["tool_key"] == tool] if tool else choices
    with next(spots):
        metrics = {metric: words_ for metric, words_ in MEASURES.items() if metric in set(left["metric"])}
        metric = filters.choose("Measure", metrics, key="measure")
    left = left[left["metric"] == metric]
    period = str(left["period"].iloc[0])
    if periods:
        with next(spots):
            said = {code: words.plain(words.period(code).removeprefix("the ")) for code in left["period"].unique()}
            period = filters.choose("Period", said, key="period")
    with next(spots):
        dimensions = sorted(choices["dimension"].unique())
        names = {"": "Every group"} | {dimension: words.dimension(dimension) for dimension in dimensions}
        group = filters.choose("Which students" if not is_bands else "Which districts", names, key="group")
    options = {
        f"{row.org_level}/{row.org_key}": WHOLE if row.org_level == "district" else str(row.org_name)
        for row in places.itertuples()
    }
    where = next(iter(options))
    if not is_bands:
        with next(spots):
            where = filters.choose("Where", options, key="where")
    level, _, key = where.partition("/")
    chosen = {"basis": choices["basis"].iloc[0], "org_level": level, "org_key": key, "period": period,
              "tool_key": tool or None, "metric": metric}  # fmt: skip
    if is_bands:
        return chosen, "districts that report", group
    return chosen, "whole district" if level == "district" else options[where], group


def _tool(key: str, name: Any) -> str:
    return "any tool" if key == ANY_TOOL else str(name)


def _answer(context: Context, rows: pd.DataFrame, shown: pd.DataFrame, measure: Measure, *, period: str) -> None:
    hidden = len(rows) - len(shown)
    doubts = [_band_coverage(context)] if measure.is_bands else []
    chance = round(ONE_SIDED * len(shown))
    if chance:
        doubts.append(f"Of {len(shown)} comparisons about {chance} would look this clear by chance alone.")
    if hidden:
        doubts.append(f"{words.plural(hidden, 'comparison is', 'comparisons are')} too small to show.")
    doubt = " ".join(doubts)
    if shown.empty:
        frame.answer("No group is large enough to compare here.", doubt)
        return
    last = shown.iloc[0]
    interval = _interval(last, measure)
    if last["gap_points"] >= 0:
        frame.answer(f"No group that can be shown is behind the others in {period}.", doubt)
        return
    certain = "" if last["gap_ci_high"] < 0 else " This may be chance: the interval reaches zero."
    if measure.is_bands:
        frame.answer(
            f"{last['group']} are furthest behind: {measure.gap(last['gap_points'])} ({interval}), "
            f"{measure.rate(last['group_rate'])} against {measure.rate(last['reference_rate'])}.{certain}",
            doubt,
        )
        return
    frame.answer(
        f"{last['group']} are furthest behind: {measure.rate(last['group_rate'])} {DID.get(measure.metric, 'used')} "
        f"{last['tool']} in {period}, against {measure.rate(last['reference_rate'])} of the others, "
        f"{measure.gap(last['gap_points'])} ({interval}).{certain}",
        doubt,
    )


def _interval(row: pd.Series, measure: Measure) -> str:
    """95% interval: 21.6 to 32.8 behind. Ends on both sides of zero are said with their side."""
    low, high = row["gap_ci_low"], row["gap_ci_high"]
    if words.is_missing(low) or words.is_missing(high):
        return "no interval can be given"
    places = 1 if measure.is_share else 0
    if high < 0:
        return f"95% interval: {abs(high):,.{places}f} to {abs(low):,.{places}f} behind"
    if low > 0:
        return f"95% interval: {low:,.{places}f} to {high:,.{places}f} ahead"
    return f"95% interval: {abs(low):,.{places}f} behind to {high:,.{places}f} ahead"


def _band_coverage(context: Context) -> str:
    known = summary.band_coverage(context.reader)
    parts = [
        f"{words.count(row.districts_known)} of {words.count(row.districts_total)} districts say what share of their "
        f"students is {words.BAND_SHORT[str(row.group_dimension)]}"
        for row in known.itertuples()
        if str(row.group_dimension) in words.BAND_SHORT
    ]
    reporting, listed = summary.districts(context.reader)
    if listed > reporting:
        parts.append(f"{listed - reporting} of {listed} listed districts report nothing")
    return f"{'; '.join(parts)}." if parts else ""


def _numbers(
    context: Context, rows: pd.DataFrame, shown: pd.DataFrame, measure: Measure, *, period: str
) -> list[Number]:
    figures = []
    when = f"{period}, data through {context.through}"
    if not shown.empty:
        last = shown.iloc[0]
        figures += [
            Number("Widest gap", measure.size(last["gap_points"]),
                   f"{last['group']}, {last['tool']}; {_interval(last, measure)}",
                   "equity_gap", TABLES),
            Number("In that group", measure.rate(last["group_rate"]),
                   f"{words.count(last['group_n'])} {measure.people}, {when}", "adoption_rate", TABLES),
            Number("Of the others", measure.rate(last["reference_rate"]),
                   f"{words.count(last['reference_n'])} {measure.people}, {when}", "adoption_rate", TABLES),
        ]  # fmt: skip
    clear = int((shown["gap_ci_high"] < 0).sum())
    hidden = len(rows) - len(shown)
    figures += [
        Number("Clearly behind", words.of(clear, len(shown)), f"comparisons, {when}",
               "equity_gap", TABLES),
        Number("Not shown", words.of(hidden, len(rows)), "comparisons, to protect privacy",
               "equity_gap", TABLES),
    ]  # fmt: skip
    return figures


def _drawn(shown: pd.DataFrame, *, with_tool: bool) -> pd.DataFrame:
    crosses = (shown["gap_ci_low"] <= 0) & (shown["gap_ci_high"] >= 0)
    return pd.DataFrame(
        {
            "group": shown["group"] + ", " + shown["tool"] if with_tool else shown["group"],
            "gap": shown["gap_points"],
            "low": shown["gap_ci_low"],
            "high": shown["gap_ci_high"],
            "is_clear": crosses.map({True: "could be chance", False: "clear gap"}),
        }
    )


def _hidden(context: Context, rows: pd.DataFrame) -> None:
    hidden = rows[rows["gap_points"].isna()]
    if hidden.empty:
        return
    with st.expander(f"Why {words.plural(len(hidden), 'comparison is', 'comparisons are')} not shown", expanded=False):
        lines = [
            f"- {words.safe(words.why_hidden(reason, context.minimum_n))} "
            f"**{words.safe(words.listed(sorted(those['group'].unique()), limit=6))}**"
            for reason, those in hidden.groupby("suppression_reason")
        ]
        st.markdown("\n".join(lines))
        st.markdown(
            f"Figures of fewer than {context.minimum_n} people could point to one child. They are taken out before the "
            "data reaches this page, together with any figure from which they could be worked out. Hidden does not "
            "mean zero, and it does not mean that the group is doing well."
        )


def _columns(context: Context, measure: Measure, *, with_tool: bool) -> list[Column]:
    def people(value: Any, row: Mapping[str, Any]) -> str:
        return words.count(value) if not words.is_missing(value) else "hidden"

    def interval(value: Any, row: Mapping[str, Any]) -> str:
        return (
            "hidden" if words.is_missing(value) else _interval(pd.Series(row), measure).removeprefix("95% interval: ")
        )

    def ratio(value: Any, row: Mapping[str, Any]) -> str:
        if words.is_missing(value):
            return "hidden" if words.is_missing(row["gap_points"]) else "–"
        low, high = row["risk_ratio_ci_low"], row["risk_ratio_ci_high"]
        return f"{value:.2f}" if words.is_missing(low) else f"{value:.2f} ({low:.2f} to {high:.2f})"

    return [
        columns.name("group", "Group"),
        *([columns.name("tool", "Tool")] if with_tool else []),
        Column("group_n", measure.people.capitalize(), people, is_number=True),
        Column("group_rate", "Its share" if measure.is_share else "Its level",
               lambda value, row: measure.rate(value), is_number=True),
        Column("reference_n", f"Other {measure.people}", people, is_number=True),
        Column("reference_rate", "Their share" if measure.is_share else "Their level",
               lambda value, row: measure.rate(value), is_number=True),
        Column("gap_points", "Gap", lambda value, row: measure.gap(value), is_number=True),
        Column("gap_ci_low", "95% interval", interval, width=190),
        Column("risk_ratio", "Ratio (95% interval)", ratio,
               help="The group's share divided by the others' share; 1 means no difference."),
        columns.why(context),
    ]  # fmt: skip


def _steps(shown: pd.DataFrame, measure: Measure) -> list[str]:
    clear = shown[shown["gap_ci_high"] < 0]
    if clear.empty:
        return [
            "No gap is clear of chance here. Look at single tools and places above before you decide that all is well.",
            "A gap in use is a question, not a verdict: it says nothing yet about learning.",
        ]
    if measure.is_bands:
        return [
            f"Ask what keeps {words.in_sentence(clear['group'].iloc[0])} from use: devices, home internet, licenses "
            "or training.",
            "These are differences between districts; they say nothing of single students.",
        ]
    names = words.listed([words.in_sentence(name) for name in clear["group"].unique()[:2]])
    return [
        f"Ask the schools what stands in the way of {names}: an account, a device, home internet, language, "
        "accessibility, or time.",
        "Choose one school above to see where the gap is widest, then set a target and look again in four weeks.",
        "A gap in use is a question, not a verdict: it says nothing yet about learning.",
    ]


main()
