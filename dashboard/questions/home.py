"""What needs a decision now?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd
import streamlit as st

from components import charts, columns, frame, words
from components.frame import Context, Number
from components.table import Column, table
from queries import adoption, equity, summary, value

PAGE = "home"
QUESTION = "What needs a decision now?"
AHEAD_DAYS = 90


@dataclass(frozen=True)
class Decision:
    """Something that a person can decide. `decide_by` None: no date forces it."""

    what: str
    why: str
    usd: float | None
    decide_by: Any
    look: str


def main() -> None:
    context = frame.open_page(PAGE, QUESTION)
    if summary.is_summary_only(context.reader):
        _summary_only(context)
        return
    contracts = value.contracts(context.reader, school_year=None) if context.viewer.may_open("value") else None
    unknown = adoption.unknown(context.reader)
    gap = _widest_gap(context)
    decisions = [*_from_contracts(contracts), *_from_unknown(unknown), *_from_gap(gap), *_from_sources(context)]
    dated = [decision for decision in decisions if decision.decide_by is not None]
    _answer(context, decisions, dated)
    frame.numbers(context, _numbers(context, contracts, dated, gap))
    if contracts is not None and not contracts.empty:
        _picture(contracts)
    st.subheader("Decisions, the soonest first", anchor=False)
    rows = pd.DataFrame([asdict(decision) for decision in decisions])
    if rows.empty:
        st.caption("Nothing waits for a decision.")
    else:
        table(context, PAGE, "decisions", rows.sort_values("decide_by", na_position="last"), _columns())
    frame.next_steps(
        [
            "Take the first line of the table to your next EdTech meeting; the page named beside it holds the "
            "evidence.",
            "Write down what you decide and why; the numbers on this page will have moved by then.",
        ]
    )


def _from_contracts(contracts: pd.DataFrame | None) -> list[Decision]:
    if contracts is None:
        return []
    decisions = []
    for row in contracts.to_dict("records"):
        if not 0 <= row["days_to_renewal"] <= AHEAD_DAYS:
            continue
        unused = not words.is_missing(row["active_students"]) and row["active_students"] == 0
        what = f"{'Retire or restart' if unused else 'Renew, cut or end'} {row['tool_name']}"
        decisions.append(Decision(what, _use(row), row["cost_usd"], row["decide_by_on"], "Value"))
    return decisions


def _use(row: Mapping[Any, Any]) -> str:
    renews = f"renews on {words.day(row['renewal_on'])}"
    if not words.is_missing(row["active_students"]) and row["active_students"] == 0:
        return f"Nobody has used it; it {renews}"
    if not words.is_missing(row["utilisation_rate"]):
        return f"{words.percent(row['utilisation_rate'])} of {words.count(row['seats'])} seats used; it {renews}"
    if not words.is_missing(row["wasted_usd"]) and row["cost_usd"]:
        return (
            f"About {words.percent(row['wasted_usd'] / row['cost_usd'])} of its price not used (estimate); it {renews}"
        )
    return f"Too few students to show its use; it {renews}"


def _from_unknown(unknown: pd.DataFrame) -> list[Decision]:
    growing = unknown[(unknown["status"] == "unapproved") & (unknown["growth_ratio"] > 1)]
    return [
        Decision(
            f"Approve or block {row['tool_name'] or row['host']}",
            f"Not approved; {words.count(row['students'])} students in the last 4 weeks, "
            f"{words.count(row['students_previous_4_weeks'])} in the 4 before",
            None,
            None,
            "Adoption",
        )
        for row in growing.to_dict("records")
    ]


def _widest_gap(context: Context) -> pd.Series | None:
    if not context.viewer.may_open("equity"):
        return None
    choices = equity.choices(context.reader)
    wanted = choices[(choices["org_level"] == "district") & (choices["tool_key"] == adoption.ANY_TOOL)]
    wanted = wanted[wanted["metric"].isin(["adoption", "pct_access"])]
    if wanted.empty:
        return None
    first = wanted.iloc[0]
    rows = equity.gaps(
        context.reader,
        **{name: first[name] for name in ("basis", "org_level", "org_key", "period", "tool_key", "metric")},
    )
    clear = rows[rows["gap_ci_high"] < 0]
    return None if clear.empty else clear.iloc[0]


def _from_gap(gap: pd.Series | None) -> list[Decision]:
    if gap is None:
        return []
    group = words.in_sentence(words.group(gap["dimension"], gap["subgroup"]))
    return [
        Decision(
            f"Find out what keeps {group} from use",
            f"{words.percent(gap['group_rate'])} use a tool against {words.percent(gap['reference_rate'])} of the "
            "others "
            f"({words.count(gap['group_n'])} students)",
            None,
            None,
            "Equity",
        )
    ]


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


def _answer(context: Context, decisions: list[Decision], dated: list[Decision]) -> None:
    late = int((context.sources["is_stale"] | context.sources["is_failed"]).sum())
    doubt = f"{words.plural(late, 'source is', 'sources are')} late, so some figures may change." if late else ""
    if not decisions:
        frame.answer(f"Nothing waits for a decision in the data through {context.through}.", doubt)
        return
    others = len(decisions) - len(dated)
    if not dated:
        frame.answer(f"{words.plural(others, 'matter')} without a date: first, {_lower(decisions[0].what)}.", doubt)
        return
    first = min(dated, key=lambda decision: decision.decide_by)
    sentence = (
        f"{words.plural(len(dated), 'contract')} worth {words.money(sum(decision.usd or 0 for decision in dated))} "
        f"{'comes' if len(dated) == 1 else 'come'} up for renewal within {AHEAD_DAYS} days; the first decision is due "
        "by "
        f"{words.day(first.decide_by)}: {_lower(first.what)}."
    )
    if others:
        sentence += f" {words.plural(others, 'other matter')} {'has' if others == 1 else 'have'} no date."
    frame.answer(sentence, doubt)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _numbers(
    context: Context, contracts: pd.DataFrame | None, dated: list[Decision], gap: pd.Series | None
) -> list[Number]:
    figures = []
    if contracts is not None and not contracts.empty:
        cost, wasted = contracts["cost_usd"].sum(), contracts["wasted_usd"].sum()
        figures += [
            Number(f"Renewals within {AHEAD_DAYS} days", words.money(sum(decision.usd or 0 for decision in dated)),
                   f"{len(dated)} of {words.plural(len(contracts), 'contract')}, counted from "
                   f"{words.day(contracts['today'].max())}", "days_to_renewal", ("mart_value",)),
            Number("Paid and not used", words.money(wasted),
                   f"{words.percent(wasted / cost)} of {words.money(cost)}, data through {context.through}",
                   "wasted_usd", ("mart_value",)),
        ]  # fmt: skip
    figures += _use_number(context)
    if gap is not None:
        group = words.group(gap["dimension"], gap["subgroup"])
        figures.append(
            Number("Widest clear gap", f"{abs(gap['gap_points']):.0f} points",
                   f"{group}: {words.percent(gap['group_rate'])} against {words.percent(gap['reference_rate'])} of "
                   "the others, "
                   "last 4 school weeks", "equity_gap", ("mart_equity_gap",))
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
    full = weeks[weeks["is_full"].astype(bool)]
    if weeks.empty:
        return []
    week = (weeks if full.empty else full)["week_start_on"].iloc[0]
    rows = adoption.by_tool(
        context.reader, week=week.date(), org_level="district", org_key=None, dimension="all_students",
        subgroup="all_students",
    )  # fmt: skip
    anything = rows[rows["tool_key"] == adoption.ANY_TOOL]
    row = (anything if not anything.empty else rows).iloc[0].to_dict()
    label = "Used any tool" if not anything.empty else f"Most used: {row['tool_name']}"
    return [
        Number(label, words.rate_or_reason(row["adoption_rate"], row),
               f"{words.count_or_reason(row['active_students'], row, context.minimum_n)} of "
               f"{words.count_or_reason(row['eligible_students'], row, context.minimum_n)} students, "
               f"{words.week(week)}",
               "adoption_rate", ("mart_adoption",))
    ]  # fmt: skip


def _picture(contracts: pd.DataFrame) -> None:
    ahead = contracts[contracts["days_to_renewal"] >= 0].sort_values("decide_by_on")
    if ahead.empty:
        return
    rows = ahead.to_dict("records")
    states = [
        "Use not shown"
        if words.is_missing(row["active_students"])
        else "Nobody uses it"
        if row["active_students"] == 0
        else "In use"
        for row in rows
    ]
    drawn = pd.DataFrame(
        {
            "contract": [row["tool_name"] for row in rows],
            "decide_by": ahead["decide_by_on"].tolist(),
            "usd": [float(row["cost_usd"]) for row in rows],
            "use": [_use(row) for row in rows],
            "state": states,
            "words": [f"{words.day(row['decide_by_on'])} · {words.money(row['cost_usd'])}" for row in rows],
        }
    )
    st.subheader("When each contract must be decided, and what it costs", anchor=False)
    charts.draw(
        charts.deadlines(drawn, today=contracts["today"].max()),
        alt_text="Timeline of the dates by which each contract must be decided",
    )


def _columns() -> list[Column]:
    def by(value: Any, row: Mapping[str, Any]) -> str:
        return "no date" if words.is_missing(value) else words.day(value)

    return [
        columns.name("what", "Decision"),
        columns.name("why", "What the data says"),
        Column(
            "usd", "Money", lambda value, row: "–" if words.is_missing(value) else words.money(value), is_number=True
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
    top, every = products.iloc[0], whole.iloc[0]
    gap = _widest_gap(context)
    doubt = (
        f"{words.count(every['districts_reporting'])} of {words.count(every['districts_total'])} districts report; "
        "averages over them lean to those that do."
    )
    frame.answer(
        f"Nothing here has a date: this data holds daily use by product and no contracts. {top['level_value']} is used "
        f"most, by {top['mean_pct_access']:.1f}% of students on an average day.",
        doubt,
    )
    figures = [
        Number("Districts that report", words.count(every["districts_reporting"]),
               f"of {words.count(every['districts_total'])}, data through {context.through}", "districts_reporting",
               ("mart_usage_summary",)),
        Number("Products with use", words.count(len(products)), f"named products, data through {context.through}",
               "products", ("mart_usage_summary",)),
        Number(f"Most used: {top['level_value']}", f"{top['mean_pct_access']:.1f}%",
               f"of students on an average day, {words.count(top['districts_reporting'])} districts", "pct_access",
               ("mart_usage_summary",)),
    ]  # fmt: skip
    if gap is not None:
        figures.append(
            Number("Widest clear gap", f"{abs(gap['gap_points']):.1f} points",
                   f"{words.group(gap['dimension'], gap['subgroup'])}, {words.count(gap['group_n'])} districts",
                   "equity_gap", ("mart_equity_gap",))
        )  # fmt: skip
    frame.numbers(context, figures)
    weekly = summary.by_week(context.reader, level="all", **everything)
    st.subheader("Students on a product on an average day, week by week", anchor=False)
    charts.draw(
        charts.lines(weekly.assign(level_value="All products"), y="mean_pct_access",
                     series="level_value", y_title="% of students, average of a product and day", is_share=False,
                     order=["All products"]),
        alt_text="Line chart of the average share of students on a product, week by week",
    )  # fmt: skip
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
