"""When each contract renews, what happens if nobody decides, and the last day to decide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from components import charts, columns, contracts, frame, words
from components.frame import Context, Number
from components.table import Column, table, text

TABLES = ("mart_value",)


def show(context: Context, top: Any, rows: pd.DataFrame, *, ahead_days: int, due: pd.DataFrame) -> None:
    """top: container above the choices, for the answer. rows: contracts of the school year. due: those of them whose
    last day to decide comes within ahead_days, or is past."""
    ahead = rows[rows["days_to_renewal"] >= 0].sort_values(["decide_by_on", "tool_name"])
    if ahead.empty:
        with top:
            frame.answer("No renewal lies ahead in this choice.", "Contracts without a renewal date are not in it.")
        return
    today = ahead["today"].max()
    with top:
        _answer(ahead, today)
    frame.numbers(context, _numbers(ahead, due, rows, today, ahead_days))
    records = ahead.to_dict("records")
    drawn = pd.DataFrame(
        {
            "contract": [row["tool_name"] for row in records],
            "decide_by": [row["decide_by_on"] for row in records],
            "use": [contracts.use(row, context.minimum_n) for row in records],
            "state": [contracts.state(row) for row in records],
            "words": [
                f"{words.day(row['decide_by_on'])} · {words.money(row['price'], row['currency'])}" for row in records
            ],
        }
    )
    st.subheader("The last day to decide on each contract, and its price", anchor=False)
    charts.draw(
        charts.deadlines,
        drawn,
        today=today,
        states=contracts.STATES,
        alt_text="Timeline of the last day to decide on each contract",
    )
    st.subheader("Renewals, the earliest last day first", anchor=False)
    listed = ahead.assign(
        unless=[contracts.unless_decided(row) for row in records],
        notice=[contracts.notice(row) for row in records],
        use=[contracts.use(row, context.minimum_n) for row in records],
        advice=[contracts.advice(row) for row in records],
    )
    table(context, "value", "renewals", listed, _columns(today))
    frame.next_steps(_steps(ahead))


def _answer(ahead: pd.DataFrame, today: Any) -> None:
    coming = ahead[ahead["decide_by_on"] >= today]
    past = ahead[ahead["decide_by_on"] < today]
    silent = past[past["auto_renews"].fillna(False).astype(bool)]
    doubts = []
    if not past.empty:
        doubts.append(f"For {words.plural(len(past), 'contract')} the last day has passed.")
    if not silent.empty:
        renews = "renews by itself" if len(silent) == 1 else "renew by themselves"
        doubts.append(f"{words.listed(silent['tool_name'].tolist())} {renews}: ask the vendor today.")
    if coming.empty:
        frame.answer("The last day to decide has passed for every contract that renews.", " ".join(doubts[1:]))
        return
    first = coming.iloc[0]
    frame.answer(
        f"The next decision is {first['tool_name']} ({words.money(first['price'], first['currency'])}), by "
        f"{words.day(first['decide_by_on'])}: {_unless(first)}.",
        " ".join(doubts),
    )


def _unless(row: Mapping[Any, Any]) -> str:
    if words.is_missing(row["auto_renews"]):
        return "whether it renews by itself is not in the register"
    return "unless we say no by then, it renews by itself" if row["auto_renews"] else "unless we renew it, it ends"


def _numbers(ahead: pd.DataFrame, due: pd.DataFrame, rows: pd.DataFrame, today: Any, ahead_days: int) -> list[Number]:
    counted = f"counted from {words.day(today)}"
    silent = ahead[ahead["auto_renews"].fillna(False).astype(bool)]
    past = ahead[ahead["decide_by_on"] < today]
    unknown = ahead[ahead["notice_basis"] == "district"]
    return [
        Number(f"To decide in {ahead_days} days", words.amounts(due, "price"),
               f"price of {words.of(len(due), len(rows))} contracts, {counted}", "decide_by_on", TABLES),
        Number("Last day has passed", words.of(len(past), len(ahead)),
               f"contracts that have not renewed yet, {counted}", "decide_by_on", TABLES),
        Number("Renew by themselves", words.of(len(silent), len(ahead)),
               f"contracts that have not renewed yet, by the register of contracts, {counted}", "decide_by_on", TABLES),
        Number("Notice not in the register", words.of(len(unknown), len(ahead)),
               f"contracts; for these the district's own rule stands in, {counted}", "decide_by_on", TABLES),
    ]  # fmt: skip


def _columns(today: Any) -> list[Column]:
    def by(value: Any, row: Mapping[str, Any]) -> str:
        return f"{words.day(value)} (past)" if value < today else words.day(value)

    return [
        Column("decide_by_on", "Decide by", by),
        columns.name("tool_name", "Tool"),
        Column("unless", "If nobody decides", text, width=210),
        columns.words_of("renewal_on", "Renews on", words.day),
        Column("notice", "Notice", text),
        columns.money("price", "Price"),
        Column("use", "Use", text, width=310),
        Column("advice", "What to do", text, width=420),
        columns.name("vendor_name", "Vendor"),
    ]


def _steps(ahead: pd.DataFrame) -> list[str]:
    steps = [
        f"{row['tool_name']}: decide {contracts.by(row)}. {contracts.advice(row)}"
        for row in ahead.head(3).to_dict("records")
    ]
    unknown = ahead[ahead["auto_renews"].isna()]
    if not unknown.empty:
        steps.append(
            f"Ask whoever keeps the contracts whether {words.listed(unknown['tool_name'].tolist())} renew by "
            "themselves and with how many days of notice, and write it into the register."
        )
    return steps
