"""What do we pay for and not use?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from components import charts, columns, filters, frame, words
from components.frame import Context, Number
from components.table import Column, table
from queries import value

PAGE = "value"
QUESTION = "What do we pay for and not use?"
TABLES = ("mart_value",)
ESTIMATE = "estimated_from_adoption"
AHEAD_DAYS = 90


def main() -> None:
    context = frame.open_page(PAGE, QUESTION)
    years = value.school_years(context.reader)
    if not years and value.contracts(context.reader, school_year=None).empty:
        frame.answer("No contracts have been loaded, so nothing can be said of cost.")
        frame.next_steps(["Put the contract list (tool, vendor, seats, price, dates) into the district's drop folder."])
        return
    top = st.container()
    first, second, _, _ = st.columns(4)
    with first:
        year = filters.choose("School year", {name: name for name in years}, key="year")
    rows = value.contracts(context.reader, school_year=year)
    with second:
        kinds = {"": "All contracts", "waste": "With money not used", "renewal": f"Renewing within {AHEAD_DAYS} days"}
        kind = filters.choose("Show", kinds, key="show")
    if kind == "waste":
        rows = rows[rows["wasted_usd"] > 0]
    elif kind == "renewal":
        rows = rows[rows["days_to_renewal"].between(0, AHEAD_DAYS)]
    if rows.empty:
        frame.answer("No contract fits this choice.")
        return
    with top:
        _answer(rows, year=year)
    unused = value.unused_contracts(context.reader)
    frame.numbers(context, _numbers(context, rows, unused, year=year))
    st.subheader(f"What each contract costs, and how much of it is used, {year}", anchor=False)
    charts.draw(
        charts.money_bars(_parts(rows)),
        alt_text="Bar chart of the cost of each contract, split into used and not used, the most unused first",
    )
    st.caption(
        "Estimates are for site licenses, which have no seats: the cost times the share of eligible students without "
        "use. "
        "Use is not effect: this page says nothing about learning."
    )
    st.subheader("Contracts, most unused money first", anchor=False)
    table(context, PAGE, "value", rows, _columns(context))
    frame.next_steps(_steps(rows))


def _answer(rows: pd.DataFrame, *, year: str) -> None:
    wasted, cost = rows["wasted_usd"].sum(), rows["cost_usd"].sum()
    estimated = rows.loc[rows["waste_method"] == ESTIMATE, "wasted_usd"].sum()
    hidden = int(rows["wasted_usd"].isna().sum())
    doubts = []
    if estimated:
        doubts.append(f"{words.money(estimated)} of it is an estimate for site licenses.")
    if hidden:
        doubts.append(f"For {words.plural(hidden, 'contract')} the use cannot be shown, so the true sum may be higher.")
    if not wasted:
        frame.answer(f"All {words.money(cost)} paid in {year} is used, as far as can be shown.", " ".join(doubts))
        return
    top = rows.iloc[0]
    frame.answer(
        f"{words.money(wasted)} of the {words.money(cost)} paid in {year} ({words.percent(wasted / cost)}) bought "
        "seats or "
        f"access that nobody used; the largest part is {top['tool_name']}, {words.money(top['wasted_usd'])}.",
        " ".join(doubts),
    )


def _numbers(context: Context, rows: pd.DataFrame, unused: pd.DataFrame, *, year: str) -> list[Number]:
    cost, wasted = rows["cost_usd"].sum(), rows["wasted_usd"].sum()
    seats = rows[rows["seats"].notna() & rows["seats_used"].notna()]
    ahead = rows[rows["days_to_renewal"].between(0, AHEAD_DAYS)]
    none_used = unused[unused["contract_key"].isin(rows["contract_key"])]
    figures = [
        Number("Cost", words.money(cost), f"{words.plural(len(rows), 'contract')}, {year}", "cost_usd", TABLES),
        Number("Paid and not used", words.money(wasted),
               f"{words.percent(wasted / cost)} of {words.money(cost)}, data through {context.through}", "wasted_usd",
               TABLES),
    ]  # fmt: skip
    if not seats.empty:
        figures.append(
            Number("Seats used", words.percent(seats["seats_used"].sum() / seats["seats"].sum()),
                   f"{words.count(seats['seats_used'].sum())} of {words.count(seats['seats'].sum())} seats, "
                   f"{words.plural(len(seats), 'contract')} with seats", "utilisation_rate", TABLES)
        )  # fmt: skip
    figures += [
        Number("Licenses nobody uses", words.count(len(none_used)),
               f"of {words.plural(len(rows), 'contract')}, {words.money(none_used['cost_usd'].sum())}", "unused_tool",
               ("mart_unused_tool",)),
        Number(f"Renewing within {AHEAD_DAYS} days", words.money(ahead["cost_usd"].sum()),
               f"{words.plural(len(ahead), 'contract')} of {len(rows)}, counted from {words.day(rows['today'].max())}",
               "days_to_renewal", TABLES),
    ]  # fmt: skip
    return figures


def _parts(rows: pd.DataFrame) -> pd.DataFrame:
    """Two stretches of a bar for each contract: what was used, what was not; one grey stretch where use is hidden."""
    parts = []
    for row in rows.to_dict("records"):
        name = _contract(row)
        if words.is_missing(row["wasted_usd"]):
            parts.append((name, "Not shown: too few students", row["cost_usd"], 0))
            continue
        waste = "Paid and not used (estimate)" if row["waste_method"] == ESTIMATE else "Paid and not used"
        parts.append((name, "Paid and used", row["cost_usd"] - row["wasted_usd"], 0))
        parts.append((name, waste, row["wasted_usd"], 1))
    return pd.DataFrame(parts, columns=["contract", "part", "usd", "place"])


def _contract(row: Mapping[Any, Any]) -> str:
    return str(row["tool_name"])


def _columns(context: Context) -> list[Column]:
    def used(number: Any, row: Mapping[str, Any]) -> str:
        if words.is_missing(row["seats"]) and words.is_missing(number):
            return "site license"
        return words.count_or_reason(number, row, context.minimum_n)

    def utilisation(number: Any, row: Mapping[str, Any]) -> str:
        if words.is_missing(row["seats"]):
            return "site license"
        return words.rate_or_reason(number, row)

    def cost_per(number: Any, row: Mapping[str, Any]) -> str:
        if not words.is_missing(number):
            return words.money(number)
        return "hidden" if not words.is_missing(row["suppression_reason"]) else "no use to divide by"

    def wasted(number: Any, row: Mapping[str, Any]) -> str:
        if words.is_missing(number):
            return "hidden"
        return f"{words.money(number)} (estimate)" if row["waste_method"] == ESTIMATE else words.money(number)

    return [
        columns.name("tool_name", "Tool"),
        columns.of("cost_usd", "Cost", words.money),
        Column("wasted_usd", "Paid and not used", wasted, is_number=True),
        columns.words_of("decide_by_on", "Decide by", words.day),
        Column(
            "seats", "Seats", lambda n, row: "site license" if words.is_missing(n) else words.count(n), is_number=True
        ),
        Column("seats_used", "Seats used", used, is_number=True),
        Column("utilisation_rate", "Share used", utilisation, is_number=True),
        columns.students("active_students", "Students who used it", context),
        Column("cost_per_active_student_usd", "Cost per user", cost_per, is_number=True),
        Column("cost_per_active_hour_usd", "Cost per hour of use", cost_per, is_number=True),
        columns.words_of("renewal_on", "Renews on", words.day),
        columns.name("vendor_name", "Vendor"),
        columns.why(context),
    ]


def _steps(rows: pd.DataFrame) -> list[str]:
    steps = []
    ahead = rows[rows["days_to_renewal"] >= 0].sort_values("decide_by_on")
    for row in ahead.head(3).to_dict("records"):
        late = row["decide_by_on"] < row["today"]
        when = (
            f"now (the notice date was {words.day(row['decide_by_on'])})"
            if late
            else f"by {words.day(row['decide_by_on'])}"
        )
        steps.append(f"{row['tool_name']}: decide {when}; it renews on {words.day(row['renewal_on'])}. {_advice(row)}")
    over = rows[rows["utilisation_rate"] > 1]
    if not over.empty:
        steps.append(
            f"{words.listed(list(over['tool_name']))}: more students than seats. Check the terms before the vendor "
            "does."
        )
    return steps or ["No renewal lies ahead in this choice."]


def _advice(row: Mapping[Any, Any]) -> str:
    if words.is_missing(row["utilisation_rate"]) and words.is_missing(row["wasted_usd"]):
        return "Its use is too small to show: ask the schools that have it."
    if not words.is_missing(row["active_students"]) and row["active_students"] == 0:
        return "Nobody has used it: ask the schools why, and retire it unless there is a plan."
    if row["wasted_usd"] > 0:
        return "Ask for fewer seats or a lower price, or train the schools that do not use it."
    return "It is fully used: renew, and ask what it replaces."


main()
