"""What tools cost, all ingredients together, beside what their studies found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from components import charts, columns, frame, words
from components.frame import Context, Number
from components.table import Column, table
from queries import value

COST, EFFECT = ("mart_tool_cost",), ("mart_cost_effectiveness",)
INGREDIENTS = {
    "licence": "Licenses",
    "training": "Training",
    "support": "Support",
    "devices": "Devices",
    "staff_time": "Staff time",
    "other": "Other",
}
GAIN, NOTHING, LOSS = "clear gain", "could be nothing", "clear loss"
NO_EFFECT = {
    "claims_no_cause": "its study describes users and claims no cause",
    "study_cannot_tell": "its study did not pass its checks",
}
NO_COST = {
    "no_cost": "no cost is known",
    "several_currencies": "its cost is in several currencies",
    "cost_per_user_not_known": "its users cannot be shown, so no cost for each",
    "study_of_another_year": "its study is of another school year than the cost",
}
NO_PRICE = {
    "interval_spans_zero": "no: the gain may be nothing",
    "harm": "no: users did worse",
    **dict.fromkeys((*NO_EFFECT, *NO_COST), "no"),
}


def show(context: Context, top: Any, *, currency: str) -> None:
    """top: container above the choices, for the answer."""
    costs = value.tool_costs(context.reader)
    costs = costs[costs["currency"] == currency]
    if costs.empty:
        with top:
            frame.answer("Nothing is known of what the tools cost.")
        return
    tools = _tools(costs, value.effects(context.reader))
    drawn = tools[tools["is_drawn"]]
    with top:
        _answer(tools, drawn, currency)
    frame.numbers(context, _numbers(context, costs, tools, currency))
    left, right = st.columns([2, 1], gap="large")
    with left:
        st.subheader("Cost for each user, and what the tool did for results", anchor=False)
        _picture(drawn, tools, currency)
    with right:
        st.subheader("Not drawn, because too little is known", anchor=False)
        missing = tools[~tools["is_drawn"]]
        st.markdown(
            "\n".join(f"- **{words.safe(row['tool_name'])}**: {words.safe(row['why'])}" for row in _records(missing))
            or "Every tool is drawn."
        )
    st.caption(
        words.safe(
            "Each cross is one tool: its width is what it may have cost for each user so far this school year, its "
            "height what its study allows for the effect. Cost and users are of the whole district, the effect is of "
            "the study's students. A tool whose cross touches the dashed line may have done "
            "nothing, and of tools that do nothing about 1 in 40 looks like a clear gain by chance."
        )
    )
    st.subheader("Every tool: all that it cost so far, and for each user and hour", anchor=False)
    table(context, "value", "cost-and-effect", tools, _columns(costs))
    frame.next_steps(_steps(tools, drawn, currency))


def _records(rows: pd.DataFrame) -> list[dict[Any, Any]]:
    return rows.to_dict("records")


def _tools(costs: pd.DataFrame, effects: pd.DataFrame) -> pd.DataFrame:
    """One row a tool: cost, ingredients, effect in percentile points; `is_drawn`, and else why not."""
    tools = costs[costs["ingredient"] == "all"].rename(columns={"undefined_reason": "no_users_reason"})
    parts = costs[costs["ingredient"] != "all"].pivot_table(
        index="tool_name", columns="ingredient", values="cost_likely", aggfunc="sum"
    )
    tools = tools.merge(parts, left_on="tool_name", right_index=True, how="left")
    found = effects[
        ["tool_key", "g", "g_low", "g_high", "confidence", "undefined_reason", "cost_per_tenth_low",
         "cost_per_tenth_likely", "cost_per_tenth_high"]
    ]  # fmt: skip
    tools = tools.merge(found[found["tool_key"].notna()], on="tool_key", how="left")
    for end, column in (("at", "g"), ("low", "g_low"), ("high", "g_high")):
        tools[end] = [None if words.is_missing(g) else words.percentile_points(g) for g in tools[column]]
    tools["kind"] = [_kind(row) for row in _records(tools)]
    tools["why"] = [_why(row) for row in _records(tools)]
    tools["is_drawn"] = [not why for why in tools["why"]]
    return tools


def _kind(row: Mapping[Any, Any]) -> str | None:
    if words.is_missing(row["low"]):
        return None
    return GAIN if row["low"] > 0 else LOSS if row["high"] < 0 else NOTHING


def _why(row: Mapping[Any, Any]) -> str:
    """Why a tool is not drawn; empty where it is."""
    if words.is_missing(row["tool_key"]):
        return "its name in the register is not in the tool catalogue"
    if words.is_missing(row["confidence"]):
        return "no study of it has run"
    reason = row["undefined_reason"]
    if reason in NO_EFFECT or reason in NO_COST:
        return NO_EFFECT.get(reason) or NO_COST[reason]
    return ""


def _answer(tools: pd.DataFrame, drawn: pd.DataFrame, currency: str) -> None:
    gains = drawn[drawn["kind"] == GAIN].sort_values("cost_per_tenth_high")
    known = f"Of {words.plural(len(tools), 'tool')} that we pay for, {len(drawn)} "
    known += "has" if len(drawn) == 1 else "have"
    known += " a study that can tell what it does for results"
    if gains.empty:
        frame.answer(f"{known}; none of them shows a clear gain.", "A tool that is not drawn is not worthless.")
        return
    best = gains.iloc[0]
    frame.answer(
        f"{known}; {words.listed(gains['tool_name'].tolist())} clearly "
        f"{'brings' if len(gains) == 1 else 'bring'} a gain. "
        f"{best['tool_name']} costs {_per_user(best, currency)} for each user and moves a middling student by "
        f"{words.signed(best['low'])} to {words.signed(best['high'])} percentile points.",
        f"Nothing of the kind is known of the other {len(tools) - len(drawn)}." if len(tools) > len(drawn) else "",
    )


def _per_user(row: Mapping[Any, Any], currency: str) -> str:
    ends = (row["cost_per_active_student_low"], row["cost_per_active_student_high"])
    return words.money_range(*ends, currency, places=2)


def _numbers(context: Context, costs: pd.DataFrame, tools: pd.DataFrame, currency: str) -> list[Number]:
    when = f"data through {context.through}"
    total, low, high = (tools[f"cost_{end}"].sum() for end in ("likely", "low", "high"))
    licences = costs.loc[costs["ingredient"] == "licence", "cost_likely"].sum()
    drawn = tools[tools["is_drawn"]]
    figures = [
        Number("Total cost so far", words.money(total, currency),
               f"{words.money_range(low, high, currency)} by the registers' ranges, "
               f"{words.plural(len(tools), 'tool')}, {when}", "total_cost", COST),
        Number("Beside the licenses", words.money(total - licences, currency),
               f"{words.percent((total - licences) / total) if total else '0%'} of {words.money(total, currency)}: "
               f"training, support, devices, staff time; {when}", "total_cost", COST),
        Number("Tools with a known effect", words.of(len(drawn), len(tools)),
               f"tools with a cost; studies that may claim a cause and passed their checks, {when}",
               "cost_per_tenth", EFFECT),
    ]  # fmt: skip
    priced = tools[tools["cost_per_tenth_high"].notna()].sort_values("cost_per_tenth_high")
    for row in _records(priced.head(2)):
        ends = words.money_range(row["cost_per_tenth_low"], row["cost_per_tenth_high"], currency)
        figures.append(
            Number(f"A gain by {row['tool_name']}", ends,
                   f"for each user and tenth of a standard deviation, about 4 percentile points; "
                   f"{row['confidence']:.0%} interval, {when}", "cost_per_tenth", EFFECT)
        )  # fmt: skip
    return figures


def _picture(drawn: pd.DataFrame, tools: pd.DataFrame, currency: str) -> None:
    if drawn.empty:
        st.caption("No tool has both a cost for each user and a study that can tell.")
        return
    shown = pd.DataFrame(
        {
            "tool": drawn["tool_name"],
            "cost_low": drawn["cost_per_active_student_low"].astype(float),
            "cost": drawn["cost_per_active_student_likely"].astype(float),
            "cost_high": drawn["cost_per_active_student_high"].astype(float),
            **{end: drawn[end].astype(float) for end in ("low", "at", "high")},
            "kind": drawn["kind"],
            "cost_words": [_per_user(row, currency) for row in _records(drawn)],
            "effect_words": [f"{words.signed(row['low'])} to {words.signed(row['high'])}" for row in _records(drawn)],
        }
    )
    middle = tools["cost_per_active_student_likely"].dropna().astype(float)
    charts.draw(
        charts.cost_and_effect,
        shown,
        currency=currency,
        middle_cost=float(middle.median()) if len(middle) > 2 else None,
        alt_text="Cost for each user against the effect on results, a cross of both intervals for each tool",
    )


def _columns(costs: pd.DataFrame) -> list[Column]:
    def total(number: Any, row: Mapping[str, Any]) -> str:
        return words.money_range(row["cost_low"], row["cost_high"], row["currency"])

    def per(what: str) -> Any:
        def say(number: Any, row: Mapping[str, Any]) -> str:
            if not words.is_missing(number):
                ends = (row[f"cost_per_active_{what}_low"], row[f"cost_per_active_{what}_high"])
                return words.money_range(*ends, row["currency"], places=2)
            return "no use" if row["no_users_reason"] == "no_use" else "not known"

        return say

    def effect(number: Any, row: Mapping[str, Any]) -> str:
        if words.is_missing(number):
            return "not known"
        ends = [0.0 if abs(end) < 0.05 else end for end in (row["low"], row["high"])]
        return f"{ends[0]:.1f} to {ends[1]:.1f}"

    def price(number: Any, row: Mapping[str, Any]) -> str:
        if not words.is_missing(number):
            return words.money_range(row["cost_per_tenth_low"], number, row["currency"], places=2)
        return NO_PRICE.get(str(row["undefined_reason"]), "not known")

    def part(number: Any, row: Mapping[str, Any]) -> str:
        return "–" if words.is_missing(number) else words.money(number, row["currency"])

    known = [name for name in INGREDIENTS if (costs["ingredient"] == name).any()]
    parts = [Column(name, INGREDIENTS[name], part, is_number=True) for name in known]
    return [
        columns.name("tool_name", "Tool"),
        Column("cost_likely", "Total cost so far", total, is_number=True),
        Column("cost_per_active_student_likely", "Cost per user", per("student"), is_number=True),
        Column("cost_per_active_hour_likely", "Cost per hour of use", per("hour"), is_number=True),
        Column("at", "Effect, percentile points", effect, is_number=True),
        Column("cost_per_tenth_high", "Cost of a gain", price, is_number=True,
               help="For each user and tenth of a standard deviation."),
        *parts,
        columns.words_of("why", "Why nothing is said of its effect", str),
    ]  # fmt: skip


def _steps(tools: pd.DataFrame, drawn: pd.DataFrame, currency: str) -> list[str]:
    steps = [
        f"{row['tool_name']}: before it renews, ask what the {words.money(row['cost_likely'], currency)} so far "
        "bought. Users did worse than they would have without it."
        for row in _records(drawn[drawn["kind"] == LOSS])
    ]
    is_unknown = tools["why"].str.startswith("no study") & (tools["no_users_reason"] != "no_use")
    unknown = tools[is_unknown].sort_values("cost_likely")
    if not unknown.empty:
        dearest = unknown.iloc[-1]
        steps.append(
            f"Plan a study of {dearest['tool_name']} first: of the tools in use without a study it costs most, "
            f"{words.money(dearest['cost_likely'], currency)} so far."
        )
    hidden = tools[tools["cost_low"] < tools["cost_high"]]
    if not hidden.empty:
        widest = hidden.assign(width=hidden["cost_high"] - hidden["cost_low"]).sort_values("width").iloc[-1]
        steps.append(
            f"The least certain cost is that of {widest['tool_name']}: ask who keeps its hours and tickets for better "
            "figures in the register of ingredients."
        )
    steps.append("A wide cross decides nothing: compare tools only where their crosses lie apart.")
    return steps
