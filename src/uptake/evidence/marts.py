"""The table of a study from a district's published snapshot: results, use, classes, and who the students are.

One row for each student with a baseline or an outcome in the plan's course:

    student, school, grade, class            keys; the class in which the baseline (else the outcome) was scored
    baseline, outcome                        mean score in each span of dates
    active_days, active_minutes              with the tool in the rule's window (0 without any)
    treated                                  1 by the rule of use, else 0; with `of_class` for whole classes
    treated_from_<n>_days                    the same with another threshold, for each of `other_days`
    treated_by_idle_gap_<n>                  the same with minutes by another idle gap, where the rule counts minutes
    <subgroup dimension>                     such as economic_disadvantage: the subgroup at the window's end

The restricted file of the snapshot is read, nothing is written. Keys are pseudonyms.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd

from uptake.errors import ConfigError
from uptake.evidence.data import StudyTable, fingerprint
from uptake.evidence.plan import Marts, StudyPlan, UseRule
from uptake.project import Project
from uptake.warehouse.engine import quoted
from uptake.warehouse.publish import current_snapshot

# Sums of millionths, the same in whatever order the rows come: other last digits would be other rows, and a study would
# be due again.
EXACT = "sum({value}::decimal(38, 6))::double"
GAP = f", {EXACT.format(value='coalesce(active_minutes_gap_{minutes}, active_minutes)')} as minutes_{{minutes}}"
QUERY = """
with scored as (
  select
    result.student_key,
    result.class_key,
    result.score,
    result.scored_on,
    result.scored_on between $baseline_from and $baseline_to as is_baseline
  from restricted.fct_result as result
  inner join leaders.dim_class as class on class.class_key = result.class_key
  where result.category = $category
    and regexp_matches(class.course_name, $course)
    and (len($grades) = 0 or list_contains($grades, class.grade))
    and (
      result.scored_on between $baseline_from and $baseline_to or result.scored_on between $outcome_from and $outcome_to
    )
),

student as (
  select
    student_key,
    arg_min(class_key, (scored_on, class_key)) as class_key,
    avg(score::decimal(38, 6)) filter (where is_baseline) as baseline,
    avg(score::decimal(38, 6)) filter (where not is_baseline) as outcome
  from scored
  group by student_key
),

use as (
  select student_key, count(distinct on_date) as active_days, {minutes} as active_minutes{gaps}
  from restricted.fct_student_tool_day
  where tool_key = $tool and on_date between $use_from and $use_to and (is_in_school or not $in_school_only)
  group by student_key
),

subgroup as (
  select student_key, dimension, min(subgroup) as subgroup
  from restricted.brg_student_subgroup
  where dimension <> 'all_students' and $use_to between starts_on and ends_on
  group by student_key, dimension
)

select
  student.student_key as student,
  class.school_key as school,
  class.grade,
  student.class_key as class,
  student.baseline,
  student.outcome,
  coalesce(use.active_days, 0) as active_days,
  coalesce(use.active_minutes, 0.0) as active_minutes,
  use.* exclude (student_key, active_days, active_minutes),
  coalesce(named.dimensions, map([], [])) as dimensions
from student
inner join leaders.dim_class as class on class.class_key = student.class_key
left join use on use.student_key = student.student_key
left join (
  select student_key, map_from_entries(list((dimension, subgroup) order by dimension)) as dimensions
  from subgroup
  group by student_key
) as named on named.student_key = student.student_key
order by student.student_key
"""


def read_marts(plan: StudyPlan, project: Project) -> StudyTable:
    """From the snapshot that is up. Raises ConfigError when the plan names no marts, or nothing is published yet."""
    if plan.marts is None:
        raise ConfigError("this plan names no marts", remedy="give a table with --table.")
    snapshot = current_snapshot(project, plan.marts.district)
    if snapshot is None:
        raise ConfigError("nothing is published yet", remedy="`uptake run` first.", district=plan.marts.district)
    return read_snapshot(plan.marts, snapshot.path)


def read_snapshot(marts: Marts, folder: Path) -> StudyTable:
    """From the two files of a snapshot's folder. Raises ConfigError when no result fits the plan."""
    use = marts.use
    gaps = "".join(GAP.format(minutes=minutes) for minutes in marts.idle_gaps)
    with duckdb.connect() as connection:
        connection.execute(f"set file_search_path = {quoted(str(folder))}")  # facts by date lie beside the file
        for name in ("leaders", "restricted"):
            connection.execute(f"attach {quoted(str(folder / f'{name}.duckdb'))} as {name} (read_only)")
        frame = connection.execute(
            QUERY.replace("{gaps}", gaps).replace("{minutes}", EXACT.format(value="active_minutes")),
            {
                "category": marts.category,
                "course": marts.course,
                "grades": list(marts.grades),
                "baseline_from": marts.baseline.starts_on,
                "baseline_to": marts.baseline.ends_on,
                "outcome_from": marts.outcome.starts_on,
                "outcome_to": marts.outcome.ends_on,
                "tool": use.tool,
                "use_from": use.starts_on,
                "use_to": use.ends_on,
                "in_school_only": use.in_school_only,
            },
        ).df()
    if frame.empty:
        raise ConfigError(
            f"no result of category {marts.category!r} in a course like {marts.course!r}",
            remedy="compare category, course, grades and dates of the plan with the district's gradebook.",
            district=marts.district,
        )
    frame["treated"] = _treated(use, frame, use.active_days, frame["active_minutes"])
    for days in use.other_days:
        frame[f"treated_from_{days}_days"] = _treated(use, frame, days, frame["active_minutes"])
    for minutes in marts.idle_gaps:
        counted = frame.pop(f"minutes_{minutes}").fillna(0.0)
        frame[f"treated_by_idle_gap_{minutes}"] = _treated(use, frame, use.active_days, counted)
    named = frame.pop("dimensions")
    for dimension in sorted({key for one in named for key in one}):
        frame[dimension] = [one.get(dimension) for one in named]
    return StudyTable(frame, f"snapshot:{folder.name} {fingerprint(frame)}")


def _treated(use: UseRule, frame: pd.DataFrame, days: int, minutes: pd.Series) -> pd.Series:
    reached = frame["active_days"] >= days
    if use.active_minutes is not None:
        reached &= minutes >= use.active_minutes
    if use.of_class is not None:
        reached = reached.groupby(frame["class"]).transform("mean") >= use.of_class
    return reached.astype(int)
