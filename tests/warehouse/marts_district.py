"""A small district at the door of the marts: what staging and facts would have made of it, drawn from a seed.

Only the relations that the leaders' marts read are written, so that many shapes of district can be tried in the seconds
that these models take. Every student is in one class; a few children are in a grade that their school does not
otherwise have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from lake import DISTRICT, Lake

from uptake.warehouse import versions
from uptake.warehouse.dbt import run_dbt

MODELS = (
    "int_week",
    "int_merged_subgroup",
    "int_week_to_build",
    "int_tool_grade_set",
    "int_student_week",
    "int_student_tool_week",
    "int_tool_seen_from",
    "int_enrolled_atom",
    "int_eligible_count",
    "int_grade_block",
    "int_eligible_cell",
    "int_use_atom",
    "int_use_count",
    "int_active_cell",
    "int_consistent_cell",
    "int_use_cell",
    "int_class_week",
    "int_year_count",
    "int_year_cell",
    "mart_adoption",
    "mart_equity_gap",
    "mart_value",
    "mart_tool_cost",
    "mart_unused_tool",
    "mart_unknown_tool",
)
GUARDS = (
    "no_small_count_is_shown",
    "hidden_counts_stay_hidden",
    "same_people_share_one_fate",
    "gaps_show_nothing_hidden",
)
ELEMENTARY = ("03", "04", "05")
MIDDLE = ("06", "07", "08")
HIGH = ("09", "10")
RACES = ("white", "black", "hispanic", "asian", "islander")


@dataclass(frozen=True)
class Tool:
    """share: of the students who may use it, in a week. seats: of its contract, 0 for a site licence, None
    without one.

    is_open: students of other grades use it as well.
    """

    key: str
    share: float
    grades: tuple[str, ...] = ()
    seats: int | None = None
    is_open: bool = False
    approval_status: str = "approved"


TOOLS = (
    Tool("everybody", 0.6, seats=0),
    Tool("few", 0.03, seats=50),
    Tool("nearly_all", 0.98, seats=600),
    Tool("three_to_eight", 0.3, ("03", "04", "05", *MIDDLE), seats=400),
    Tool("four_to_eight", 0.4, ("04", "05", *MIDDLE), is_open=True),
    Tool("shadow", 0.97, approval_status="unapproved"),
    Tool("unused", 0.0, ("03", "04"), seats=100),
    Tool("nobody", 0.0, ("13",), seats=100),
)


def make_district(
    lake: Lake,
    *,
    seed: int,
    sizes: Sequence[int],
    weeks: int = 4,
    first_week: date = date(2026, 1, 12),
    minimum_n: int = 10,
    tools: Sequence[Tool] = TOOLS,
    with_usage: bool = True,
) -> None:
    """Write the warehouse of `lake`. The last two schools are a middle and a high school, the others elementary."""
    generator = np.random.default_rng(seed)
    path = lake.project.warehouse(DISTRICT)
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(path)) as connection:
        for schema in ("landing", "config", "ops", "build", "staging", "intermediate", "marts"):
            connection.execute(f"create schema if not exists {schema}")
        _settings(connection, minimum_n, first_week, weeks)
        students = _students(generator, sizes)  # noqa: F841
        connection.execute("create table student as from students")
        _people(connection)
        _tools(connection, tools)
        _usage(connection, tools if with_usage else ())


def build_marts(lake: Lake) -> None:
    """Models and dbt's own guards of suppression."""
    selected = ["build", "--exclude-resource-type", "unit_test", "--indirect-selection", "cautious", "--select"]
    done = run_dbt(lake.project, lake.district, [*selected, *MODELS, *GUARDS])
    log = (lake.project.state_dir / "dbt" / DISTRICT / "dbt.log").read_text()
    assert done.returncode == 0, log[-3000:]
    assert all(guard in log for guard in GUARDS), log[-3000:]


def _settings(connection: duckdb.DuckDBPyConnection, minimum_n: int, first_week: date, weeks: int) -> None:
    through = first_week + timedelta(weeks=weeks, days=-3)
    connection.execute(
        """
        create table config.district as select ? as district_id, 'Maple Valley' as district_name, false as is_simulated,
        'America/Chicago' as time_zone, time '08:00' as school_start, time '15:30' as school_end,
        cast(? as integer) as minimum_n, 3::integer as consistent_weeks,
        4::integer as consistent_window_weeks, 4::integer as unused_weeks, false as count_out_of_school,
        60::integer as renewal_notice_days
        """,
        [DISTRICT, minimum_n],
    )
    connection.execute(
        "create table config.today as select ? as district_id, date '2026-06-01' as today_on", [DISTRICT]
    )
    versions.make_tables(connection)
    connection.execute(
        "create table config.subgroup as select unnest(['english_learner', 'race_ethnicity']) as dimension"
    )
    days = [first_week + timedelta(days=number) for number in range(7 * weeks)]
    calendar = pa.table(  # noqa: F841
        {
            "on_date": days,
            "week_start_on": [day - timedelta(days=day.weekday()) for day in days],
            "school_year": ["2025-26"] * len(days),
            "term": ["Spring"] * len(days),
            "is_instructional": [day.weekday() < 5 for day in days],
        }
    )
    connection.execute("create table config.calendar_day as from calendar")
    connection.execute("create table marts.dim_date as select *, 1 as instructional_week from calendar")
    connection.execute("create table landing.touched_week as select distinct week_start_on from calendar")
    connection.execute(
        "create table intermediate.int_district_through as select ? as district_id, ? as data_complete_through",
        [DISTRICT, through],
    )
    connection.execute(
        "create table intermediate.int_data_through as select 'filter' as source, 'activity' as resource, "
        "true as is_usage, ? as data_complete_through",
        [through],
    )
    connection.execute("create table config.tool_address (tool_id varchar, host varchar, path_prefix varchar)")
    connection.execute(
        "create table marts.fct_unmatched_usage_day (on_date date, host varchar, reason varchar); "
        "create table intermediate.int_unmatched_student_day "
        "(host varchar, on_date date, student_key varchar, events bigint)"
    )


def _students(generator: np.random.Generator, sizes: Sequence[int]) -> pa.Table:
    rows: list[tuple[str, str, str, str | None, str, int]] = []
    for number, size in enumerate(sizes):
        grades = HIGH if number == len(sizes) - 1 else MIDDLE if number == len(sizes) - 2 else ELEMENTARY
        learners = generator.choice([0.02, 0.1, 0.3])
        for _ in range(size):
            stray = generator.random() < 0.005
            grade = str(generator.choice(("05", "08", "09") if stray else grades))
            status = None if generator.random() < 0.01 else "yes" if generator.random() < learners else "no"
            race = str(generator.choice(RACES, p=[0.5, 0.25, 0.17, 0.07, 0.01]))
            rows.append((f"p{len(rows)}", f"s{number}", grade, status, race, int(generator.integers(2))))
    names = ("student_key", "school_key", "grade", "english_learner", "race_ethnicity", "half")
    return pa.table(dict(zip(names, (list(column) for column in zip(*rows, strict=True)), strict=True)))


def _people(connection: duckdb.DuckDBPyConnection) -> None:
    span = "date '1900-01-01' as starts_on, date '9999-12-31' as ends_on"
    for statement in (
        f"intermediate.int_student_school_span as select student_key, school_key, grade, {span} from student",
        f"""marts.brg_student_subgroup as
            select '{DISTRICT}' as district_id, student_key, dimension, subgroup, {span} from (
              select student_key, 'english_learner' as dimension, english_learner as subgroup from student
              union all select student_key, 'race_ethnicity', race_ethnicity from student
            ) where subgroup is not null""",
        f"marts.dim_school as select distinct school_key, '{DISTRICT}' as district_id, school_key as school_name "
        "from student",
        f"""intermediate.int_student_class_span as
            select student_key, concat_ws('-', school_key, grade, half) as class_key, school_key, grade, {span}
            from student""",
        """marts.dim_class as select distinct class_key, school_key, class_key as class_name, grade
            from intermediate.int_student_class_span""",
    ):
        connection.execute(f"create table {statement}")


def _tools(connection: duckdb.DuckDBPyConnection, tools: Sequence[Tool]) -> None:
    connection.execute(
        "create table marts.dim_tool (tool_key varchar, tool_name varchar, approval_status varchar, "
        "licensed_grades varchar[], tool_source varchar)"
    )
    connection.execute(
        "create table marts.dim_contract (contract_key varchar, district_id varchar, tool_key varchar, "
        "tool_name_on_contract varchar, vendor_name varchar, seats bigint, currency varchar, price decimal(18, 2), "
        "price_basis varchar, starts_on date, ends_on date, renewal_on date, notice_days bigint, auto_renews boolean)"
    )
    for tool in tools:
        connection.execute(
            "insert into marts.dim_tool values (?, ?, ?, ?, 'catalogue')",
            [tool.key, tool.key, tool.approval_status, list(tool.grades)],
        )
        if tool.seats is not None:
            connection.execute(
                "insert into marts.dim_contract values (?, ?, ?, ?, 'Vendor', ?, 'USD', 1200, ?, "
                "'2025-07-01', '2026-06-30', null, null, null)",
                [
                    f"c-{tool.key}",
                    DISTRICT,
                    tool.key,
                    tool.key,
                    tool.seats or None,
                    "per_seat" if tool.seats else "site",
                ],
            )
    connection.execute(
        "create table marts.fct_contract_period as select contract_key, date '2026-01-01' as month_starts_on, "
        "cast(100 as decimal(18, 2)) as cost from marts.dim_contract"
    )
    connection.execute(
        "create table marts.fct_cost_ingredient as select district_id, tool_key, starts_on, ends_on, "
        "concat('register/', contract_key) as ingredient_key, tool_name_on_contract as tool_name_on_register, "
        "'training' as ingredient, 'USD' as currency, cast(50 as decimal(18, 2)) as cost_low, "
        "cast(70 as decimal(18, 2)) as cost_likely, cast(90 as decimal(18, 2)) as cost_high from marts.dim_contract"
    )
    # The gaps of reporting districts come from another kind of source: here there are none.
    connection.execute(
        """
        create table intermediate.int_equity_gap_band (district_id varchar, basis varchar, org_level varchar,
        org_key varchar, org_name varchar, period varchar, tool_key varchar, tool_name varchar, dimension varchar,
        subgroup varchar, metric varchar, group_n bigint, reference_n bigint, group_rate double, reference_rate double,
        gap_points double, gap_ci_low double, gap_ci_high double, risk_ratio double, risk_ratio_ci_low double,
        risk_ratio_ci_high double,
        suppression_reason varchar, data_complete_through date)
        """
    )


def _usage(connection: duckdb.DuckDBPyConnection, tools: Sequence[Tool]) -> None:
    """Habits that last: a student uses a tool in most weeks or in few; schools differ, English learners use less."""
    connection.execute(
        "create table marts.fct_student_tool_day (district_id varchar, student_key varchar, tool_key varchar, "
        "on_date date, is_in_school boolean, active_minutes double, active_minutes_gap_5 double, "
        "active_minutes_gap_10 double, active_minutes_gap_30 double, minutes_method varchar, "
        "sessions bigint, events bigint)"
    )
    for tool in tools:
        connection.execute(
            """
            insert into marts.fct_student_tool_day
            select
                ?, student_key, ?, on_date, true, 10.0 + hash(student_key, on_date) % 20 as minutes,
                minutes / 2, minutes, minutes * 2, 'filter_sessionised', 1, 3
            from student cross join marts.dim_date
            where dayofweek(on_date) = 2 and (? or list_contains(?, grade))
              and hash(student_key, ?, on_date) % 1000 / 1000.0
                < ? * (0.6 + 0.8 * (hash(student_key, ?) % 100) / 100.0)
                  * (0.7 + 0.6 * (hash(school_key, ?) % 100) / 100.0)
                  * case when english_learner = 'yes' then 0.6 else 1.0 end
            """,
            [
                DISTRICT,
                tool.key,
                tool.is_open or not tool.grades,
                tool.grades,
                tool.key,
                tool.share,
                tool.key,
                tool.key,
            ],
        )


def rows_of(lake: Lake, sql: str) -> list[dict[str, Any]]:
    with duckdb.connect(str(lake.project.warehouse(DISTRICT)), read_only=True) as connection:
        result = connection.execute(sql)
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
