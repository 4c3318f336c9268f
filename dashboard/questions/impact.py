"""Is this tool making a difference in student achievement?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from components import charts, columns, filters, frame, words
from components.frame import Context, Number
from components.table import Column, table
from components.words import percentile_points as _points
from components.words import signed as _signed
from queries import impact

PAGE = "impact"
QUESTION = "Is this tool making a difference in student achievement?"
TABLES = ("mart_study", "mart_study_estimate", "mart_study_gate")
GOOD, MOST = 0.05, 0.25  # baseline equivalence by the What Works Clearinghouse
# What the design found, whichever way; all other verdicts say why it cannot tell, and no effect is shown beside them.
ANSWERED = {
    "effect": "makes a difference worth having",
    "effect_of_unclear_size": "makes a difference, of unclear size",
    "too_small": "makes a difference too small to matter",
    "null": "makes no difference that matters",
    "no_useful_effect": "brings no gain worth having",
    "harmful": "does harm",
    "not_enough_evidence": "not enough evidence yet",
    "descriptive": "described, not judged",
}
STOPPED = {
    "failed_balance": "cannot tell: the groups were not alike",
    "failed_attrition": "cannot tell: too many students lost",
    "one_site": "cannot tell: a group was one school",
    "no_overlap": "cannot tell: the groups are too different",
    "different_paths": "cannot tell: the groups were on different paths",
    "few_clusters": "cannot tell: too few groups",
    "wrong_unit": "cannot tell as planned",
    "too_few_students": "too few students to say anything",
}
GATES = {
    "students": "Enough students",
    "sites": "More than one school in each group",
    "clusters": "Enough groups",
    "unit": "Counted by what was chosen",
    "attrition": "Few students lost",
    "lots": "A fair draw",
    "baseline": "Alike before",
    "overlap": "Students who can be compared",
    "earlier trend": "On the same path before",
    "instrument": "The offer led to use",
}
# Statistical controls show that use and results go together, not that the one is why.
LINKED = {
    "effect": "its users did better, by enough to matter",
    "effect_of_unclear_size": "its users did better, by an unclear amount",
    "too_small": "its users did better, by too little to matter",
    "harmful": "its users did worse",
}
STATUS = {"passed": "Passed", "adjusted": "Passed with care", "failed": "Failed", "not_applicable": "Does not apply"}
DESIGNS = {
    "randomised": "who got the tool was drawn by lot",
    "matched": "each student with the tool is set beside the most similar students without",
    "difference_in_differences": "changes over terms are compared",
    "regression": "students with and without are compared, allowing for where they started",
    "dose_response": "a description of users and others",
}
STEPS = {
    "effect": [
        "Renew {tool}: the gain is at least what was named as worth having.",
        "Expand it to classes like those of the study, and plan a study of them before they start.",
    ],
    "effect_of_unclear_size": [
        "Renew {tool} for now: there is a gain, and it may be smaller than what was named as worth having.",
        "Ask for another term of results, or more classes, before you expand it.",
    ],
    "too_small": [
        "Ask whether {tool} is worth its price: the gain is real and less than what was named as worth having.",
        "Train before you renew, if use was light; retire it if use was as intended.",
    ],
    "null": [
        "Retire {tool} for this purpose, or ask what else it is for: a gain that matters is ruled out.",
        "Before you do, look at Adoption: a tool that was hardly used cannot help.",
    ],
    "no_useful_effect": [
        "Do not expand {tool}: a gain worth having is ruled out, a loss is not.",
        "Ask teachers what it took the place of, and decide before the renewal.",
    ],
    "harmful": [
        "Stop and ask: students with {tool} did worse. Find out with teachers what it took the place of.",
        "Retire it where nothing explains this; do not expand it.",
    ],
    "not_enough_evidence": [
        "Do not decide on this study: it can say neither yes nor no. Use, cost and teachers' judgment still count.",
        "Plan a larger study of {tool}: the answer above says how many would be enough.",
    ],
    "descriptive": [
        "Do not renew or retire {tool} on this: it describes users, it does not say that the use is why.",
        "Ask for a comparison: next term, let some classes start later, by lot.",
    ],
}
PLAN_FIRST = (
    "To plan a study, name the tool, the result that should move, the classes and the smallest gain worth having; your "
    "data engineer puts that on record with `uptake study plan` before anybody looks at results. It runs by itself the "
    "night after the results are in."
).replace("`", "")


def main() -> None:
    context = frame.open_page(PAGE, QUESTION)
    studies = impact.studies(context.reader)
    if studies.empty:
        frame.answer("No study has been planned here, so nothing is known of what any tool does for achievement.")
        frame.next_steps([PLAN_FIRST, "Use is not learning: Adoption says who uses a tool, not whether it helps."])
        return
    top = st.container()
    study, of_tool = _choose(studies)
    if words.is_missing(study["verdict"]):
        with top:
            _not_yet(study)
        _others(context, of_tool)
        frame.next_steps(["Leave the plan as it is: a plan that is changed is another study, and both stay on record."])
        return
    answers = impact.answers(context.reader, plan_hash=study["plan_hash"])
    answer = _outcome(answers)
    key = {"plan_hash": str(study["plan_hash"]), "outcome": str(answer["outcome"])}
    with top:
        frame.answer(answer["sentence"], answer["essa"])
    gates = impact.gates(context.reader, **key)
    estimates = impact.estimates(context.reader, **key)
    is_answered = answer["verdict"] in ANSWERED and not words.is_missing(answer["g_low"])
    frame.numbers(context, _numbers(study, answer, gates, is_answered=is_answered))
    _asked(study)
    if is_answered:
        _picture(study, answer, estimates)
    _gates(gates)
    if is_answered:
        _subgroups(context, estimates, answer)
    _balance(impact.balance(context.reader, **key))
    _flow(context, impact.flow(context.reader, **key))
    if is_answered:
        _sensitivity(context, estimates, answer)
        _dose(study, impact.dose(context.reader, **key))
    else:
        st.caption(
            "Effects and subgroups are left out here, because they would mislead. Whoever wants to check the study "
            "finds every figure in its printed report."
        )
    _others(context, of_tool)
    frame.next_steps(_steps(study, answer))
    st.caption(
        words.safe(
            f"Study {str(study['plan_hash'])[:12]}, planned {words.moment(study['planned_at'], context.zone)}, run "
            f"{words.moment(answer['run_at'], context.zone)} on {answer['data_version']} by Uptake "
            f"{answer['code_version']}. The printed report holds the plan, the method and every figure."
        )
    )


def _choose(studies: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame]:
    first, second, _ = st.columns([1, 2, 1])
    with first:
        tools = studies.drop_duplicates("tool_key").sort_values("tool_name")
        ran = studies[studies["verdict"].notna()]
        newest = (ran if not ran.empty else studies).iloc[0]["tool_key"]
        tool = filters.choose(
            "Tool", dict(zip(tools["tool_key"], tools["tool_name"], strict=True)), key="tool", default=newest
        )
    of_tool = studies[studies["tool_key"] == tool]
    if len(of_tool) == 1:
        return of_tool.iloc[0], of_tool
    with second:
        options = {
            str(row.plan_hash): f"{row.question} (planned {words.day(row.planned_at)}, {str(row.plan_hash)[:6]})"
            for row in of_tool.itertuples()
        }
        chosen = filters.choose("Study, newest plan first", options, key="study")
    return of_tool[of_tool["plan_hash"] == chosen].iloc[0], of_tool


def _outcome(answers: pd.DataFrame) -> pd.Series:
    if len(answers) == 1:
        return answers.iloc[0]
    options = {name: words.plain(name) for name in answers["outcome"]}
    chosen = filters.choose("Outcome", options, key="outcome")
    return answers[answers["outcome"] == chosen].iloc[0]


def _not_yet(study: pd.Series) -> None:
    if not study["is_shown"]:
        frame.answer(
            f"The answer on {study['tool_name']} is not shown: the study would show smaller groups than this district "
            "allows."
        )
        return
    frame.answer(
        f"Not known yet: a study of {study['tool_name']} is planned, and its results come in until "
        f"{words.day(study['outcome_ends_on'])}.",
        "It runs the night after they are in; no outcome has been read.",
    )


def _asked(study: pd.Series) -> None:
    planned = pd.Timestamp(study["planned_at"]).date()
    when = "before" if planned < pd.Timestamp(study["outcome_starts_on"]).date() else "after"
    st.markdown(
        words.safe(
            f"Asked: {study['question']} How: {DESIGNS[study['design']]}. Use from "
            f"{words.day(study['use_starts_on'])} to {words.day(study['use_ends_on'])}, results from "
            f"{words.day(study['outcome_starts_on'])} to {words.day(study['outcome_ends_on'])}. The plan was put on "
            f"record on {words.day(study['planned_at'])}, {when} the first of these results."
        )
    )


def _ends(row: Mapping[str, Any], *, is_better: bool) -> tuple[float, float, float]:
    """Difference and interval in percentile points; more is better for students, whatever way the outcome counts."""
    sign = 1 if is_better else -1
    low, high = sorted((sign * _points(row["g_low"]), sign * _points(row["g_high"])))
    return sign * _points(row["g"]), low, high


def _numbers(study: pd.Series, answer: pd.Series, gates: pd.DataFrame, *, is_answered: bool) -> list[Number]:
    figures = []
    when = f"results through {words.day(study['outcome_ends_on'])}"
    if is_answered:
        at, low, high = _ends(answer, is_better=bool(answer["is_higher_better"]))
        figures.append(
            Number("Difference", f"{_signed(at)} points",
                   f"percentile points, {study['confidence']:.0%} interval {_signed(low)} to {_signed(high)}; {when}",
                   "study_points", TABLES)
        )  # fmt: skip
    if is_answered and answer["verdict"] != "descriptive" and not words.is_missing(answer["probability_meaningful"]):
        figures.append(
            Number("Chance of a gain worth having", _chance(answer["probability_meaningful"]),
                   f"at least {_signed(_points(study['meaningful_g']))} percentile points, as named in the plan of "
                   f"{words.day(study['planned_at'])}",
                   "study_meaningful", TABLES)
        )  # fmt: skip
    if not words.is_missing(answer["students_with"]) and not words.is_missing(answer["students_without"]):
        with_, without = answer["students_with"], answer["students_without"]
        figures.append(
            Number("Students in the study", words.count(with_ + without),
                   f"{words.count(with_)} with the tool, {words.count(without)} without; {when}",
                   "study_students", TABLES)
        )  # fmt: skip
    asked = gates[gates["status"] != "not_applicable"]
    passed = int((asked["status"] != "failed").sum())
    careful = int((asked["status"] == "adjusted").sum())
    figures.append(
        Number("Checks of the method", words.of(passed, len(asked)),
               f"passed, {careful} of them with care; study run {words.day(answer['run_at'])}",
               "study_checks", TABLES)
    )  # fmt: skip
    return figures


def _chance(probability: float) -> str:
    return (
        "over 99%" if probability > 0.99 else "under 1%" if probability < 0.01 else words.percent(probability, places=0)
    )


def _way(estimate: str) -> str:
    """Names of the engine's other ways, in words."""
    days = re.fullmatch(r"treated by treated_from_(\d+)_days", estimate)
    if days:
        return f"Counting from {words.plural(int(days[1]), 'day')} of use"
    gap = re.fullmatch(r"treated by treated_by_idle_gap_(\d+)", estimate)
    if gap:
        return f"Minutes with pauses of up to {gap[1]} counted"
    return words.plain(estimate)


def _picture(study: pd.Series, answer: pd.Series, estimates: pd.DataFrame) -> None:
    kinds = {"main": "this study", "other": "another way", "naive": "plain comparison, not to be trusted"}
    rows = []
    for row in estimates[estimates["role"].isin(list(kinds)) & estimates["g_low"].notna()].to_dict("records"):
        at, low, high = _ends(row, is_better=bool(answer["is_higher_better"]))
        way = "This study" if row["role"] == "main" else _way(row["estimate"])
        rows.append({"way": way, "at": at, "low": low, "high": high, "kind": kinds[row["role"]]})
    st.subheader(f"How large is the difference in {answer['outcome']}, and how sure is it?", anchor=False)
    charts.draw(
        charts.effects,
        pd.DataFrame(rows),
        useful=_points(study["meaningful_g"]),
        alt_text="Dot chart of the difference with its interval, by this study and by other ways",
    )
    st.caption(
        words.safe(
            f"The dot is the estimate, the line its {study['confidence']:.0%} interval. The dashed line is no "
            f"difference; the gray band is less than the {_points(study['meaningful_g']):.1f} points that were named "
            "as worth having."
        )
    )


def _gates(gates: pd.DataFrame) -> None:
    st.subheader("How far can this be trusted?", anchor=False)
    lines = [
        f"- **{words.safe(STATUS[row['status']])}: {words.safe(GATES.get(row['gate'], words.plain(row['gate'])))}.** "
        f"{words.safe(str(row['meaning']))}"
        for row in gates.to_dict("records")
        if row["status"] != "not_applicable"
    ]
    st.markdown("\n".join(lines))


def _interval(row: Mapping[str, Any], *, is_better: bool) -> str:
    if words.is_missing(row["g_low"]) or words.is_missing(row["g_high"]):
        return "hidden" if not words.is_missing(row["suppression_reason"]) else "no size can be given"
    at, low, high = _ends(row, is_better=is_better)
    at, low, high = (0.0 if abs(end) < 0.05 else end for end in (at, low, high))
    return f"{at:.1f} ({low:.1f} to {high:.1f})"  # no plus sign: a spreadsheet would take it for a formula


def _people(value: Any, row: Mapping[str, Any]) -> str:
    return words.count(value) if not words.is_missing(value) else "hidden"


def _estimate_columns(answer: pd.Series, name: str, label: str, p: str, p_label: str) -> list[Column]:
    is_better = bool(answer["is_higher_better"])

    def chance(value: Any, row: Mapping[str, Any]) -> str:
        return "–" if words.is_missing(value) else "under 0.001" if value < 0.001 else f"{value:.3f}"

    return [
        columns.name(name, label),
        Column("g", "Percentile points (interval)", lambda value, row: _interval(row, is_better=is_better),
               is_number=True, width=210),
        Column(p, p_label, chance, is_number=True,
               help="How often chance alone would bring so large a difference. Below 0.05 is called clear."),
        Column("students_with", "With the tool", _people, is_number=True),
        Column("students_without", "Without", _people, is_number=True),
        columns.remark("why", "Why there are no figures"),
    ]  # fmt: skip


def _why(rows: pd.DataFrame) -> list[str | None]:
    return [
        None if words.is_missing(reason) else f"{words.plain(str(reason)).rstrip('.')}."
        for reason in rows["suppression_reason"]
    ]


def _subgroups(context: Context, estimates: pd.DataFrame, answer: pd.Series) -> None:
    rows = estimates[estimates["role"] == "subgroup"]
    if rows.empty:
        return
    st.subheader("For whom?", anchor=False)
    rows = rows.assign(group=[words.group(*_group(name)) for name in rows["estimate"]], why=_why(rows))
    table(context, PAGE, "impact-groups", rows, _estimate_columns(answer, "group", "Group", "p_adjusted", "Adjusted p"))
    st.caption(
        "The p value allows for how many groups were looked at. A group that stands out may do so by chance: set its "
        "interval beside the others'."
    )


def _group(name: str) -> tuple[str, str]:
    dimension, _, subgroup = str(name).partition(" = ")
    return dimension, subgroup


def _covariate(name: str) -> str:
    return "Score before" if name == "baseline" else words.plain(name.replace("=", ": "))


def _balance(rows: pd.DataFrame) -> None:
    if rows.empty:
        return
    st.subheader("Were the groups alike before?", anchor=False)
    long = pd.DataFrame(
        [
            {"covariate": _covariate(row["covariate"]), "when": when, "apart": row[column]}
            for row in rows.to_dict("records")
            for when, column in (("before", "g_before"), ("in the analysis", "g"))
            if not words.is_missing(row[column])
        ]
    )
    charts.draw(
        charts.likeness,
        long,
        good=GOOD,
        most=MOST,
        alt_text="Dot chart of how far apart the groups were, before and in the analysis, for each thing compared",
    )
    st.caption(
        f"Inside the dark band ({GOOD} standard deviations) groups count as alike; inside the light one ({MOST}) the "
        "difference is allowed for; outside it nothing can be concluded (What Works Clearinghouse)."
    )


def _flow(context: Context, rows: pd.DataFrame) -> None:
    if rows.empty:
        return
    st.subheader("Who is in the study?", anchor=False)

    def left(value: Any, row: Mapping[str, Any]) -> str:
        if not words.is_missing(row["suppression_reason"]):
            return "hidden"
        return "–" if words.is_missing(value) else words.count(value)

    rows = rows.assign(
        step=[words.plain(step) for step in rows["step"]],
        why=[
            None if words.is_missing(reason) else f"Fewer than {context.minimum_n} students left at a step near it."
            for reason in rows["suppression_reason"]
        ],
    )
    table(
        context,
        PAGE,
        "impact-students",
        rows,
        [
            columns.name("step", "Students left after each step"),
            Column("students", "Students", left, is_number=True),
            Column("students_with", "With the tool", left, is_number=True),
            Column("students_without", "Without", left, is_number=True),
            columns.remark("why", "Why there are no figures"),
        ],
    )


def _sensitivity(context: Context, estimates: pd.DataFrame, answer: pd.Series) -> None:
    st.subheader("Would another method say the same?", anchor=False)
    rows = estimates[estimates["role"] != "subgroup"]
    names = {"main": "This study", "naive": "Plain comparison of averages, not to be trusted"}
    rows = rows.assign(way=[names.get(row.role, _way(row.estimate)) for row in rows.itertuples()], why=_why(rows))
    table(context, PAGE, "impact", rows, _estimate_columns(answer, "way", "Way", "p", "p"))
    lines = []
    if not words.is_missing(answer["without_one_site_low"]) and answer["effect"]:
        # On the scale of the effect's own size, which for shares is not that of their standard deviation.
        size = (1 if answer["is_higher_better"] else -1) * answer["g"] / answer["effect"]
        low, high = sorted(_points(size * answer[end]) for end in ("without_one_site_low", "without_one_site_high"))
        lines.append(
            f"With any one school left out, the difference lies between {_signed(low)} and {_signed(high)} points."
        )
    if not words.is_missing(answer["wild_p"]):
        p = "under 0.001" if answer["wild_p"] < 0.001 else f"{answer['wild_p']:.3f}"
        lines.append(f"A second test made for few groups (wild bootstrap) gives p {p}.")
    if not words.is_missing(answer["robustness_value"]):
        lines.append(
            "Something that nobody measured could undo the result if it explained at least "
            f"{words.percent(answer['robustness_value'])} of what is left open both in who used the tool and in the "
            "outcome."
        )
    notes = answer["notes"]
    lines += [] if words.is_missing(notes) else str(notes).splitlines()
    if lines:
        st.markdown("\n".join(f"- {words.safe(line)}" for line in lines))


def _dose(study: pd.Series, rows: pd.DataFrame) -> None:
    shown = rows[rows["effect"].notna()]
    if shown.empty:
        return
    st.subheader("More use, higher results? A description, not a cause", anchor=False)
    drawn = pd.DataFrame(
        {
            "use": [_use(row) for row in shown.to_dict("records")],
            "effect": shown["effect"],
            "low": shown["low"],
            "high": shown["high"],
        }
    )
    measure = words.plain(str(study["use_measure"]))
    charts.draw(
        charts.dose,
        drawn,
        x_title=f"{measure} in the study's span",
        alt_text="Dot chart of the difference from students without the tool, for parts of the users by amount of use",
    )
    hidden = len(rows) - len(shown)
    st.caption(
        "Each dot is a part of the users beside all students without the tool. This does not say that more use is why: "
        "motivated and present students use more, and tools for catching up go to students who are behind."
        + (f" {words.plural(hidden, 'part has', 'parts have')} too few students to show." if hidden else "")
    )


def _use(row: Mapping[str, Any]) -> str:
    low, high = row["use_from"], row["use_to"]
    if words.is_missing(low):
        return "all" if words.is_missing(high) else f"up to {words.number(high, 0)}"
    return f"over {words.number(low, 0)}" if words.is_missing(high) else f"{words.number(low, 0)} to {high:,.0f}"


def _others(context: Context, of_tool: pd.DataFrame) -> None:
    st.subheader("Every study of this tool on record, newest plan first", anchor=False)
    kinds = ANSWERED | STOPPED

    def found(value: Any, row: Mapping[str, Any]) -> str:
        if words.is_missing(value):
            return "not run yet" if row["is_shown"] else "not shown: its groups may be too small"
        if row["design"] == "regression" and value in LINKED:
            return LINKED[str(value)]
        return kinds.get(str(value), words.plain(str(value)))

    table(
        context,
        PAGE,
        "impact-studies",
        of_tool,
        [
            columns.words_of("planned_at", "Planned", words.day),
            Column("verdict", "Found", found),
            columns.name("question", "Question"),
            columns.words_of("design", "How", lambda code: DESIGNS.get(code, words.plain(code))),
            columns.words_of("outcome_ends_on", "Results until", words.day),
        ],
    )


def _steps(study: pd.Series, answer: pd.Series) -> list[str]:
    kind = str(answer["verdict"])
    tool = str(study["tool_name"])
    if study["design"] == "regression" and kind in LINKED:
        return [
            f"Take this as a reason to look closer at {tool}, not as proof: use and results go together; why is open.",
            "Ask for a better comparison: next term, let some classes start later, by lot, in several schools.",
            PLAN_FIRST,
        ]
    if kind in STEPS and not words.is_missing(answer["g_low"]):
        return [step.format(tool=tool) for step in STEPS[kind]]
    return [
        f"Do not renew or retire {tool} on this study: it cannot answer the question.",
        "Ask for a better comparison: next term, let some classes start later, by lot, in several schools.",
        PLAN_FIRST,
    ]


main()
