"""Numbers that can be true: keys stand once, shares lie between 0 and 1, intervals contain their estimate."""

from __future__ import annotations

import great_expectations.expectations as gxe

from expectations.wording import between, key_is_whole_and_unique, no_rows
from uptake.quality.suite import Columns, Facts, Suite, check
from uptake.warehouse.snapshot import Audience

# What the pages read. A district may leave any of them empty, and none of them out.
LEADERS_TABLES = (
    "mart_adoption",
    "mart_equity_gap",
    "mart_usage_summary",
    "mart_value",
    "mart_unused_tool",
    "mart_tool_cost",
    "mart_cost_effectiveness",
    "mart_cost_forecast",
    "mart_unknown_tool",
    "mart_source_health",
    "mart_freshness",
    "mart_reconciliation",
    "mart_quarantine",
    "mart_match_rate",
    "mart_identity_match",
    "mart_unknown_word",
    "mart_check_history",
    "mart_study",
    "mart_study_estimate",
    "mart_study_gate",
    "mart_study_plan",
    "mart_study_flow",
    "mart_study_balance",
    "mart_study_dose",
    "mart_study_sensitivity",
    "metric_definition",
)

# Tables of answers about use; each row carries the date of its own.
ANSWERS = ("mart_adoption", "mart_equity_gap", "mart_usage_summary", "mart_unknown_tool")

# Parts of a key that may be null, and are then a value like any other.
NULLABLE = {
    ("mart_quarantine", "column_name"),
    ("mart_unknown_word", "word"),
    ("mart_unknown_tool", "host"),
    ("mart_unknown_tool", "tool_key"),
    ("mart_tool_cost", "tool_key"),
    ("mart_cost_forecast", "tool_key"),
}
REBUILD = "Run `uptake build --full-refresh`; if it stays, the model has a join that repeats rows."
MODEL = "Look at the model's SQL and its unit tests; the definition is in docs/metrics.md."
# A year of person-level days is too long to read at each build; dbt's own tests guard the rest when it changes.
RECENT_DAYS = 35


def suites(facts: Facts) -> list[Suite]:
    found = [Suite("marts", "leaders", "tables", [_tables()], query="SELECT table_name FROM duckdb_tables()")]
    specific = {
        "mart_adoption": _adoption,
        "mart_equity_gap": _equity,
        "mart_value": _value,
        "mart_unused_tool": _unused_tool,
        "mart_tool_cost": _tool_cost,
        "mart_cost_effectiveness": _cost_effectiveness,
        "mart_cost_forecast": _cost_forecast,
        "fct_student_tool_day": _tool_day,
        "brg_student_subgroup": _subgroup,
    }
    for audience, tables in facts.tables.items():
        for table, columns in tables.items():
            expectations = []
            if table in facts.keys and (audience == "leaders" or table.startswith("dim_")):
                nullable = {column for name, column in NULLABLE if name == table}
                expectations += key_is_whole_and_unique("marts", table, facts.keys[table], nullable, REBUILD)
            if table in ANSWERS:
                expectations += _dated(table, columns)
            if table in specific:
                expectations += specific[table](facts, audience)
            if expectations:
                found.append(Suite("marts", audience, table, expectations))
    return found


def _tables() -> object:
    listed = ", ".join(f"'{table}'" for table in LEADERS_TABLES)
    return no_rows(
        "marts.leaders.tables_present",
        f"SELECT name AS missing_table FROM (SELECT unnest([{listed}]) AS name) AS wanted "
        "WHERE name NOT IN (SELECT table_name FROM {batch})",
        "The leaders' file holds every table that the pages read.",
        "Give the model `config: {meta: {snapshot: leaders}}` in its YAML, then build and check again.",
    )


def _dated(table: str, columns: Columns) -> list[object]:
    without_source = (
        "AND suppression_reason IS DISTINCT FROM 'no_usage_source'" if "suppression_reason" in columns else ""
    )
    return [
        no_rows(
            f"marts.{table}.data_complete_through",
            "SELECT count(*) AS undated_rows FROM {batch} "
            f"WHERE data_complete_through IS NULL {without_source} HAVING count(*) > 0",
            "Every answer about use says up to which day it is complete.",
            MODEL,
        )
    ]


def _adoption(facts: Facts, audience: Audience) -> list[object]:
    return [
        between("marts.mart_adoption.adoption_rate", "adoption_rate", "Adoption is a share.", MODEL, low=0, high=1),
        between("marts.mart_adoption.consistent_rate", "consistent_rate", "So is consistency.", MODEL, low=0, high=1),
        between("marts.mart_adoption.coverage_rate", "coverage_rate", "Coverage is a share.", MODEL, low=0, high=1),
        between("marts.mart_adoption.minutes", "minutes_per_active_student", "Minutes of a week, per active student, "
                "fit in a week.", MODEL, low=0, high=7 * 24 * 60),
        no_rows(
            "marts.mart_adoption.minutes_by_idle_gap",
            "SELECT org_level, org_key, week_start_on, tool_key, dimension, subgroup FROM {batch} WHERE NOT "
            "(minutes_per_active_student_gap_5 BETWEEN 0 AND minutes_per_active_student_gap_10 "
            "AND minutes_per_active_student_gap_10 <= minutes_per_active_student_gap_30)",
            "The longer the pause that does not end a session, the more minutes.",
            MODEL,
        ),
        no_rows(
            "marts.mart_adoption.part_of_whole",
            "SELECT org_level, org_key, week_start_on, tool_key, dimension, subgroup FROM {batch} "
            "WHERE active_students > eligible_students OR consistent_students > eligible_students",
            "Active and consistent students are among the eligible ones.",
            MODEL,
        ),
        no_rows(
            "marts.mart_adoption.rate_is_quotient",
            "SELECT org_level, org_key, week_start_on, tool_key, dimension, subgroup FROM {batch} "
            "WHERE abs(adoption_rate - active_students / nullif(eligible_students, 0)::DOUBLE) > 1e-6",
            "The rate that is shown is the quotient of the counts that are shown.",
            MODEL,
        ),
        check(
            gxe.ExpectColumnDistinctValuesToBeInSet,
            "marts.mart_adoption.org_level",
            "Adoption is told for districts, schools, grades and classes.",
            MODEL,
            column="org_level",
            value_set=["district", "school", "grade", "class"],
        ),
        no_rows(
            "marts.mart_adoption.week_is_past",
            "SELECT DISTINCT week_start_on, data_complete_through FROM {batch} "
            "WHERE week_start_on > data_complete_through",
            "No week is shown that has not begun to be complete.",
            MODEL,
        ),
    ]  # fmt: skip


def _equity(facts: Facts, audience: Audience) -> list[object]:
    key = "basis, org_level, org_key, period, tool_key, dimension, subgroup, metric"
    shares = "metric IN ('adoption', 'consistent_use')"
    return [
        no_rows(
            "marts.mart_equity_gap.rates",
            f"SELECT {key} FROM {{batch}} WHERE {shares} "
            "AND NOT (coalesce(group_rate, 0) BETWEEN 0 AND 1 AND coalesce(reference_rate, 0) BETWEEN 0 AND 1)",
            "Rates of adoption and of consistent use are shares.",
            MODEL,
        ),
        no_rows(
            "marts.mart_equity_gap.gap_interval",
            f"SELECT {key} FROM {{batch}} WHERE NOT (gap_ci_low <= gap_points AND gap_points <= gap_ci_high)",
            "Each gap lies within its own interval.",
            MODEL,
        ),
        no_rows(
            "marts.mart_equity_gap.ratio_interval",
            f"SELECT {key} FROM {{batch}} WHERE risk_ratio < 0 "
            "OR NOT (risk_ratio_ci_low <= risk_ratio AND risk_ratio <= risk_ratio_ci_high)",
            "Each ratio is not negative and lies within its own interval.",
            MODEL,
        ),
        no_rows(
            "marts.mart_equity_gap.gap_is_difference",
            f"SELECT {key} FROM {{batch}} WHERE {shares} "
            "AND abs(gap_points - 100 * (group_rate - reference_rate)) > 0.01",
            "The gap in points is the difference of the two rates that are shown.",
            MODEL,
        ),
    ]


def _value(facts: Facts, audience: Audience) -> list[object]:
    return [
        between("marts.mart_value.cost", "cost", "No cost is negative.", MODEL, low=0),
        between(
            "marts.mart_value.utilisation_rate", "utilisation_rate", "No share of seats is negative.", MODEL, low=0
        ),
        no_rows(
            "marts.mart_value.seats_not_exceeded",
            "SELECT contract_key, tool_name, seats, seats_used FROM {batch} WHERE seats_used > seats",
            "No contract is used by more people than it has seats.",
            "Ask the vendor or the finance office: the register's seats may be out of date, or the licence exceeded.",
            "warning",
        ),
        no_rows(
            "marts.mart_value.waste_within_cost",
            "SELECT contract_key, cost, wasted FROM {batch} WHERE wasted < 0 OR wasted > cost",
            "Waste is a part of the cost.",
            MODEL,
        ),
        no_rows(
            "marts.mart_value.decide_before_renewal",
            "SELECT contract_key, decide_by_on, renewal_on FROM {batch} WHERE decide_by_on > renewal_on",
            "The day to decide by comes before the renewal.",
            MODEL,
        ),
    ]


def _unused_tool(facts: Facts, audience: Audience) -> list[object]:
    return [between("marts.mart_unused_tool.weeks", "weeks_without_use", "Weeks are counted from 0.", MODEL, low=0)]


def _in_order(table: str, stem: str, what: str) -> object:
    return no_rows(
        f"marts.{table}.{stem}_in_order",
        f"SELECT tool_name, {stem}_low, {stem}_likely, {stem}_high FROM {{batch}} "
        f"WHERE NOT ({stem}_low <= {stem}_likely AND {stem}_likely <= {stem}_high)",
        f"The likely {what} lies between the low and the high one.",
        MODEL,
    )


def _tool_cost(facts: Facts, audience: Audience) -> list[object]:
    parts = "sum(cost_likely) FILTER (WHERE ingredient <> 'all')"
    whole = "sum(cost_likely) FILTER (WHERE ingredient = 'all')"
    return [
        _in_order("mart_tool_cost", "cost", "cost"),
        no_rows(
            "marts.mart_tool_cost.ingredients_add_up",
            f"SELECT tool_name, currency, {whole} AS whole, {parts} AS parts FROM {{batch}} "
            f"GROUP BY tool_name, currency HAVING {whole} IS DISTINCT FROM {parts}",
            "The ingredients of a tool's cost add up to all of it, to the cent.",
            MODEL,
        ),
    ]


def _cost_effectiveness(facts: Facts, audience: Audience) -> list[object]:
    ratios = ("cost_per_tenth_low", "cost_per_tenth_likely", "cost_per_tenth_high")
    given = " OR ".join(f"{name} IS NOT NULL" for name in ratios)
    lacks = " OR ".join(f"{name} IS NULL" for name in ratios)
    return [
        _in_order("mart_cost_effectiveness", "cost_per_tenth", "cost of a gain"),
        no_rows(
            "marts.mart_cost_effectiveness.never_a_point_alone",
            f"SELECT plan_hash, outcome FROM {{batch}} WHERE ({given}) AND ({lacks} OR g_low IS NULL OR g_low <= 0)",
            "What a gain costs is told with both of its ends, and only where the effect is surely above nothing.",
            MODEL,
        ),
    ]


def _cost_forecast(facts: Facts, audience: Audience) -> list[object]:
    return [_in_order("mart_cost_forecast", "cost", "cost")]


def _tool_day(facts: Facts, audience: Audience) -> list[object]:
    recent = f"on_date > (SELECT max(on_date) FROM {{batch}}) - {RECENT_DAYS}"
    return [
        no_rows(
            "marts.fct_student_tool_day.key_unique",
            f"SELECT on_date, count(*) AS repeated_keys FROM (SELECT on_date FROM {{batch}} WHERE {recent} "
            "GROUP BY district_id, student_key, tool_key, on_date, is_in_school HAVING count(*) > 1) AS twice "
            "GROUP BY on_date",
            "A student's use of a tool on a date stands once, in and out of school hours apart.",
            REBUILD,
        ),
        no_rows(
            "marts.fct_student_tool_day.minutes",
            "SELECT on_date, count(*) AS impossible_rows FROM {batch} "
            f"WHERE {recent} AND NOT active_minutes BETWEEN 0 AND 1440 GROUP BY on_date",
            "Nobody uses a tool for less than no time or for more than a day in a day.",
            MODEL,
        ),
        check(
            gxe.ExpectColumnDistinctValuesToBeInSet,
            "marts.fct_student_tool_day.minutes_method",
            "Minutes say how they were measured, in a way that docs/metrics.md defines.",
            MODEL,
            column="minutes_method",
            value_set=["tool_reported", "lms_interaction", "filter_sessionised", "event_sessionised", "hour_bucket"],
        ),
        *(
            [
                no_rows(
                    "marts.fct_student_tool_day.students_known",
                    f"SELECT on_date, count(*) AS rows_of_unknown_students FROM {{batch}} WHERE {recent} "
                    "AND student_key NOT IN (SELECT student_key FROM dim_student) GROUP BY on_date",
                    "Every row of use belongs to a student of the roster.",
                    REBUILD,
                )
            ]
            if facts.has(audience, "dim_student")
            else []
        ),
    ]


def _subgroup(facts: Facts, audience: Audience) -> list[object]:
    return [
        no_rows(
            "marts.brg_student_subgroup.spans_apart",
            "SELECT dimension, count(*) AS overlapping_spans FROM (SELECT dimension, starts_on, lag(ends_on) OVER "
            "(PARTITION BY student_key, dimension ORDER BY starts_on) AS previous_end FROM {batch}) AS spans "
            "WHERE starts_on <= previous_end GROUP BY dimension",
            "A student belongs to one group of each kind on each day.",
            REBUILD,
        )
    ]
