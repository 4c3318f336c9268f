"""What keeping everything will cost in the next three budget years."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from components import charts, columns, frame, words
from components.frame import Context, Number
from components.table import Column, table
from queries import value

TABLES = ("mart_cost_forecast",)
ENDS = ("cost_low", "cost_likely", "cost_high")


def show(context: Context, top: Any, *, currency: str) -> None:
    """top: container above the choices, for the answer."""
    rows = value.forecast(context.reader)
    rows = rows[rows["currency"] == currency]
    if rows.empty:
        with top:
            frame.answer("Nothing is known of what the tools will cost.")
        return
    rows = rows.assign(year=[_year(row) for row in rows.to_dict("records")])
    years = rows.groupby("year", sort=True)[[*ENDS, "signed_cost"]].sum()
    running, ahead = years.index[0], years.iloc[1:]
    with top:
        _answer(years, ahead, currency)
    frame.numbers(context, _numbers(context, rows, years, ahead, currency))
    st.subheader("Total cost by budget year, if everything is kept", anchor=False)
    charts.draw(
        charts.years_of_cost,
        _parts(years, currency),
        currency=currency,
        alt_text="Bars of the cost of each budget year, signed and to be renewed, with the ends of the sum",
    )
    st.caption(
        words.safe(
            f"{running} is the running year. The black line runs from the low to the high end: of the "
            "registers' ranges, and of how much more a renewal may cost each year by the district's settings."
        )
    )
    st.subheader("By tool, the dearest first", anchor=False)
    table(context, "value", "forecast", _by_tool(rows, list(years.index)), _columns(list(years.index)))
    frame.next_steps(
        [
            "Set the high end of the next year beside the budget: what does not fit has to be cut before its last day "
            "to decide, which stands under Renewals.",
            "A contract that is ended saves all of its later years: start with what nobody uses.",
        ]
    )


def _year(row: Any) -> str:
    """2026-27, or 2026 where the budget's year is the calendar's."""
    first, last = pd.Timestamp(row["year_starts_on"]).year, pd.Timestamp(row["year_ends_on"]).year
    return str(first) if first == last else f"{first}-{last % 100:02d}"


def _answer(years: pd.DataFrame, ahead: pd.DataFrame, currency: str) -> None:
    if ahead.empty:
        frame.answer("Nothing is signed or would come again after the running budget year.")
        return
    following, three = ahead.iloc[0], ahead.sum()
    growth = following["cost_likely"] - years.iloc[0]["cost_likely"]
    frame.answer(
        f"Keeping everything costs about {words.money(following['cost_likely'], currency)} in {ahead.index[0]} "
        f"({words.money_range(following['cost_low'], following['cost_high'], currency)}), "
        f"{words.money(abs(growth), currency)} {'more' if growth >= 0 else 'less'} than in {years.index[0]}, and about "
        f"{words.money(three['cost_likely'], currency)} over {words.plural(len(ahead), 'year')}.",
        f"{words.money(three['signed_cost'], currency) if three['signed_cost'] else 'None'} of that is signed; what is "
        "not can still be decided.",
    )


def _numbers(
    context: Context, rows: pd.DataFrame, years: pd.DataFrame, ahead: pd.DataFrame, currency: str
) -> list[Number]:
    if ahead.empty:
        return [
            Number(f"{years.index[0]}, the running year", words.money(years.iloc[0]["cost_likely"], currency),
                   f"registers as of {context.through}", "cost_forecast", TABLES)
        ]  # fmt: skip
    following, three = ahead.iloc[0], ahead.sum()
    tools = rows[rows["year"] == ahead.index[0]]
    top = tools.iloc[0]
    return [
        Number(f"In {ahead.index[0]}", words.money(following["cost_likely"], currency),
               f"{words.money_range(following['cost_low'], following['cost_high'], currency)}, "
               f"{words.plural(tools['tool_name'].nunique(), 'tool')}, registers as of {context.through}",
               "cost_forecast", TABLES),
        Number(f"Over {words.plural(len(ahead), 'year')}", words.money(three["cost_likely"], currency),
               f"{words.money_range(three['cost_low'], three['cost_high'], currency)}, {ahead.index[0]} to "
               f"{ahead.index[-1]}, registers as of {context.through}", "cost_forecast", TABLES),
        Number("Signed already", words.percent(three["signed_cost"] / three["cost_likely"]),
               f"{words.money(three['signed_cost'], currency)} of {words.money(three['cost_likely'], currency)}, "
               f"registers as of {context.through}", "cost_forecast", TABLES),
        Number(f"Dearest: {top['tool_name']}", words.money(top["cost_likely"], currency),
               f"{words.percent(top['cost_likely'] / following['cost_likely'])} of {ahead.index[0]}, registers as of "
               f"{context.through}", "cost_forecast", TABLES),
    ]  # fmt: skip


def _parts(years: pd.DataFrame, currency: str) -> pd.DataFrame:
    rows = []
    for year, row in years.iterrows():
        whole = {
            "year": year,
            "low": float(row["cost_low"]),
            "high": float(row["cost_high"]),
            "words": words.money_range(row["cost_low"], row["cost_high"], currency),
        }
        rows.append(whole | {"part": "Signed", "amount": float(row["signed_cost"]), "place": 0})
        renewed = float(row["cost_likely"] - row["signed_cost"])
        rows.append(whole | {"part": "If it is renewed", "amount": renewed, "place": 1})
    return pd.DataFrame(rows)


def _by_tool(rows: pd.DataFrame, years: list[str]) -> pd.DataFrame:
    """One row a tool: the ends of each year as words, in the order of the likely cost of all years."""
    order = rows.groupby("tool_name")["cost_likely"].sum().sort_values(ascending=False).index
    found = []
    for tool in order:
        of_tool = rows[rows["tool_name"] == tool].set_index("year")
        cells: dict[str, Any] = {"tool_name": tool}
        for year in years:
            if year in of_tool.index:
                row = of_tool.loc[[year]].sum(numeric_only=True)
                currency = str(of_tool["currency"].iloc[0])
                cells[year] = words.money_range(row["cost_low"], row["cost_high"], currency)
            else:
                cells[year] = "–"
        found.append(cells)
    return pd.DataFrame(found)


def _columns(years: list[str]) -> list[Column]:
    return [
        columns.name("tool_name", "Tool"),
        *(Column(year, year, lambda value, row: str(value), is_number=True) for year in years),
    ]
