"""A district small enough to be read: hand-made marts of one week, in the writer's file and in dbt's manifest.

`TABLES` holds, for each mart, where it goes and the SQL of its rows. Every number in it keeps the promises that the
suites check, so that a test breaks exactly one.
"""

from __future__ import annotations

import json
from pathlib import Path

import duckdb

from uptake.config import Calendar, District, Span, UptakeConfig
from uptake.project import Project

DISTRICT = "maple"
THROUGH = "DATE '2026-04-10'"

ADOPTION = """
SELECT 'maple' AS district_id, org_level, org_key, 'Name of ' || org_key AS org_name,
       CASE WHEN org_level = 'school' THEN org_key END AS school_key, DATE '2026-04-06' AS week_start_on,
       'reader' AS tool_key, 'Reader' AS tool_name, '2025-26' AS school_year, dimension, subgroup,
       eligible::BIGINT AS eligible_students, active::BIGINT AS active_students,
       consistent::BIGINT AS consistent_students,
       active / eligible::DOUBLE AS adoption_rate, consistent / eligible::DOUBLE AS consistent_rate,
       CASE WHEN active IS NOT NULL THEN 31.5::DOUBLE END AS minutes_per_active_student,
       CASE WHEN active IS NOT NULL THEN 24.5::DOUBLE END AS minutes_per_active_student_gap_5,
       CASE WHEN active IS NOT NULL THEN 31.5::DOUBLE END AS minutes_per_active_student_gap_10,
       CASE WHEN active IS NOT NULL THEN 40.0::DOUBLE END AS minutes_per_active_student_gap_30,
       'filter_sessionised' AS minutes_method,
       0.9::DOUBLE AS coverage_rate, reason AS suppression_reason, NULL::DOUBLE AS rate_low,
       CASE WHEN reason = 'small_count_low' THEN 0.1 END AS rate_high, reason AS consistent_suppression_reason,
       DATE '2026-04-10' AS data_complete_through
FROM (VALUES
    ('district', 'maple', 'all_students', 'all_students', 490, 225, 170, NULL),
    ('district', 'maple', 'english_learner', 'yes', 60, 30, 20, NULL),
    ('district', 'maple', 'english_learner', 'no', 430, 195, 150, NULL),
    ('district', 'maple', 'disability', 'yes', NULL, NULL, NULL, 'fewer_than_n_students'),
    ('district', 'maple', 'disability', 'no', NULL, NULL, NULL, 'complementary'),
    ('school', 'north', 'all_students', 'all_students', 250, 120, 90, NULL),
    ('school', 'south', 'all_students', 'all_students', 150, 80, 60, NULL),
    ('grade', '03', 'all_students', 'all_students', 220, NULL, NULL, 'small_count_low'),
    ('grade', '04', 'all_students', 'all_students', 180, 90, 70, NULL),
    ('school', 'east', 'all_students', 'all_students', 45, NULL, NULL, 'complementary'),
    ('school', 'west', 'all_students', 'all_students', 45, NULL, NULL, 'small_count_low')
) AS rows (org_level, org_key, dimension, subgroup, eligible, active, consistent, reason)
"""

TABLES: dict[str, tuple[str | None, str]] = {
    "mart_adoption": ("leaders", ADOPTION),
    "mart_equity_gap": (
        "leaders",
        """
        SELECT 'maple' AS district_id, 'student_subgroup' AS basis, 'district' AS org_level, 'maple' AS org_key,
               'Maple' AS org_name, 'last_4_weeks' AS period, 'reader' AS tool_key, 'Reader' AS tool_name,
               'english_learner' AS dimension, 'yes' AS subgroup, 'adoption' AS metric,
               60::BIGINT AS group_n, 340::BIGINT AS reference_n,
               0.5::DOUBLE AS group_rate, 0.6::DOUBLE AS reference_rate,
               -10.0::DOUBLE AS gap_points, -22.0::DOUBLE AS gap_ci_low, 3.0::DOUBLE AS gap_ci_high,
               0.83::DOUBLE AS risk_ratio,
               0.63::DOUBLE AS risk_ratio_ci_low, 1.1::DOUBLE AS risk_ratio_ci_high,
               NULL::VARCHAR AS suppression_reason,
               DATE '2026-04-10' AS data_complete_through
        UNION ALL
        -- Five districts of a band are not five people.
        SELECT 'maple', 'district_band', 'district', 'maple', 'Maple', '2020', '__any_tool__', 'Any tool',
               'free_reduced_band', '[0.2, 0.4[', 'pct_access', 5, 7, 1.5, 2.5, -1.0, -2.0, 0.0, NULL, NULL, NULL, NULL,
               DATE '2026-04-10'
        """,
    ),
    "mart_usage_summary": (
        "leaders",
        """
        SELECT 'maple' AS district_id, DATE '2026-04-06' AS week_start_on, 'all' AS level, 'all' AS level_value,
               'all' AS group_dimension, 'all' AS group_value, 1 AS districts_reporting, 1 AS districts_total,
               1.5 AS mean_pct_access, 20.0 AS mean_engagement_index, 5 AS district_days,
               DATE '2026-04-10' AS data_complete_through
        WHERE false
        """,
    ),
    "mart_value": (
        "leaders",
        """
        SELECT 'maple' AS district_id, 'c1' AS contract_key, 'reader' AS tool_key, 'Reader' AS tool_name,
               'Reader Inc' AS vendor_name, '2025-26' AS school_year, 'USD' AS currency,
               4000.00::DECIMAL(18, 2) AS cost, 400::BIGINT AS seats,
               200::BIGINT AS seats_used, 0.5::DOUBLE AS utilisation_rate,
               200::BIGINT AS active_students, 20.0::DOUBLE AS cost_per_active_student_usd,
               105.0::DOUBLE AS active_hours, 38.1::DOUBLE AS cost_per_active_hour_usd,
               2000.00::DECIMAL(18, 2) AS wasted, 'unused_seats' AS waste_method, DATE '2026-07-01' AS renewal_on,
               DATE '2026-04-02' AS decide_by_on, 82 AS days_to_renewal, NULL::VARCHAR AS suppression_reason,
               DATE '2026-04-10' AS data_complete_through
        UNION ALL
        -- Fewer than ten of 50 seats are used: how many is hidden, and waste is that of nine.
        SELECT 'maple', 'c2', 'dusty', 'Dusty', 'Dusty Inc', '2025-26', 'USD', 900.00, 50, NULL, NULL, NULL, NULL,
               NULL, NULL, 738.00, 'unused_seats', DATE '2026-07-01', DATE '2026-04-02', 82, 'small_count_low',
               DATE '2026-04-10'
        """,
    ),
    "mart_unused_tool": (
        "leaders",
        """
        SELECT 'maple' AS district_id, 'c2' AS contract_key, 'dusty' AS tool_key, 'Dusty' AS tool_name,
               900.00::DECIMAL(18, 2) AS cost_usd, 50::BIGINT AS seats, 12 AS weeks_without_use,
               DATE '2026-01-12' AS last_used_on, DATE '2026-07-01' AS renewal_on,
               DATE '2026-04-10' AS data_complete_through
        """,
    ),
    "mart_tool_cost": (
        "leaders",
        """
        SELECT 'maple' AS district_id, 'reader' AS tool_key, 'Reader' AS tool_name, 'USD' AS currency, ingredient,
               cost_low::DECIMAL(18, 2) AS cost_low, cost_likely::DECIMAL(18, 2) AS cost_likely,
               cost_high::DECIMAL(18, 2) AS cost_high, 200::BIGINT AS active_students, 105.0::DOUBLE AS active_hours,
               (cost_likely / 200)::DECIMAL(18, 2) AS cost_per_active_student_likely,
               (cost_likely / 105)::DECIMAL(18, 2) AS cost_per_active_hour_likely,
               DATE '2026-04-10' AS data_complete_through
        FROM (VALUES ('licence', 4000, 4000, 4000), ('training', 500, 800, 1500), ('all', 4500, 4800, 5500))
            AS paid (ingredient, cost_low, cost_likely, cost_high)
        """,
    ),
    "mart_cost_effectiveness": (
        "leaders",
        """
        SELECT 'maple' AS district_id, 'p1' AS plan_hash, 'score' AS outcome, 'Reader' AS tool_name, 0.2::DOUBLE AS g,
               0.1::DOUBLE AS g_low, 0.3::DOUBLE AS g_high, 7.50::DECIMAL(18, 2) AS cost_per_tenth_low,
               12.00::DECIMAL(18, 2) AS cost_per_tenth_likely, 27.50::DECIMAL(18, 2) AS cost_per_tenth_high,
               DATE '2026-04-10' AS data_complete_through
        """,
    ),
    "mart_cost_forecast": (
        "leaders",
        """
        SELECT 'maple' AS district_id, 'reader' AS tool_key, 'Reader' AS tool_name, 'USD' AS currency,
               'licence' AS ingredient, DATE '2026-07-01' AS year_starts_on, 4000.00::DECIMAL(18, 2) AS cost_low,
               4120.00::DECIMAL(18, 2) AS cost_likely, 4280.00::DECIMAL(18, 2) AS cost_high
        """,
    ),
    "mart_unknown_tool": (
        "leaders",
        """
        SELECT 'maple' AS district_id, 'games.example' AS host, NULL::VARCHAR AS tool_key, NULL::VARCHAR AS tool_name,
               'unmatched' AS status, DATE '2026-03-02' AS first_seen_on, DATE '2026-04-10' AS last_seen_on,
               500::BIGINT AS events, 40::BIGINT AS students, 2 AS schools, 20::BIGINT AS students_previous_4_weeks,
               2.0::DOUBLE AS growth_ratio, NULL::VARCHAR AS suppression_reason,
               DATE '2026-04-10' AS data_complete_through
        """,
    ),
    "mart_source_health": (
        "leaders",
        """
        SELECT 'maple' AS district_id, 'sis' AS source, 'oneroster' AS kind, 'users' AS resource,
               TIMESTAMPTZ '2026-04-11 01:00:00+00' AS last_pull_at,
               TIMESTAMPTZ '2026-04-11 01:00:00+00' AS last_good_pull_at, 'good' AS status, 420::BIGINT AS rows_landed,
               1::BIGINT AS rows_quarantined, DATE '2026-04-10' AS data_complete_through, false AS is_stale,
               NULL::VARCHAR AS message, NULL::VARCHAR AS remedy
        """,
    ),
    "mart_freshness": (
        "leaders",
        """
        SELECT 'maple' AS district_id, 'sis' AS source, 'oneroster' AS kind, 'pulled' AS basis,
               3600::BIGINT AS goal_seconds, 1::BIGINT AS publications, 420::BIGINT AS row_count,
               30.0::DOUBLE AS p50_seconds, 40.0::DOUBLE AS p95_seconds, 40.0::DOUBLE AS longest_seconds,
               20.0::DOUBLE AS longest_seconds_to_landed,
               TIMESTAMPTZ '2026-04-11 01:00:00+00' AS last_published_at, true AS is_within_goal
        """,
    ),
    "mart_reconciliation": (
        "leaders",
        """
        SELECT 'maple' AS district_id, 'sis' AS source, 'users' AS resource, measure,
               expected::DECIMAL(18, 2) AS expected,
               actual::DECIMAL(18, 2) AS actual, (actual - expected)::DECIMAL(18, 2) AS difference,
               expected = actual AS is_reconciled, NULL::VARCHAR AS note, DATE '2026-04-10' AS data_complete_through
        FROM (VALUES ('rows_pulled', 421, 421), ('rows_staged', 420, 420)) AS rows (measure, expected, actual)
        """,
    ),
    "mart_quarantine": (
        "leaders",
        """
        SELECT 'maple' AS district_id, 'sis' AS source, 'users' AS resource, 'not_date' AS reason,
               'dateLastModified' AS column_name, 1::BIGINT AS rows, TIMESTAMPTZ '2026-04-11 01:00:00+00' AS first_at,
               TIMESTAMPTZ '2026-04-11 01:00:00+00' AS last_at, 0::BIGINT AS replayed_rows,
               DATE '2026-04-10' AS data_complete_through
        """,
    ),
    "mart_match_rate": (
        "leaders",
        """
        SELECT 'maple' AS district_id, 'filter' AS source, 1000::BIGINT AS events, 950::BIGINT AS events_matched_person,
               900::BIGINT AS events_matched_tool, DATE '2026-04-10' AS data_complete_through
        """,
    ),
    "mart_identity_match": (
        "leaders",
        """
        SELECT 'maple' AS district_id, 'clever' AS source, 'students' AS who, linked_by, people::BIGINT AS people,
               90::BIGINT AS people_in_all, reason AS suppression_reason
        FROM (VALUES
            ('sis_id', 60, NULL), ('email', NULL, 'complementary'), ('ambiguous', NULL, 'fewer_than_n_students'))
            AS rows (linked_by, people, reason)
        """,
    ),
    "mart_unknown_word": (
        "leaders",
        """
        SELECT 'maple' AS district_id, 'clever' AS source, 'grade' AS vocabulary, 'Year 9' AS word,
               12::BIGINT AS people
        WHERE false
        """,
    ),
    **dict.fromkeys(
        (
            "mart_study",
            "mart_study_estimate",
            "mart_study_gate",
            "mart_study_plan",
            "mart_study_flow",
            "mart_study_balance",
            "mart_study_dose",
            "mart_study_sensitivity",
        ),
        ("leaders", "SELECT 'maple' AS district_id WHERE false"),
    ),
    "mart_check_history": (
        "leaders",
        "SELECT 'maple' AS district_id, 'x' AS check_id, DATE '2026-04-10' AS data_complete_through WHERE false",
    ),
    "metric_definition": (
        "leaders",
        "SELECT 'adoption_rate' AS metric, 'Adoption' AS name, 'active / eligible' AS definition, '1' AS version",
    ),
    "dim_student": (
        "restricted",
        """
        SELECT md5(range::VARCHAR) AS student_key, 'maple' AS district_id, '03' AS grade, 'north' AS school_key,
               true AS is_enrolled
        FROM range(400)
        """,
    ),
    "fct_student_tool_day": (
        "restricted",
        """
        SELECT 'maple' AS district_id, md5(range::VARCHAR) AS student_key, 'reader' AS tool_key,
               DATE '2026-04-06' AS on_date, true AS is_in_school, 12.5::DOUBLE AS active_minutes,
               'lms_interaction' AS minutes_method, 1 AS sessions, 9 AS events
        FROM range(200)
        """,
    ),
    "int_usage_event": (None, "SELECT 'nobody tags this' AS secret"),
}


KEYS = {
    "mart_adoption": ["district_id", "org_level", "org_key", "week_start_on", "tool_key", "dimension", "subgroup"],
    "mart_value": ["district_id", "contract_key"],
    "mart_quarantine": ["district_id", "source", "resource", "reason", "column_name"],
    "mart_reconciliation": ["district_id", "source", "resource", "measure"],
    "dim_student": ["student_key"],
    "fct_student_tool_day": ["district_id", "student_key", "tool_key", "on_date", "is_in_school"],
}


def make_project(root: Path) -> Project:
    district = District(
        id=DISTRICT,
        name="Maple (simulated)",
        time_zone="America/Chicago",
        calendar=Calendar(school_years=(Span(name="2025-26", starts_on="2025-08-18", ends_on="2026-06-05"),)),
        is_simulated=True,
    )
    return Project(UptakeConfig(districts=(district,), state_dir=root / "var"), root / "uptake.yaml")


_written: dict[str, bytes] = {}


def _fill(warehouse: Path, tables: dict[str, tuple[str | None, str]], by_date: dict[str, dict[str, str]]) -> None:
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("CREATE SCHEMA marts")
        for name, (_, sql) in tables.items():
            connection.execute(f"CREATE TABLE marts.{name} AS {sql}")
        connection.execute("CREATE SCHEMA build")
        connection.execute("CREATE TABLE build.done_file AS SELECT 0 AS id")
        connection.execute("CREATE TABLE build.date_version (on_date DATE, version VARCHAR)")
        versions = {on_date: version for dates in by_date.values() for on_date, version in dates.items()}
        for on_date, version in versions.items():
            connection.execute("INSERT INTO build.date_version VALUES (?, ?)", [on_date, version])


def write_warehouse(project: Project, by_date: dict[str, dict[str, str]] | None = None, **changed: str) -> None:
    """The writer's file and dbt's manifest. `changed` replaces the SQL of a table (or adds one for leaders).

    by_date: tables that are made again date by date, each with the version of its dates.
    """
    warehouse = project.warehouse(DISTRICT)
    warehouse.parent.mkdir(parents=True, exist_ok=True)
    warehouse.unlink(missing_ok=True)
    tables = TABLES | {name: (TABLES.get(name, ("leaders", ""))[0], sql) for name, sql in changed.items()}
    made = json.dumps([tables, by_date])
    if made not in _written:  # making a file of many tables takes longer than most tests do
        _fill(warehouse, tables, by_date or {})
        _written[made] = warehouse.read_bytes()
    warehouse.write_bytes(_written[made])

    def meta(name: str, audience: str | None) -> dict[str, object]:
        return {"snapshot": audience, "key": KEYS.get(name)} if audience else {}

    nodes = {
        f"model.uptake.{name}": {
            "name": name,
            "alias": name,
            "schema": "marts",
            "config": {
                "materialized": "incremental" if name in (by_date or {}) else "table",
                "incremental_strategy": "replace_dates" if name in (by_date or {}) else None,
                "meta": meta(name, audience),
            },
        }
        for name, (audience, _) in tables.items()
    }
    manifest = project.state_dir / "dbt" / DISTRICT / "target" / "manifest.json"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text(json.dumps({"nodes": nodes}))
