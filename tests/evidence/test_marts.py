"""A study's table from a snapshot: the same rows are the same table, in whatever order they lie."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from studies import plan

from uptake.evidence.marts import read_snapshot

USE = {"tool": "mathgym", "starts_on": "2025-09-01", "ends_on": "2026-03-31", "active_days": 2, "active_minutes": 0.5}
MARTS = {
    "district": "maple",
    "category": "Assessment",
    "course": "^Math",
    "baseline": {"starts_on": "2025-09-01", "ends_on": "2025-09-30"},
    "outcome": {"starts_on": "2026-04-01", "ends_on": "2026-04-30"},
    "use": USE,
}


def write_snapshot(folder: Path, order: str) -> Path:
    """order: of the days of use and of the scores, which floating-point sums depend on."""
    folder.mkdir()
    with duckdb.connect(str(folder / "leaders.duckdb")) as connection:
        connection.execute(
            "create table dim_class as select 'c1' as class_key, 'north' as school_key, '03' as grade, "
            "'Mathematics 3' as course_name"
        )
    with duckdb.connect(str(folder / "restricted.duckdb")) as connection:
        connection.execute(
            "create table fct_result as select student_key, 'c1' as class_key, 'Assessment' as category, "
            "cast(score as double) as score, scored_on from (values ('s1', 0.1, date '2025-09-10'), "
            "('s1', 0.2, date '2025-09-11'), ('s1', 0.3, date '2025-09-12'), ('s1', 7.0, date '2026-04-10'), "
            "('s2', 5.0, date '2026-04-10')) as result(student_key, score, scored_on) "
            f"order by scored_on {order}"
        )
        connection.execute(
            "create table fct_student_tool_day as select student_key, 'mathgym' as tool_key, on_date, "
            "true as is_in_school, cast(minutes as double) as active_minutes, cast(minutes as double) as "
            "active_minutes_gap_5, cast(minutes as double) as active_minutes_gap_10, cast(null as double) as "
            "active_minutes_gap_30 from (values ('s1', 0.1, date '2025-10-01'), ('s1', 0.2, date '2025-10-02'), "
            f"('s1', 0.3, date '2025-10-03')) as day(student_key, minutes, on_date) order by on_date {order}"
        )
        connection.execute(
            "create table brg_student_subgroup as select 's1' as student_key, 'meals' as dimension, 'yes' as subgroup, "
            "date '1900-01-01' as starts_on, date '9999-12-31' as ends_on"
        )
    return folder


def test_a_study_is_due_again_for_other_rows_and_not_for_another_order(tmp_path: Path) -> None:
    marts = plan(marts=MARTS).marts
    assert marts is not None
    first = read_snapshot(marts, write_snapshot(tmp_path / "a", "asc"))
    second = read_snapshot(marts, write_snapshot(tmp_path / "b", "desc"))
    assert first.version.split()[-1] == second.version.split()[-1]
    row = first.frame.set_index("student").loc["s1"]
    assert (row["baseline"], row["active_days"], row["treated"], row["meals"]) == (pytest.approx(0.2), 3, 1, "yes")
    assert row["active_minutes"] == pytest.approx(0.6)
    assert first.frame.set_index("student").loc["s2", "treated"] == 0
