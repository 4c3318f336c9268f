"""What do we pay for and not use?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from components import charts, columns, contracts, filters, frame, words
from components.frame import Context, Number
from components.table import Column, table
from queries import value

PAGE = "value"
QUESTION = "What do we pay for and not use?"
TABLES = ("mart_value",)
AHEAD_DAYS = 90
STEPS = 4


def main() -> None:
    context = frame.open_page(PAGE, QUESTION)
    years = value.school_years(context.reader)
    if not years:
        frame.answer("No contracts have been loaded, so nothing can be said of cost.")
        frame.next_steps(["Put the contract list (tool, vendor, seats, price, dates) into the district's drop folder."])
        return
    top = st.container()
    first, second, _, _ = st.columns(4)
    with first:
        year = filters.choose("School year", {name: name for name in years}, key="year")
    rows = value.contracts(context.reader, school_year=year)
    with second:
        kinds = {"": "All contracts", "waste": "With money not used", "due": f"To decide within {AHEAD_DAYS} days"}
        kind = filters.choose("Show", kinds, key="show")
    if kind == "waste":
        rows = rows[rows["wasted_usd"] > 0]
    elif kind == "due":
        rows = _due(rows)
    if rows.empty:
        frame.answer("No contract fits this choice.")
        return
    with top:
        _answer(rows, year=year)
    frame.numbers(context, _numbers(context, rows, year=year))
    st.subheader(f"What each contract has cost in {year} so far, and how much of it was used", anchor=False)
    charts.draw(
        charts.money_bars(_parts(rows)),
        alt_text="Bar chart of the cost of each contract, split into used and not used, the most unused first",
    )
    st.caption(
        "Cost so far is the price spread over school days. Estimates are for site licenses, which have no seats: the "
        f"cost times the share of students without use. Where fewer than {context.minimum_n} students used a tool, "
        f"the money is counted as if {context.minimum_n - 1} had, and where all but fewer than {context.minimum_n} "
        "did, as if all had: so it is “at least” that much. Use is not effect: this page says nothing about learning."
    )
    st.subheader("Contracts, most unused money first", anchor=False)
    table(context, PAGE, "value", rows, _columns(context))
    frame.next_steps(_steps(rows, context.minimum_n))


def _due(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[[contracts.is_due(row, AHEAD_DAYS) for row in rows.to_dict("records")]]


def _answer(rows: pd.DataFrame, *, year: str) -> None:
    wasted, cost = rows["wasted_usd"].sum(), rows["cost_usd"].sum()
    estimated = rows.loc[rows["waste_method"] == contracts.ESTIMATE, "wasted_usd"].sum()
    hidden = int(rows["wasted_usd"].isna().sum())
    doubts = []
    if estimated:
        doubts.append(f"{words.money(estimated)} of it is an estimate for site licenses.")
    if hidden:
        doubts.append(f"For {words.plural(hidden, 'contract')} the use cannot be shown, so the true sum may be higher.")
    if not wasted:
        frame.answer(
            f"All {words.money(cost)} spent so far in {year} is used, as far as can be shown.", " ".join(doubts)
        )
        return
    top = rows.iloc[0]
    at_least = (
        "At least " if rows.loc[rows["wasted_usd"].notna(), "suppression_reason"].isin(contracts.SMALL).any() else ""
    )
    frame.answer(
        f"{at_least}{words.money(wasted)} of the {words.money(cost)} spent so far in {year} "
        f"({words.percent(wasted / cost)}) bought seats or access that nobody used; the largest part is "
        f"{top['tool_name']}, {contracts.wasted(top)}.",
        " ".join(doubts),
    )


def _numbers(context: Context, rows: pd.DataFrame, *, year: str) -> list[Number]:
    cost, wasted = rows["cost_usd"].sum(), rows["wasted_usd"].sum()
    seats = rows[rows["seats"].notna() & rows["seats_used"].notna()]
    due, unused = _due(rows), rows[rows["is_unused"]]
    figures = [
        Number("Cost so far", words.money(cost),
               f"{words.plural(len(rows), 'contract')}, {year}, data through {context.through}", "cost_usd", TABLES),
        Number("Paid and not used", words.money(wasted),
               f"{words.percent(wasted / cost)} of {words.money(cost)}, data through {context.through}", "wasted_usd",
               TABLES),
    ]  # fmt: skip
    if not seats.empty:
        figures.append(
            Number("Seats used", words.percent(seats["seats_used"].sum() / seats["seats"].sum()),
                   f"{words.count(seats['seats_used'].sum())} of {words.count(seats['seats'].sum())} seats, "
                   f"{words.plural(len(seats), 'contract')} whose use can be shown", "utilisation_rate", TABLES)
        )  # fmt: skip
    figures += [
        Number("Licenses nobody uses", words.of(len(unused), len(rows)),
               f"contracts, {words.money(unused['cost_usd'].sum())} so far, data through {context.through}",
               "unused_tool", ("mart_unused_tool",)),
        Number(f"To decide in {AHEAD_DAYS} days", words.money(due["price_usd"].sum()),
               f"price of {words.of(len(due), len(rows))} contracts, counted from {words.day(rows['today'].max())}",
               "decide_by_on", TABLES),
    ]  # fmt: skip
    return figures


def _parts(rows: pd.DataFrame) -> pd.DataFrame:
    """Two stretches of a bar for each contract: what was used, what was not; one grey stretch where use is hidden."""
    parts = []
    for row in rows.to_dict("records"):
        name = str(row["tool_name"])
        if words.is_missing(row["wasted_usd"]):
            parts.append((name, charts.HIDDEN, float(row["cost_usd"]), 0))
            continue
        waste = charts.ESTIMATED if row["waste_method"] == contracts.ESTIMATE else charts.NOT_USED
        if row["wasted_usd"] < row["cost_usd"]:
            parts.append((name, charts.USED, float(row["cost_usd"] - row["wasted_usd"]), 0))
        parts.append((name, waste, float(row["wasted_usd"]), 1))
    return pd.DataFrame(parts, columns=["contract", "part", "usd", "place"])


def _columns(context: Context) -> list[Column]:
    def people(number: Any, row: Mapping[str, Any]) -> str:
        return words.count_or_reason(number, row, context.minimum_n)

    def seats(number: Any, row: Mapping[str, Any]) -> str:
        return "site license" if words.is_missing(number) else words.count(number)

    def used(number: Any, row: Mapping[str, Any]) -> str:
        if words.is_missing(row["seats"]) or row["price_basis"] != "per_seat":
            return "site license"
        return people(number, row)

    def utilisation(number: Any, row: Mapping[str, Any]) -> str:
        if words.is_missing(row["seats"]) or row["price_basis"] != "per_seat":
            return "site license"
        if words.is_missing(number) and row["suppression_reason"] == "small_count_low" and row["seats"]:
            return f"under {words.percent(context.minimum_n / row['seats'])}"
        return words.rate_or_reason(number, row)

    def cost_per(number: Any, row: Mapping[str, Any]) -> str:
        if not words.is_missing(number):
            return words.unit_price(number)
        if row["is_unused"]:
            return "no use"
        return "hidden" if not words.is_missing(row["suppression_reason"]) else "not known"

    return [
        columns.name("tool_name", "Tool"),
        columns.of("cost_usd", "Cost so far", words.money),
        Column("wasted_usd", "Paid and not used", lambda number, row: contracts.wasted(row), is_number=True),
        columns.words_of("decide_by_on", "Decide by", words.day),
        Column("seats", "Seats", seats, is_number=True),
        Column("seats_used", "Seats used", used, is_number=True),
        Column("utilisation_rate", "Share used", utilisation, is_number=True),
        Column("active_students", "Students who used it", people, is_number=True),
        Column("cost_per_active_student_usd", "Cost per user", cost_per, is_number=True),
        Column("cost_per_active_hour_usd", "Cost per hour of use", cost_per, is_number=True),
        columns.of("price_usd", "Price", words.money),
        columns.words_of("renewal_on", "Renews on", words.day),
        columns.name("vendor_name", "Vendor"),
        columns.why(context),
    ]


def _steps(rows: pd.DataFrame, minimum_n: int) -> list[str]:
    ahead = rows[rows["days_to_renewal"] >= 0].sort_values("decide_by_on").head(STEPS)
    steps = [
        f"{row['tool_name']} ({words.money(row['price_usd'])}): decide {contracts.by(row)}; it renews on "
        f"{words.day(row['renewal_on'])}. {contracts.use(row, minimum_n)}. {contracts.advice(row)}"
        for row in ahead.to_dict("records")
    ]
    return steps or ["No renewal lies ahead in this choice."]


main()
