"""What do we get for what we pay?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from components import charts, columns, contracts, filters, forecast, frame, renewals, words, worth
from components.frame import Context, Number
from components.table import Column, table
from queries import value

PAGE = "value"
QUESTION = "What do we get for what we pay?"
TABLES = ("mart_value",)
AHEAD_DAYS = 90
STEPS = 4
USE, WORTH, RENEWALS, FORECAST = "Paid and used", "Cost and effect", "Renewals", "Next three years"


def main() -> None:
    context = frame.open_page(PAGE, QUESTION)
    years = value.school_years(context.reader)
    if not years:
        frame.answer("No contracts have been loaded, so nothing can be said of cost.")
        frame.next_steps(["Put the contract list (tool, vendor, seats, price, dates) into the district's drop folder."])
        return
    top = st.container()
    view = filters.view("What to look at", [USE, WORTH, RENEWALS, FORECAST], key="see")
    chosen = st.columns(4)
    year = years[0]
    if view in (USE, RENEWALS):
        with chosen[0]:
            year = filters.choose("School year", {name: name for name in years}, key="year")
    rows = value.contracts(context.reader, school_year=year)
    currency, rows = _in_one_currency(rows, chosen[2])
    if view == USE:
        _use(context, top, rows, chosen[1], year=year, currency=currency)
    elif view == WORTH:
        worth.show(context, top, currency=currency)
    elif view == RENEWALS:
        renewals.show(context, top, rows, ahead_days=AHEAD_DAYS, due=_due(rows))
    else:
        forecast.show(context, top, currency=currency)


def _in_one_currency(rows: pd.DataFrame, place: Any) -> tuple[str, pd.DataFrame]:
    """The currency that is looked at and its contracts: sums of different ones would mean nothing."""
    known = list(rows["currency"].value_counts().index)
    if len(known) < 2:
        return (known or ["USD"])[0], rows
    with place:
        currency = filters.choose("Currency", {name: name for name in known}, key="currency")
    return currency, rows[rows["currency"] == currency]


def _use(context: Context, top: Any, rows: pd.DataFrame, place: Any, *, year: str, currency: str) -> None:
    with place:
        kinds = {"": "All contracts", "waste": "With money not used", "due": f"To decide within {AHEAD_DAYS} days"}
        kind = filters.choose("Show", kinds, key="show")
    if kind == "waste":
        rows = rows[rows["wasted"] > 0]
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
        charts.money_bars,
        _parts(rows),
        currency=currency,
        alt_text="Bar chart of the cost of each contract, split into used and not used, the most unused first",
    )
    st.caption(
        "Cost so far is the price spread over school days. A seat counts as used from one use on. Estimates are for "
        "site licenses, which have no seats: the cost times the share of students without use. Where fewer than "
        f"{context.minimum_n} students used a tool, the money is counted as if {context.minimum_n - 1} had, and where "
        f"all but fewer than {context.minimum_n} did, as if all had: so it is “at least” that much. Use is not effect: "
        f"what is known of learning stands under “{WORTH}”."
    )
    st.subheader("Contracts, most unused money first", anchor=False)
    table(context, PAGE, "value", rows, _columns(context))
    frame.next_steps(_steps(rows, context.minimum_n))


def _due(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[[contracts.is_due(row, AHEAD_DAYS) for row in rows.to_dict("records")]]


def _answer(rows: pd.DataFrame, *, year: str) -> None:
    wasted = rows["wasted"].sum()
    estimated = rows[rows["waste_method"] == contracts.ESTIMATE]
    hidden = int(rows["wasted"].isna().sum())
    doubts = []
    if estimated["wasted"].sum():
        doubts.append(f"{words.amounts(estimated, 'wasted')} of it is an estimate for site licenses.")
    if hidden:
        doubts.append(f"For {words.plural(hidden, 'contract')} the use cannot be shown, so the true sum may be higher.")
    if not wasted:
        frame.answer(
            f"All {words.amounts(rows, 'cost')} spent so far in {year} is used, as far as can be shown.",
            " ".join(doubts),
        )
        return
    top = rows.iloc[0]
    at_least = "At least " if rows.loc[rows["wasted"].notna(), "suppression_reason"].isin(contracts.SMALL).any() else ""
    frame.answer(
        f"{at_least}{words.amounts(rows, 'wasted')} of the {words.amounts(rows, 'cost')} spent so far in {year} "
        f"({words.percent(wasted / rows['cost'].sum())}) bought seats or access that nobody used; the largest part is "
        f"{top['tool_name']}, {contracts.wasted(top)}.",
        " ".join(doubts),
    )


def _numbers(context: Context, rows: pd.DataFrame, *, year: str) -> list[Number]:
    seats = rows[rows["seats"].notna() & rows["seats_used"].notna()]
    due, unused = _due(rows), rows[rows["is_unused"]]
    figures = [
        Number("Cost so far", words.amounts(rows, "cost"),
               f"{words.plural(len(rows), 'contract')}, {year}, data through {context.through}", "cost_usd", TABLES),
        Number("Paid and not used", words.amounts(rows, "wasted"),
               f"{contracts.share_wasted(rows)}, data through {context.through}", "wasted_usd", TABLES),
    ]  # fmt: skip
    if not seats.empty:
        figures.append(
            Number("Seats used", words.percent(seats["seats_used"].sum() / seats["seats"].sum()),
                   f"{words.count(seats['seats_used'].sum())} of {words.count(seats['seats'].sum())} seats, "
                   f"{words.plural(len(seats), 'contract')} whose use can be shown", "utilisation_rate", TABLES)
        )  # fmt: skip
    figures += [
        Number("Licenses nobody uses", words.of(len(unused), len(rows)),
               f"contracts, {words.amounts(unused, 'cost')} so far, data through {context.through}",
               "unused_tool", ("mart_unused_tool",)),
        Number(f"To decide in {AHEAD_DAYS} days", words.amounts(due, "price"),
               f"price of {words.of(len(due), len(rows))} contracts, counted from {words.day(rows['today'].max())}",
               "decide_by_on", TABLES),
    ]  # fmt: skip
    return figures


def _parts(rows: pd.DataFrame) -> pd.DataFrame:
    """Two stretches of a bar for each contract: what was used, what was not; one grey stretch where use is hidden."""
    parts = []
    for row in rows.to_dict("records"):
        name = str(row["tool_name"])
        if words.is_missing(row["wasted"]):
            parts.append((name, charts.HIDDEN, float(row["cost"]), 0))
            continue
        waste = charts.ESTIMATED if row["waste_method"] == contracts.ESTIMATE else charts.NOT_USED
        if row["wasted"] < row["cost"]:
            parts.append((name, charts.USED, float(row["cost"] - row["wasted"]), 0))
        parts.append((name, waste, float(row["wasted"]), 1))
    return pd.DataFrame(parts, columns=["contract", "part", "amount", "place"])


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

    def cost_per(what: str) -> Any:
        def say(number: Any, row: Mapping[str, Any]) -> str:
            if not words.is_missing(number):
                ends = (row[f"cost_per_active_{what}_low"], row[f"cost_per_active_{what}_high"])
                return words.money_range(*ends, row["currency"], places=2)
            if row["is_unused"]:
                return "no use"
            return "hidden" if not words.is_missing(row["suppression_reason"]) else "not known"

        return say

    return [
        columns.name("tool_name", "Tool"),
        columns.money("cost", "Cost so far"),
        Column("wasted", "Paid and not used", lambda number, row: contracts.wasted(row), is_number=True),
        columns.words_of("decide_by_on", "Decide by", words.day),
        Column("seats", "Seats", seats, is_number=True),
        Column("seats_used", "Seats used", used, is_number=True),
        Column("utilisation_rate", "Share used", utilisation, is_number=True),
        Column("active_students", "Students who used it", people, is_number=True),
        Column("cost_per_active_student_likely", "Cost per user", cost_per("student"), is_number=True,
               help="All ingredients: licenses, training, support, devices, staff time."),
        Column("cost_per_active_hour_likely", "Cost per hour of use", cost_per("hour"), is_number=True,
               help="All ingredients: licenses, training, support, devices, staff time."),
        columns.money("price", "Price"),
        columns.words_of("renewal_on", "Renews on", words.day),
        columns.name("vendor_name", "Vendor"),
        columns.why(context),
    ]  # fmt: skip


def _steps(rows: pd.DataFrame, minimum_n: int) -> list[str]:
    ahead = rows[rows["days_to_renewal"] >= 0].sort_values("decide_by_on").head(STEPS)
    steps = [
        f"{row['tool_name']} ({words.money(row['price'], row['currency'])}): decide {contracts.by(row)}; it renews on "
        f"{words.day(row['renewal_on'])}. {contracts.use(row, minimum_n)}. {contracts.advice(row)}"
        for row in ahead.to_dict("records")
    ]
    return steps or ["No renewal lies ahead in this choice."]


main()
