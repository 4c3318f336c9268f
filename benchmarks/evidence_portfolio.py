"""Fifty tools' studies of a district of 300,000 students, read from a published snapshot as the nightly job reads it.

    python -m benchmarks.evidence_portfolio
    python -m benchmarks.evidence_portfolio --tools 5 --students 30000     # a rough look

Each study matches its users within school and grade, estimates, weighs, tries other calipers and thresholds of use,
leaves out each school, and looks into subgroups and amount of use. Ten of the tools have a planted effect. Goal: 15
minutes on two cores for all of them, reading included. The first study is set beside a plain statsmodels script for its
main estimate, on the same matched rows.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from benchmarks.evidence_speed import by_hand
from benchmarks.report import Line, show
from uptake.evidence.marts import read_snapshot
from uptake.evidence.plan import StudyPlan
from uptake.evidence.run import run_study

MINUTES, SCHOOLS, WITH_EFFECT, EFFECT, DAYS = 15, 500, 10, 0.1, 8


def write_snapshot(folder: Path, students: int, tools: int) -> None:
    """The tables that a study reads. Students choose tools by what they scored before; every user has some days."""
    rng = np.random.default_rng(20260902)
    school = np.sort(rng.integers(0, SCHOOLS, students))
    grade = rng.integers(3, 9, students)
    poor = rng.random(students) < 0.45
    baseline = rng.normal(scale=0.4, size=SCHOOLS)[school] + rng.normal(size=students)
    score = 0.7 * baseline - 0.2 * poor + rng.normal(scale=0.7, size=students)
    score += rng.normal(scale=0.3, size=SCHOOLS)[school]
    uses = []
    for tool in range(tools):
        chance = 1 / (1 + np.exp(1.4 - 0.4 * baseline + 0.2 * poor))
        users = np.flatnonzero(rng.random(students) < chance)
        score[users] += EFFECT * (tool < WITH_EFFECT)
        uses.append(pd.DataFrame({"student": users, "tool": f"tool_{tool}"}))
    people = pd.DataFrame(
        {"student": np.arange(students), "school": school, "grade": grade, "poor": poor, "a": baseline, "b": score}
    )
    use = pd.concat(uses, ignore_index=True)
    with duckdb.connect(str(folder / "leaders.duckdb")) as connection:
        connection.register("people", people)
        connection.execute(
            """create table dim_class as select distinct concat_ws('-', 'c', school, grade) as class_key,
            concat('s', school) as school_key, lpad(grade::varchar, 2, '0') as grade, 'Mathematics' as course_name
            from people"""
        )
    with duckdb.connect(str(folder / "restricted.duckdb")) as connection:
        connection.register("people", people)
        connection.register("use", use)
        connection.execute(
            """create table fct_result as
            select concat('k', student) as student_key, concat_ws('-', 'c', school, grade) as class_key,
            'Assessment' as category, score, scored_on from people
            cross join lateral (values (a, date '2025-09-15'), (b, date '2026-04-15')) as result(score, scored_on)"""
        )
        connection.execute(
            """create table brg_student_subgroup as select concat('k', student) as student_key,
            'economic_disadvantage' as dimension, if(poor, 'yes', 'no') as subgroup, date '1900-01-01' as starts_on,
            date '9999-12-31' as ends_on from people"""
        )
        connection.execute(
            f"""create table fct_student_tool_day as select concat('k', student) as student_key, tool as tool_key,
            date '2025-09-16' + (day * 20)::integer as on_date, true as is_in_school,
            5.0 + hash(student, tool, day) % 40 as active_minutes from use cross join range({DAYS}) as days(day)"""
        )


def plan(tool: str) -> StudyPlan:
    return StudyPlan.model_validate(
        {
            "question": f"Does {tool} raise the spring score?",
            "tool": tool,
            "design": "matched",
            "outcomes": [{"name": "the spring score", "columns": ["outcome"]}],
            "treatment": {"column": "treated", "dose": "active_minutes"},
            "meaningful_effect": 0.05,
            "baseline": ["baseline"],
            "covariates": ["economic_disadvantage"],
            "cluster": "school",
            "matching": {"exact": ["school", "grade"]},
            "subgroups": ["economic_disadvantage"],
            "marts": {
                "district": "large",
                "category": "Assessment",
                "course": "^Math",
                "baseline": {"starts_on": "2025-09-01", "ends_on": "2025-10-15"},
                "outcome": {"starts_on": "2026-03-15", "ends_on": "2026-05-15"},
                "use": {
                    "tool": tool,
                    "starts_on": "2025-09-01",
                    "ends_on": "2026-03-31",
                    "active_days": 2,
                    "other_days": [1],
                },
            },
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--students", type=int, default=300_000)
    parser.add_argument("--tools", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_snapshot(folder, options.students, options.tools)
        began, covered, first = time.monotonic(), 0, 0.0
        for number in range(options.tools):
            study = plan(f"tool_{number}")
            assert study.marts is not None
            found = run_study(study, read_snapshot(study.marts, folder)).outcomes[0].main
            assert found.low is not None and found.high is not None
            covered += found.low <= EFFECT * (number < WITH_EFFECT) <= found.high
            took = time.monotonic() - began
            first = first or took
            left = took / (number + 1) * (options.tools - number - 1)
            print(f"  {number + 1} of {options.tools} studies, {took:.0f} s, about {left:.0f} s left", file=sys.stderr)
        whole = time.monotonic() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        study = plan("tool_0")
        assert study.marts is not None
        table = read_snapshot(study.marts, folder)
        mine = run_study(study, table).outcomes[0].main
        theirs, plain = by_hand(study, table, "outcome")
    estimates = f"{mine.effect:.4f} and {theirs.params['treated']:.4f}"
    is_alike = mine.effect is not None and abs(mine.effect - theirs.params["treated"]) < 1e-6
    lines = [
        Line(f"{options.tools} studies of {options.students:,} students", f"{whole / 60:.1f} min, {peak:.1f} GB",
             f"{MINUTES} min", None, f"{MINUTES} min", whole <= 60 * MINUTES),
        Line(f"main estimate of the first study ({first:.1f} s)", estimates, f"statsmodels ({plain:.1f} s)", None,
             "the same", is_alike),
        Line("95% intervals that hold the planted effect", f"{covered} of {options.tools}", "95%", None,
             "9 of 10 or more", covered >= 0.9 * options.tools),
    ]  # fmt: skip
    show(lines)
    sys.exit(not all(line.is_met for line in lines))


if __name__ == "__main__":
    main()
