"""Which tools are our students using, and where?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd
import streamlit as st

from components import charts, columns, filters, frame, words
from components.frame import Context, Number
from components.table import Column, table
from queries import adoption, quality, summary

PAGE = "adoption"
QUESTION = "Which tools are our students using, and where?"
DISTRICT = "Whole district"
TABLES = ("mart_adoption",)
LINES = 6
ROWS = 15
GAP_30 = "minutes_per_active_student_gap_30"


def main() -> None:
    context = frame.open_page(PAGE, QUESTION)
    if summary.is_summary_only(context.reader):
        _summary_only(context)
    else:
        _students(context)


def _students(context: Context) -> None:
    reader = context.reader
    weeks = adoption.weeks(reader)
    if weeks.empty:
        frame.answer("No use has been recorded yet.", f"The data goes through {context.through}.")
        return
    top = st.container()
    week, (level, key, place), (dimension, subgroup), tool = _choices(context, weeks)
    tools = adoption.by_tool(reader, week=week, org_level=level, org_key=key, dimension=dimension, subgroup=subgroup)
    if tool:
        tools = tools[tools["tool_key"] == tool]
    unused, unknown = adoption.unused(reader), adoption.unknown(reader)
    with top:
        _answer(context, tools, unused, week=week, place=place, group=words.group(dimension, subgroup))
    frame.numbers(context, _numbers(context, tools, unused, unknown, week=week))
    _picture(context, week=week, level=level, key=key, place=place, dimension=dimension, subgroup=subgroup, tool=tool)
    st.subheader(f"Tools in {place}, {words.week(week)}", anchor=False)
    table(context, PAGE, "adoption", tools, _tool_columns(context))
    if level == "school" and tool and key:
        _classes(context, week=week, school_key=key, tool_key=tool, place=place)
    _unused_and_unknown(context, unused, unknown)
    frame.next_steps(_steps(tools, unused, unknown))


def _choices(context: Context, weeks: pd.DataFrame) -> tuple[date, tuple[str, str | None, str], tuple[str, str], str]:
    reader = context.reader
    first, second, third, fourth = st.columns(4)
    by_week = {str(start.date()): words.day(start) for start in pd.to_datetime(weeks["week_start_on"])}
    with first:
        week = filters.choose("Week of", by_week, key="week")
    places = adoption.places(reader)
    with second:
        options = {"district/": DISTRICT} | {
            f"{row.org_level}/{row.org_key}": str(row.org_name) for row in places.itertuples()
        }
        chosen = filters.choose("Where", options, key="where")
    with third:
        groups = {
            f"{row.dimension}/{row.subgroup}": words.group(row.dimension, row.subgroup)
            for row in adoption.groups(reader).itertuples()
            if row.dimension == "all_students" or not chosen.startswith("grade/")
        }
        group = filters.choose("Which students", groups, key="group")
    with fourth:
        tools = {"": "All tools"} | dict(adoption.tools(reader).itertuples(index=False))
        tool = filters.choose("Tool", tools, key="tool")
    level, _, key = chosen.partition("/")
    dimension, _, subgroup = group.partition("/")
    place = "the district" if level == "district" else options[chosen]
    return date.fromisoformat(week), (level, key or None, place), (dimension, subgroup), tool


def _answer(context: Context, tools: pd.DataFrame, unused: pd.DataFrame, *, week: date, place: str, group: str) -> None:
    """The tool that reached most; a figure that may only be told as a limit is told as one."""
    when = f"in the {words.week(week)}"
    if tools.empty:
        frame.answer(f"There are no figures for {place} {when}.")
        return
    top = tools.iloc[0].to_dict()
    who = "students" if group == "All students" else words.in_sentence(group)
    if words.is_missing(top["adoption_rate"]) and words.rate_or_reason(None, top) in words.NOTHING_TO_TELL:
        reason = words.why_hidden(top["suppression_reason"], context.minimum_n)
        frame.answer(f"No figure can be shown for {who} in {place} {when}.", reason)
        return
    active = words.count_or_reason(top["active_students"], top, context.minimum_n)
    eligible = words.count_or_reason(top["eligible_students"], top, context.minimum_n)
    share = words.rate_or_reason(top["adoption_rate"], top)
    if len(tools) == 1:
        sentence = f"{active} of {eligible} {who} in {place} used {top['tool_name']} {when} ({share})."
    else:
        sentence = (
            f"{top['tool_name']} has the highest adoption: {active} of the {eligible} {who} it is for in {place} used "
            f"it {when} ({share})."
        )
        most = _most_students(tools)
        if most is not None and most["tool_key"] != top["tool_key"]:
            sentence += f" {most['tool_name']} reaches the most students, {words.count(most['active_students'])}."
    if len(tools) > 1 and len(unused):
        sentence += (
            f" {words.plural(len(unused), 'licensed tool is', 'licensed tools are')} used by nobody in the district."
        )
    frame.answer(f"{sentence[:1].upper()}{sentence[1:]}", _doubt(context))


def _most_students(tools: pd.DataFrame) -> dict[Any, Any] | None:
    counted = tools[tools["active_students"].notna()]
    return None if counted.empty else counted.sort_values("active_students").iloc[-1].to_dict()


def _doubt(context: Context) -> str:
    matched = quality.match_rates(context.reader)
    events = matched["events"].sum()
    if not events:
        return ""
    share = matched["events_matched_person"].sum() / events
    return f"{words.percent(share)} of the recorded use could be tied to a student, so true use may be a little higher."


def _numbers(
    context: Context, tools: pd.DataFrame, unused: pd.DataFrame, unknown: pd.DataFrame, *, week: date
) -> list[Number]:
    when, several = words.week(week), len(tools) > 1
    figures = []
    if not tools.empty:
        top = tools.iloc[0].to_dict()
        figures.append(
            Number(f"{'Highest adoption: ' if several else 'Used '}{top['tool_name']}",
                   words.rate_or_reason(top["adoption_rate"], top),
                   f"{words.count_or_reason(top['active_students'], top, context.minimum_n)} of "
                   f"{words.count_or_reason(top['eligible_students'], top, context.minimum_n)} students, {when}",
                   "adoption_rate", TABLES)
        )  # fmt: skip
        most = _most_students(tools)
        if several and most is not None:
            figures.append(
                Number(f"Most students: {most['tool_name']}", words.count(most["active_students"]),
                       f"of {words.count(most['eligible_students'])} whom it is for, {when}", "active_students", TABLES)
            )  # fmt: skip
        steady = tools.sort_values("consistent_rate", ascending=False, na_position="last").iloc[0]
        if not words.is_missing(steady["consistent_rate"]):
            figures.append(
                Number(f"{'Most consistent: ' if several else 'Kept using '}{steady['tool_name']}",
                       words.percent(steady["consistent_rate"]),
                       f"{words.count(steady['consistent_students'])} of {words.count(steady['eligible_students'])} "
                       f"students kept it up, weeks to {words.day(week)}", "consistent_rate", TABLES)
            )  # fmt: skip
    figures.append(
        Number("Licenses nobody uses", words.count(len(unused)),
               f"{words.amounts(unused, 'cost')} so far this school year, data through {context.through}",
               "unused_tool", ("mart_unused_tool",))
    )  # fmt: skip
    unapproved, unmatched = (unknown[unknown["status"] == status] for status in ("unapproved", "unmatched"))
    open_tools = len(unknown) - len(unapproved) - len(unmatched)
    undecided = f", {words.plural(open_tools, 'tool', 'tools')} that nobody has decided on" if open_tools else ""
    figures.append(
        Number("Unapproved tools in use", words.count(len(unapproved)),
               f"and {words.plural(len(unmatched), 'web address', 'web addresses')} that no tool in the catalog "
               f"explains{undecided}, data through {context.through}", "unknown_tool", ("mart_unknown_tool",))
    )  # fmt: skip
    return figures


def _picture(
    context: Context, *, week: date, level: str, key: str | None, place: str, dimension: str, subgroup: str, tool: str
) -> None:
    look = filters.view("Look at", ["By school", "By grade", "Over time"], key="look")
    if look == "Over time":
        rows = adoption.trend(context.reader, org_level=level, org_key=key, dimension=dimension, subgroup=subgroup)
        rows = rows[rows["tool_key"] == tool] if tool else rows
        latest = rows.dropna(subset=["adoption_rate"]).groupby("tool_name")["adoption_rate"].last()
        order = latest.sort_values(ascending=False).index.tolist()
        st.subheader(f"Share of students using each tool, week by week, {place}", anchor=False)
        if not order:
            st.caption(f"Nothing can be drawn: fewer than {context.minimum_n} students, or no figures, in every week.")
            return
        charts.draw(
            charts.lines,
            rows[rows["tool_name"].isin(order[:LINES])],
            y="adoption_rate",
            series="tool_name",
            y_title="Share of eligible students",
            is_share=True,
            order=order[:LINES],
            alt_text="Line chart of the share of students that used each tool, week by week",
        )
        if len(order) > LINES:
            st.caption(
                f"The {LINES} most used tools are drawn; the table lists all. A break in a line is a hidden figure."
            )
        return
    level = "school" if look == "By school" else "grade"
    rows = adoption.by_place(context.reader, week=week, org_level=level, dimension=dimension, subgroup=subgroup)
    rows = rows[rows["tool_key"] == tool] if tool else rows
    if rows.empty:
        only = "Grades are shown for all students only." if level == "grade" and dimension != "all_students" else ""
        st.caption(f"No figures by {level} for this choice of students. {only}".strip())
        return
    drawn = rows.groupby("tool_key")["adoption_rate"].max().sort_values(ascending=False).head(ROWS).index
    left_out = rows["tool_key"].nunique() - len(drawn)
    rows = rows[rows["tool_key"].isin(drawn)]
    rows = rows.assign(
        share=rows["adoption_rate"],
        words=[words.short(words.rate_or_reason(row["adoption_rate"], row)) for row in rows.to_dict("records")],
    ).rename(columns={"tool_name": "Tool", "org_name": "Place"})
    st.subheader(f"Share of students who used each tool, {level} by {level}, {words.week(week)}", anchor=False)
    places = rows.drop_duplicates("org_key")
    rank = places["Place"] if level == "school" else places["org_key"].map(words.grade_rank)
    order = places.assign(rank=rank).sort_values("rank")["Place"].tolist()
    charts.draw(
        charts.heat_map,
        rows[["Tool", "Place", "share", "words"]],
        row="Tool",
        column="Place",
        rate="share",
        words="words",
        column_order=order,
        alt_text=f"Share of eligible students that used each tool in each {level}",
    )
    _explain_cells(context, rows, left_out)


def _explain_cells(context: Context, rows: pd.DataFrame, left_out: int) -> None:
    hidden = rows[rows["adoption_rate"].isna()]["suppression_reason"].dropna().unique()
    lines = [f"The {ROWS} tools with the highest adoption; the table lists all."] if left_out else []
    if len(rows) < rows["Tool"].nunique() * rows["Place"].nunique():
        lines.append("Blank: the tool is not meant for that place.")
    if len(hidden):
        lines.append("Grey cells. " + " ".join(words.why_hidden(reason, context.minimum_n) for reason in hidden))
    if lines:
        st.caption(words.safe(" ".join(lines)))


def _tool_columns(context: Context) -> list[Column]:
    return [
        columns.name("tool_name", "Tool"),
        columns.words_of("is_paid", "Paid for", lambda value: "yes" if value else "no"),
        columns.students("eligible_students", "Students it is for", context),
        columns.students("active_students", "Used it", context),
        columns.rate("adoption_rate", "Share who used it"),
        columns.kept_up(context),
        columns.of(
            "minutes_per_active_student", "Minutes per user", _minutes, about="In the week, for students who used it."
        ),
        columns.words_of("minutes_method", "How minutes are known", words.method),
        Column(
            "minutes_per_active_student_gap_5",
            "With other pauses",
            _by_pauses,
            is_number=True,
            only_if_any=True,
            help="Minutes per user if a pause of 5 minutes ended a sitting, and if it took 30. Where minutes are "
            "worked out from the time between visits, this is how much they hang on that choice.",
        ),
        columns.why(context),
    ]


def _by_pauses(value: Any, row: Mapping[str, Any]) -> str:
    return "" if words.is_missing(value) else f"{words.count(value)} to {words.count(row[GAP_30])}"


def _minutes(value: Any) -> str:
    return "–" if words.is_missing(value) else words.count(value)


def _classes(context: Context, *, week: date, school_key: str, tool_key: str, place: str) -> None:
    rows = adoption.classes(context.reader, week=week, school_key=school_key, tool_key=tool_key)
    st.subheader(f"Classes of {place}, {words.week(week)}", anchor=False)
    table(
        context,
        PAGE,
        "classes",
        rows,
        [
            columns.name("org_name", "Class"),
            columns.students("eligible_students", "Students it is for", context),
            columns.rate("adoption_rate", "Share who used it"),
            columns.why(context),
        ],
    )


def _unused_and_unknown(context: Context, unused: pd.DataFrame, unknown: pd.DataFrame) -> None:
    st.subheader("Licenses that nobody uses", anchor=False)
    table(
        context,
        PAGE,
        "unused",
        unused,
        [
            columns.name("tool_name", "Tool"),
            columns.money("cost", "Cost so far"),
            columns.of("seats", "Seats", words.count),
            columns.of("weeks_without_use", "School weeks without use", words.count),
            columns.words_of("last_used_on", "Last used", _last_used),
            columns.words_of("renewal_on", "Renews on", words.day),
        ],
    )
    st.subheader("Tools that are not approved, or not known", anchor=False)
    table(
        context,
        PAGE,
        "unknown",
        unknown,
        [
            columns.name("tool_name", "Tool or web address"),
            columns.words_of("status", "What we know", _status),
            columns.students("students", "Students, last 4 weeks", context),
            columns.students("students_previous_4_weeks", "4 weeks before", context),
            columns.of("schools", "Schools", _or_hidden),
            columns.words_of("first_seen_on", "First seen", _first_seen),
            columns.words_of("last_seen_on", "Last seen", _first_seen),
        ],
    )
    st.caption(
        "Each of these waits for a decision. Your data team records it in the tool catalog, and past use is then told "
        "under the tool's name."
    )


def _or_hidden(value: Any) -> str:
    return "hidden" if words.is_missing(value) else words.count(value)


def _first_seen(value: Any) -> str:
    return "–" if words.is_missing(value) else words.day(value)


def _last_used(value: Any) -> str:
    return "never this year" if words.is_missing(value) else words.day(value)


def _status(value: Any) -> str:
    told = {"unapproved": "not approved", "known": "nobody has decided", "unmatched": "not in the catalog"}
    return told[value]


def _steps(tools: pd.DataFrame, unused: pd.DataFrame, unknown: pd.DataFrame) -> list[str]:
    steps = []
    paid = tools[tools["adoption_rate"].notna() & tools["is_paid"].astype(bool)]
    if len(paid) > 1:
        low = paid.iloc[-1]
        steps.append(
            f"Ask why {low['tool_name']}, which is paid for, reaches only {words.percent(low['adoption_rate'])}: no "
            "account, no training, no device, or not needed? Choose one school above to see where it works."
        )
    if not unused.empty:
        steps.append(
            f"Retire or restart {words.listed(list(unused['tool_name']))} before "
            f"{words.day(unused['renewal_on'].min())}; see Value for what it costs."
        )
    spreading = adoption.spreading(unknown)
    if not spreading.empty:
        steps.append(
            f"Review {words.listed(list(spreading['tool_name']))} with your privacy lead: not approved, and used by "
            "more students than four weeks ago."
        )
    return steps or ["Nothing here asks for a decision now. Look again after the next full week."]


def _summary_only(context: Context) -> None:
    reader = context.reader
    pairs = summary.group_dimensions(reader)
    head = st.container()
    first, second = st.columns(2)
    with first:
        level = filters.choose(
            "Look at", {"product": "Products", "sector": "Sectors", "function": "What they are for"}, key="level"
        )
    with second:
        options = {
            f"{row.group_dimension}/{row.group_value}": "All districts"
            if row.group_dimension == "all"
            else words.group(row.group_dimension, row.group_value)
            for row in pairs.itertuples()
        }
        chosen = filters.choose("Which districts", options, key="band")
    dimension, _, value = chosen.partition("/")
    rows = summary.by_value(reader, level=level, group_dimension=dimension, group_value=value)
    every = summary.by_value(reader, level="all", group_dimension=dimension, group_value=value)
    if rows.empty or every.empty:
        frame.answer("There are no figures for this choice.")
        return
    top, whole = rows.iloc[0], every.iloc[0]
    period = f"{words.day(whole['first_week'])} to {words.day(whole['last_week'])}"
    with head:
        frame.answer(
            f"{top['level_value']} was used most: on an average day {top['mean_pct_access']:.1f}% of students opened "
            f"it, in the {words.plural(int(top['districts_reporting']), 'district')} that report it, {period}.",
            _coverage(context),
        )
    reporting = f"{words.count(whole['districts_reporting'])} of {words.count(whole['districts_total'])} districts"
    frame.numbers(
        context,
        [
            Number("Districts that report", words.of(*summary.districts(reader)), f"listed districts, {period}",
                   "districts_reporting", ("mart_usage_summary",)),
            Number("Students on any product", f"at least {whole['mean_pct_access']:.1f}%",
                   f"of students on an average day (the day's most used product), {reporting}", "pct_access",
                   ("mart_usage_summary",)),
            Number(f"Most used: {top['level_value']}", f"{top['mean_pct_access']:.1f}%",
                   f"of students on an average day, {words.count(top['districts_reporting'])} districts", "pct_access",
                   ("mart_usage_summary",)),
            Number("Page loads", words.count(top["mean_engagement_index"]),
                   f"for 1,000 students a day on {top['level_value']}, where it is known", "engagement_index",
                   ("mart_usage_summary",)),
        ],
    )  # fmt: skip
    order = [str(name) for name in rows["level_value"].head(LINES)]
    weekly = summary.by_week(reader, level=level, group_dimension=dimension, group_value=value)
    st.subheader("Share of students on an average day, week by week", anchor=False)
    charts.draw(
        charts.lines,
        weekly[weekly["level_value"].isin(order)],
        y="mean_pct_access",
        series="level_value",
        y_title="% of students, average day",
        is_share=False,
        order=order,
        alt_text="Line chart of the share of students that opened each product on an average day, week by week",
    )
    st.caption(words.safe(frame.caution(context, "districts_reporting")))
    if level == "function":
        st.caption("LC: learning and curriculum. CM: classroom management. SDO: school and district operations.")
    table(
        context,
        PAGE,
        "summary",
        rows,
        [
            columns.name("level_value", {"product": "Product", "sector": "Sector"}.get(level, "What it is for")),
            columns.of("mean_pct_access", "% of students, average day", lambda value: words.number(value, 2)),
            columns.of("mean_engagement_index", "Page loads for 1,000 students a day", words.number),
            columns.of("districts_reporting", "Districts that report it", words.count),
            columns.of("district_days", "District days", words.count),
        ],
    )
    frame.next_steps(
        [
            "Compare your own most used products with this list, then look at Equity for who is reached less.",
            "Read an average with its coverage: districts that do not report are not in it.",
        ]
    )


def _coverage(context: Context) -> str:
    reporting, listed = summary.districts(context.reader)
    missing = listed - reporting
    return f"{words.of(reporting, listed)} listed districts report; {missing} are missing." if missing > 0 else ""


main()
