"""What needs a decision now?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd
import streamlit as st

from components import charts, columns, contracts, frame, words
from components.frame import Context, Number
from components.table import Column, table, text
from queries import adoption, equity, summary, value

PAGE = "home"
QUESTION = "What needs a decision now?"
AHEAD_DAYS = 90


@dataclass(frozen=True)
class Decision:
    """Something that a person can decide. `decide_by` None: no date forces it."""

    what: str
    why: str
    price: float | None
    decide_by: Any
    look: str
    currency: str = "USD"


def main() -> None:
    context = frame.open_page(PAGE, QUESTION)
    if summary.is_summary_only(context.reader):
        _summary_only(context)
        return
    rows = value.contracts(context.reader, school_year=None) if context.viewer.may_open("value") else None
    unknown = adoption.unknown(context.reader)
    gap = _widest_gap(context)
    decisions = [
        *_from_contracts(rows, context.minimum_n),
        *_from_unknown(unknown, context.minimum_n),
        *_from_gap(gap),
        *_from_sources(context),
    ]
    dated = sorted(
        (decision for decision in decisions if decision.decide_by is not None), key=lambda decision: decision.decide_by
    )
    undated = [decision for decision in decisions if decision.decide_by is None]
    today = None if rows is None or rows.empty else rows["today"].max()
    _answer(context, dated, undated, today)
    frame.numbers(context, _numbers(context, rows, dated, gap))
    if rows is not None and not rows.empty:
        _picture(rows, context.minimum_n)
    st.subheader("Decisions, the soonest first", anchor=False)
    listed = pd.DataFrame([asdict(decision) for decision in [*dated, *undated]])
    if listed.empty:
        st.caption("Nothing waits for a decision.")
    else:
        table(context, PAGE, "decisions", listed, _columns(today), is_prose=True)
    frame.next_steps(
        [
            "Take the first line of the table to your next EdTech meeting; the page named beside it holds the "
            "evidence.",
            "Write down what you decide and why; the numbers on this page will have moved by then.",
        ]
    )


def _from_contracts(rows: pd.DataFrame | None, minimum_n: int) -> list[Decision]:
    return [
        Decision(
            f"{'Retire or restart' if contracts.state(row) == contracts.UNUSED else 'Renew, cut or end'} "
            f"{row['tool_name']}",
            f"{contracts.use(row, minimum_n)}; it renews on {words.day(row['renewal_on'])}",
            row["price"],
            row["decide_by_on"],
            "Value",
            row["currency"],
        )
        for row in ([] if rows is None else rows.to_dict("records"))
        if contracts.is_due(row, AHEAD_DAYS)
    ]


def _from_unknown(unknown: pd.DataFrame, minimum_n: int) -> list[Decision]:
    return [
        Decision(
            f"Approve or block {row['tool_name']}",
            f"Not approved; {words.count(row['students'])} students in the last 4 weeks, "
            f"{words.count_or_reason(row['students_previous_4_weeks'], row, minimum_n)} in the 4 before",
            None,
            None,
            "Adoption",
        )
        for row in adoption.spreading(unknown).to_dict("records")
    ]


def _widest_gap(context: Context) -> dict[Any, Any] | None:
    if not context.viewer.may_open("equity"):
        return None
    found = equity.widest(context.reader)
    return None if found.empty else found.iloc[0].to_dict()


def _gap_in_words(gap: Mapping[Any, Any]) -> str:
    """Their share against the others', of the tool, in the period."""
    if gap["basis"] != "student_subgroup":
        shares = f"{gap['group_rate']:.1f}% against {gap['reference_rate']:.1f}% on an average day"
        return f"{shares}, {words.count(gap['group_n'])} districts"
    did = {"adoption": "used", "consistent_use": "kept using"}[gap["metric"]]
    tool = "any tool" if gap["tool_key"] == equity.ANY_TOOL else gap["tool_name"]
    return (
        f"{words.percent(gap['group_rate'])} {did} {tool} against {words.percent(gap['reference_rate'])} of the "
        f"others, {words.period(gap['period']).removeprefix('the ')}"
    )


def _from_gap(gap: Mapping[Any, Any] | None) -> list[Decision]:
    if gap is None:
        return []
    group = words.in_sentence(words.group(gap["dimension"], gap["subgroup"]))
    return [Decision(f"Find out what keeps {group} from use", _gap_in_words(gap), None, None, "Equity")]


def _from_sources(context: Context) -> list[Decision]:
    bad = context.sources[context.sources["is_stale"] | context.sources["is_failed"]]
    return [
        Decision(
            f"Have the {words.source(name)} feed mended",
            "Its data is late, so the pages lag behind",
            None,
            None,
            "Data quality",
        )
        for name in bad["source"]
    ]


def _answer(context: Context, dated: list[Decision], undated: list[Decision], today: Any) -> None:
    late = int((context.sources["is_stale"] | context.sources["is_failed"]).sum())
    doubt = f"{words.plural(late, 'source is', 'sources are')} late, so some figures may change." if late else ""
    if not dated and not undated:
        frame.answer(f"Nothing waits for a decision in the data through {context.through}.", doubt)
        return
    if not dated:
        others = words.plural(len(undated), "matter waits", "matters wait")
        frame.answer(f"{others}, none with a date: first, {_lower(undated[0].what)}.", doubt)
        return
    first = dated[0]
    passed = sum(decision.decide_by < today for decision in dated)
    when = (
        f"was due on {words.day(first.decide_by)}"
        if first.decide_by < today
        else f"is due by {words.day(first.decide_by)}"
    )
    sentence = (
        f"{words.plural(len(dated), 'contract')} worth {_worth(dated)} "
        f"{'needs' if len(dated) == 1 else 'need'} a decision within {AHEAD_DAYS} days"
    )
    sentence += f", {passed} of them already past the notice date" if passed and len(dated) > 1 else ""
    sentence += f"; the first {when}: {_lower(first.what)}."
    if undated:
        sentence += f" {words.plural(len(undated), 'other matter has', 'other matters have')} no date."
    frame.answer(sentence, doubt)


def _worth(decisions: list[Decision]) -> str:
    return words.amounts(pd.DataFrame([asdict(decision) for decision in decisions]), "price")


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _numbers(
    context: Context, rows: pd.DataFrame | None, dated: list[Decision], gap: Mapping[Any, Any] | None
) -> list[Number]:
    figures = []
    if rows is not None and not rows.empty:
        figures += [
            Number(f"To decide in {AHEAD_DAYS} days", _worth(dated),
                   f"price of {words.of(len(dated), len(rows))} contracts, counted from "
                   f"{words.day(rows['today'].max())}",
                   "decide_by_on", ("mart_value",)),
            Number("Paid and not used", words.amounts(rows, "wasted"),
                   f"{contracts.share_wasted(rows)}, data through {context.through}",
                   "wasted_usd", ("mart_value",)),
        ]  # fmt: skip
    figures += _use_number(context)
    if gap is not None:
        group = words.group(gap["dimension"], gap["subgroup"])
        figures.append(
            Number("Widest clear gap", f"{abs(gap['gap_points']):.0f} points", f"{group}: {_gap_in_words(gap)}",
                   "equity_gap", ("mart_equity_gap",))
        )  # fmt: skip
    fresh = context.sources[~(context.sources["is_stale"] | context.sources["is_failed"])]
    figures.append(
        Number("Sources up to date", words.of(len(fresh), len(context.sources)),
               f"sources, data through {context.through}", "source_freshness",
               ("mart_source_health",))
    )  # fmt: skip
    return figures


def _use_number(context: Context) -> list[Number]:
    if not context.viewer.may_open("adoption"):
        return []
    weeks = adoption.weeks(context.reader)
    if weeks.empty:
        return []
    week = weeks["week_start_on"].iloc[0]
    rows = adoption.by_tool(
        context.reader, week=week.date(), org_level="district", org_key=None, dimension="all_students",
        subgroup="all_students",
    )  # fmt: skip
    counted = rows[rows["active_students"].notna()].sort_values("active_students")
    if counted.empty:
        return []
    row = counted.iloc[-1].to_dict()
    return [
        Number(f"Most students: {row['tool_name']}", words.count(row["active_students"]),
               f"of {words.count(row['eligible_students'])} whom it is for ({words.percent(row['adoption_rate'])}), "
               f"{words.week(week)}", "active_students", ("mart_adoption",))
    ]  # fmt: skip


def _picture(rows: pd.DataFrame, minimum_n: int) -> None:
    ahead = rows[rows["days_to_renewal"] >= 0].sort_values("decide_by_on").to_dict("records")
    if not ahead:
        return
    drawn = pd.DataFrame(
        {
            "contract": [row["tool_name"] for row in ahead],
            "decide_by": [row["decide_by_on"] for row in ahead],
            "use": [contracts.use(row, minimum_n) for row in ahead],
            "state": [contracts.state(row) for row in ahead],
            "words": [
                f"{words.day(row['decide_by_on'])} · {words.money(row['price'], row['currency'])}" for row in ahead
            ],
        }
    )
    st.subheader("When each contract must be decided, and its price", anchor=False)
    charts.draw(
        charts.deadlines,
        drawn,
        today=rows["today"].max(),
        states=contracts.STATES,
        alt_text="Timeline of the dates by which each contract must be decided",
    )


def _columns(today: Any) -> list[Column]:
    def by(value: Any, row: Mapping[str, Any]) -> str:
        if words.is_missing(value):
            return "no date"
        return f"{words.day(value)} (past)" if value < today else words.day(value)

    return [
        Column("what", "Decision", text),
        Column("why", "What the data says", text),
        Column(
            "price",
            "Money",
            lambda value, row: "–" if words.is_missing(value) else words.money(value, row["currency"]),
            is_number=True,
        ),
        Column("decide_by", "Decide by", by),
        columns.name("look", "See page"),
    ]


def _summary_only(context: Context) -> None:
    everything = {"group_dimension": "all", "group_value": "all"}
    products = summary.by_value(context.reader, level="product", **everything)
    whole = summary.by_value(context.reader, level="all", **everything)
    if products.empty or whole.empty:
        frame.answer("There are no figures yet.")
        return
    top = products.iloc[0]
    gap = _widest_gap(context)
    reporting, listed = summary.districts(context.reader)
    doubt = f"{words.of(reporting, listed)} listed districts report; averages are over those that do."
    frame.answer(
        f"Nothing here has a date: this data holds daily use by product and no contracts. {top['level_value']} is "
        f"used most, by {top['mean_pct_access']:.1f}% of students on an average day.",
        doubt,
    )
    figures = [
        Number("Districts that report", words.of(reporting, listed),
               f"listed districts, data through {context.through}", "districts_reporting", ("mart_usage_summary",)),
        Number("Products with use", words.count(len(products)), f"named products, data through {context.through}",
               "products", ("mart_usage_summary",)),
        Number(f"Most used: {top['level_value']}", f"{top['mean_pct_access']:.1f}%",
               f"of students on an average day, {words.count(top['districts_reporting'])} districts", "pct_access",
               ("mart_usage_summary",)),
    ]  # fmt: skip
    if gap is not None:
        figures.append(
            Number("Widest clear gap", f"{abs(gap['gap_points']):.1f} points",
                   f"{words.group(gap['dimension'], gap['subgroup'])}: {_gap_in_words(gap)}", "equity_gap",
                   ("mart_equity_gap",))
        )  # fmt: skip
    frame.numbers(context, figures)
    weekly = summary.by_week(context.reader, level="all", **everything)
    st.subheader("Students on any product on an average day, at least, week by week", anchor=False)
    charts.draw(
        charts.lines,
        weekly.assign(level_value="Any product"),
        y="mean_pct_access",
        series="level_value",
        y_title="% of students (the most used product of the day)",
        is_share=False,
        order=["Any product"],
        alt_text="Line chart of the average share of students on a product, week by week",
    )
    st.caption(words.safe(frame.caution(context, "districts_reporting")))
    table(
        context,
        PAGE,
        "products",
        products,
        [
            columns.name("level_value", "Product"),
            columns.of("mean_pct_access", "% of students, average day", lambda number: words.number(number, 2)),
            columns.of("districts_reporting", "Districts that report it", words.count),
        ],
    )
    frame.next_steps(["See Adoption for what is used, and Equity for which kinds of districts are reached less."])


main()
