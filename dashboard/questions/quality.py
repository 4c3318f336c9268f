"""Can we trust these numbers?"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from components import charts, columns, filters, frame, words
from components.frame import Context, Number
from components.table import Column, table
from queries import quality

PAGE = "quality"
QUESTION = "Can we trust these numbers?"
RUNS = 20
VIEWS = [
    "Sources",
    "From source to page",
    "Counts that must agree",
    "Checks",
    "Rows set aside",
    "Use we can place",
    "People we can place",
]
PLAIN = {
    "pulled": "read",
    "landed": "kept",
    "quarantined": "set aside",
    "staged": "current",
    "held by the ledger": "kept, by the record",
    "read from the lake": "kept, by the files",
    "masquerades": "staff looking as a student",
    "over all pulls": "in all",
}
STATES = {"failed": "could not be read", "never_pulled": "not read yet", "warning": "read, with a warning"}
FROM = {"received": "its receipt", "pulled": "the reading"}
WAYS = {
    "sis_id": "by the SIS id",
    "email": "by the e-mail address",
    "crosswalk": "by the district's own list",
    "ambiguous": "not found: the address leads to several people",
    "one_roster": "in this roster only",
    "unknown": "not found: in no roster",
}
REASONS = {
    "missing_key": "has no key",
    "missing_required": "lacks a value that it must have",
    "bad_date": "has a date that does not exist",
    "truncated": "was cut off",
    "unreadable": "cannot be read",
}


def main() -> None:
    context = frame.open_page(PAGE, QUESTION)
    reader = context.reader
    health, agreed = quality.health(reader), quality.reconciliation(reader)
    aside, matched = quality.quarantine(reader), quality.match_rates(reader)
    history, age = quality.check_history(reader), quality.freshness(reader)
    _answer(context, agreed, matched, age)
    frame.numbers(context, _numbers(context, agreed, aside, matched, health))
    _picture(context, history)
    st.subheader("Look closer", anchor=False)
    view = filters.view("Show", VIEWS, key="show")
    {
        "Sources": lambda: _sources(context, health),
        "From source to page": lambda: _ages(context, age),
        "Counts that must agree": lambda: _agreed(context, agreed),
        "Checks": lambda: _checks(context, history),
        "Rows set aside": lambda: _aside(context, aside),
        "Use we can place": lambda: _matched(context, matched),
        "People we can place": lambda: _people(context),
    }[view]()
    _report(context)
    frame.next_steps(_steps(context, health, agreed, aside, age))


def _left(aside: pd.DataFrame) -> int:
    return int(aside["rows"].sum())


def _warnings(context: Context) -> list[dict[str, Any]]:
    return list((context.reader.manifest.get("checks") or {}).get("failed_warning") or [])


def _too_late(age: pd.DataFrame) -> pd.DataFrame:
    return age[age["is_within_goal"].eq(False).fillna(False)]


def _answer(context: Context, agreed: pd.DataFrame, matched: pd.DataFrame, age: pd.DataFrame) -> None:
    late = context.sources[context.sources["is_stale"] | context.sources["is_failed"]]
    wrong = agreed[~agreed["is_reconciled"].astype(bool)]
    warned = _warnings(context)
    troubles = []
    if len(late):
        names = words.listed([words.source(name) for name in late["source"]])
        troubles.append(f"{names} {'is' if len(late) == 1 else 'are'} late or cannot be read")
    slow = [words.source(name) for name in _too_late(age)["source"] if name not in set(late["source"])]
    if slow:
        troubles.append(f"{words.listed(slow)} took longer than promised")
    if len(wrong):
        troubles.append(f"{words.plural(len(wrong), 'count does', 'counts do')} not agree")
    if warned:
        troubles.append(f"{words.plural(len(warned), 'check warns', 'checks warn')}")
    events = matched["events"].sum()
    doubt = ""
    if events:
        share = matched["events_matched_person"].sum() / events
        doubt = f"{words.percent(1 - share)} of the recorded use cannot be tied to a student and is counted for no one."
    if troubles:
        frame.answer(f"With care: {words.listed(troubles)}. Every check that must hold does hold.", doubt)
    else:
        frame.answer(
            f"Yes: {_all(len(context.sources))} up to date through {context.through}, every count agrees, and every "
            "check that must hold does hold.",
            doubt,
        )


def _all(sources: int) -> str:
    return "the only source is" if sources == 1 else f"all {sources} sources are"


def _numbers(
    context: Context, agreed: pd.DataFrame, aside: pd.DataFrame, matched: pd.DataFrame, health: pd.DataFrame
) -> list[Number]:
    sources = context.sources
    fresh = sources[~(sources["is_stale"] | sources["is_failed"])]
    checks = context.reader.manifest.get("checks") or {}
    passed, warned = int(checks.get("passed") or 0), len(_warnings(context))
    landed = health["rows_landed"].sum()
    left = _left(aside)
    when = f"data through {context.through}"
    figures = [
        Number("Sources up to date", words.of(len(fresh), len(sources)), when,
               "source_freshness", ("mart_source_health",)),
        Number("Counts that agree", words.of(agreed["is_reconciled"].sum(), len(agreed)),
               f"pairs of counts compared, {when}", "reconciliation", ("mart_reconciliation",)),
        Number("Checks that hold", words.of(passed, passed + warned), f"checks of this snapshot, {when}",
               "checks", ()),
        Number("Rows set aside", words.count(left), f"of {words.count(landed + left)} rows read, and not yet mended",
               "quarantine", ("mart_quarantine",)),
    ]  # fmt: skip
    events = matched["events"].sum()
    if events:
        figures.append(
            Number("Use tied to a student", words.percent(matched["events_matched_person"].sum() / events, 1),
                   f"of {words.count(events)} visits and page views, {when}", "coverage_rate", ("mart_match_rate",))
        )  # fmt: skip
    return figures


def _picture(context: Context, history: pd.DataFrame) -> None:
    st.subheader("Did the checks hold, run after run?", anchor=False)
    if history.empty:
        st.caption("The history begins with the next check run: a snapshot holds the runs before its own.")
        return
    runs = history.groupby("snapshot_id")["checked_at"].max().sort_index().tail(RUNS)
    place = {snapshot: number for number, snapshot in enumerate(runs.index)}
    kept = history[history["snapshot_id"].isin(place)]
    result = kept["is_success"].map({True: "holds", False: "fails"})
    result = result.where(kept["is_success"] | (kept["severity"] == "critical"), "warning")
    drawn = kept.assign(result=result).groupby(["snapshot_id", "result"]).size().rename("checks").reset_index()
    drawn["place"] = drawn["snapshot_id"].map(place)
    names = pd.Series([words.moment(at, context.zone) for at in runs], index=runs.index)
    # Two runs within a minute are two bars.
    names += names.groupby(names).cumcount().map(lambda number: f" ({number + 1})" if number else "")
    drawn["run"] = drawn["snapshot_id"].map(names)
    charts.draw(
        charts.check_runs,
        drawn.drop(columns="snapshot_id"),
        alt_text="Bar chart of the checks that held, warned and failed in each check run",
    )
    st.caption("A failed run is never published: readers keep the last good snapshot.")


def _sources(context: Context, health: pd.DataFrame) -> None:
    def state(value: Any, row: Mapping[str, Any]) -> str:
        if value in STATES:
            return STATES[value]
        return "late" if row["is_stale"] else "up to date"

    table(
        context,
        PAGE,
        "sources",
        health,
        [
            columns.words_of("source", "Source", words.source),
            columns.words_of("resource", "What is read", words.resource),
            Column("status", "State", state),
            columns.words_of("last_good_pull_at", "Last good read", lambda value: words.moment(value, context.zone)),
            columns.words_of("data_complete_through", "Data through", _through),
            columns.of("rows_landed", "Rows kept", words.count),
            columns.of("rows_quarantined", "Rows set aside", words.count),
            columns.remark("message", "What happened"),
            columns.remark("remedy", "How to mend it"),
        ],
    )


def _ages(context: Context, age: pd.DataFrame) -> None:
    st.caption(
        "How long a row took to a page, in the last day of publications before this one. What is sent counts from "
        "its receipt; what we read counts from the start of the reading, because nobody knows how long it lay at its "
        "source."
    )
    table(
        context,
        PAGE,
        "freshness",
        age,
        [
            columns.words_of("source", "Source", words.source),
            columns.words_of("basis", "Counted from", lambda value: FROM.get(value, "–")),
            columns.of("p50_seconds", "Half of the rows within", _span),
            columns.of("p95_seconds", "95% within", _span),
            columns.of("goal_seconds", "Goal for 95%", _span),
            columns.words_of("is_within_goal", "Within the goal", _within),
            columns.of("row_count", "Rows", words.count),
            columns.words_of("last_published_at", "Last shown", lambda value: words.moment(value, context.zone)),
        ],
    )


def _within(value: Any) -> str:
    return "not measured yet" if words.is_missing(value) else "yes" if value else "no"


def _span(value: Any) -> str:
    """Seconds, as a person says them."""
    if words.is_missing(value):
        return "–"
    return f"{value:,.0f} s" if value < 600 else f"{value / 60:,.0f} min"


def _through(value: Any) -> str:
    """A register has no last day: it holds what it holds."""
    return "–" if words.is_missing(value) else words.day(value)


def _or_nothing(value: Any) -> str:
    return "" if words.is_missing(value) else str(value)


def _agreed(context: Context, agreed: pd.DataFrame) -> None:
    st.caption("Two ways to the same count: what a source says it sent, what was kept, and what the pages show.")
    table(
        context,
        PAGE,
        "reconciliation",
        agreed,
        [
            columns.words_of("source", "Source", words.source),
            columns.words_of("resource", "What", words.resource),
            columns.words_of("measure", "Count", _plain_count),
            columns.of("expected", "Should be", _exact),
            columns.of("actual", "Is", _exact),
            columns.of("difference", "Difference", _exact),
            columns.words_of("is_reconciled", "Agrees", lambda value: "yes" if value else "no"),
            Column(
                "note",
                "Note",
                lambda value, row: "" if words.is_missing(value) else _plain_count(value),
                only_if_any=True,
            ),
        ],
    )


def _plain_count(value: Any) -> str:
    """Without the words of those who built it, and with thousands that can be read."""
    said = str(value)
    for word, meaning in PLAIN.items():
        said = said.replace(word, meaning)
    said = re.sub(r"\d{5,}", lambda digits: f"{int(digits[0]):,}", said)
    return said[:1].upper() + said[1:]


def _exact(value: Any) -> str:
    if words.is_missing(value):
        return words.NOT_KNOWN
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def _checks(context: Context, history: pd.DataFrame) -> None:
    only = st.toggle("Only checks that did not hold", key="failed_only", bind="query-params")
    rows = history[~history["is_success"].astype(bool)] if only else history
    st.caption(
        "Newest first. Every run is kept, so that an auditor can see when a check failed and when it was mended."
    )
    table(
        context,
        PAGE,
        "checks",
        rows.assign(what=rows["description"].fillna(rows["check_id"])),
        [
            columns.words_of("checked_at", "When", lambda value: words.moment(value, context.zone)),
            columns.name("what", "What is checked"),
            columns.words_of("is_success", "Result", lambda value: "holds" if value else "fails"),
            columns.words_of(
                "severity", "Must it hold?", lambda value: "yes" if value == "critical" else "warning only"
            ),
            columns.remark("observed", "Found"),
            columns.words_of("table_name", "Table", _or_nothing),
            columns.remark("remedy", "How to resolve"),
        ],
    )


def _aside(context: Context, aside: pd.DataFrame) -> None:
    st.caption(
        "Rows that broke their contract are kept apart with the reason, sealed, and can be read again once the cause "
        "is mended. None is thrown away."
    )
    table(
        context,
        PAGE,
        "quarantine",
        aside,
        [
            columns.words_of("source", "Source", words.source),
            columns.words_of("resource", "What", words.resource),
            columns.words_of("reason", "Why", _reason),
            columns.remark("column_name", "Field"),
            columns.of("rows", "Rows set aside", words.count),
            columns.of("replayed_rows", "Read again since", words.count),
            columns.words_of("first_at", "First", lambda value: words.moment(value, context.zone)),
            columns.words_of("last_at", "Last", lambda value: words.moment(value, context.zone)),
        ],
    )


def _reason(value: Any) -> str:
    code = str(value)
    if code in REASONS:
        return f"The row {REASONS[code]}"
    if code.startswith("not_"):
        return f"The value is not a {words.plain(code.removeprefix('not_')).lower()}"
    return words.plain(code)


def _matched(context: Context, matched: pd.DataFrame) -> None:
    st.caption("Use that cannot be tied to a student or to a tool is counted here and guessed nowhere.")

    def share(value: Any, row: Mapping[str, Any]) -> str:
        return words.percent(value / row["events"], 1) if row["events"] else words.NOT_KNOWN

    table(
        context,
        PAGE,
        "matching",
        matched,
        [
            columns.words_of("source", "Source", words.source),
            columns.of("events", "Visits and page views", words.count),
            Column("events_matched_person", "Tied to a person", share, is_number=True),
            Column("events_matched_tool", "Tied to a known tool", share, is_number=True),
        ],
    )


def _people(context: Context) -> None:
    st.caption(
        "Who is in several rosters is counted once, and an account counts for the person behind it. Who cannot be "
        "found stays apart; nobody is guessed."
    )
    few = f"fewer than {context.minimum_n}"

    def people(value: Any, row: Mapping[str, Any]) -> str:
        return words.count_or_reason(value, row, context.minimum_n)

    def count(value: Any) -> str:
        return few if words.is_missing(value) else words.count(value)

    table(
        context,
        PAGE,
        "people",
        quality.identity_matches(context.reader),
        [
            columns.words_of("source", "Source", words.source),
            columns.words_of("who", "Who", words.plain),
            columns.words_of("linked_by", "Found", lambda value: WAYS.get(value, words.plain(value))),
            Column("people", "So many", people, is_number=True),
            columns.of("people_in_all", "Of", count),
        ],
    )
    unknown = quality.unknown_words(context.reader)
    if unknown.empty:
        return
    st.caption("Words of rosters that nobody here knows. What they say of a student is missing in the numbers.")
    table(
        context,
        PAGE,
        "words",
        unknown,
        [
            columns.words_of("source", "Source", words.source),
            columns.words_of("vocabulary", "What it says", words.plain),
            columns.words_of("word", "Word", lambda value: "rare words" if words.is_missing(value) else str(value)),
            columns.of("people", "Said of", count),
        ],
    )


def _report(context: Context) -> None:
    address = os.environ.get("UPTAKE_DATA_DOCS_URL")
    if address:
        st.link_button(
            "Open the full check report",
            f"{address.rstrip('/')}/{context.reader.district_id}/index.html",
            icon=":material/open_in_new:",
        )
    else:
        st.caption("The full check report is not served here: UPTAKE_DATA_DOCS_URL is not set.")


def _steps(
    context: Context, health: pd.DataFrame, agreed: pd.DataFrame, aside: pd.DataFrame, age: pd.DataFrame
) -> list[str]:
    steps = []
    bad = health[(health["status"] != "good") | health["is_stale"].astype(bool)]
    for row in bad.head(3).to_dict("records"):
        what = _or_nothing(row["message"]) or "late"
        mend = _or_nothing(row["remedy"]) or "ask your data engineer to look at the last pull."
        steps.append(f"{words.source(row['source'])}, {words.resource(row['resource'])}: {what}. To mend it: {mend}")
    for row in _too_late(age).head(2).to_dict("records"):
        steps.append(
            f"{words.source(row['source'])} took {_span(row['p95_seconds'])} to the page, the goal is "
            f"{_span(row['goal_seconds'])}: ask your data engineer to look at the publish runs."
        )
    wrong = agreed[~agreed["is_reconciled"].astype(bool)]
    if len(wrong):
        steps.append(
            f"Ask your data engineer about the {words.plural(len(wrong), 'count')} that do not agree before you quote "
            "them."
        )
    for check in _warnings(context)[:2]:
        steps.append(f"{frame.check_line(check)} To resolve: {check.get('remedy')}")
    if left := _left(aside):
        steps.append(
            f"{words.plural(left, 'row is', 'rows are')} set aside: mend the cause at the source, then read them again."
        )
    return steps or ["Nothing to do. The next check runs with the next data."]


main()
