"""A small published snapshot for the dashboard's tests: the leaders' marts, typed as the warehouse types them.

The numbers are drawn from a fixed seed and hold planted truths that the tests look for: a licence that nobody uses
(PhonicsPath), an unapproved tool that spreads (quizblitz.example), a subgroup that is left behind (English learners),
groups that are too small to show, and a check that may be made to fail.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

DAY = timedelta(days=1)
WEEK = timedelta(weeks=1)
MINIMUM_N = 10
THROUGH = date(2026, 4, 10)
LAST_WEEK = date(2026, 4, 6)

TABLES: dict[str, str] = {
    "mart_adoption": """
        district_id VARCHAR, org_level VARCHAR, org_key VARCHAR, org_name VARCHAR, school_key VARCHAR,
        week_start_on DATE, school_year VARCHAR, tool_key VARCHAR, tool_name VARCHAR, dimension VARCHAR,
        subgroup VARCHAR, eligible_students BIGINT, active_students BIGINT, consistent_students BIGINT,
        adoption_rate DOUBLE, consistent_rate DOUBLE, rate_low DOUBLE, rate_high DOUBLE,
        minutes_per_active_student DOUBLE, minutes_per_active_student_gap_5 DOUBLE,
        minutes_per_active_student_gap_10 DOUBLE, minutes_per_active_student_gap_30 DOUBLE, minutes_method VARCHAR,
        coverage_rate DOUBLE,
        suppression_reason VARCHAR, consistent_suppression_reason VARCHAR, data_complete_through DATE""",
    "mart_equity_gap": """
        district_id VARCHAR, basis VARCHAR, org_level VARCHAR, org_key VARCHAR, org_name VARCHAR, period VARCHAR,
        tool_key VARCHAR, tool_name VARCHAR, dimension VARCHAR, subgroup VARCHAR, metric VARCHAR, group_n BIGINT,
        reference_n BIGINT, group_rate DOUBLE, reference_rate DOUBLE, gap_points DOUBLE, gap_ci_low DOUBLE,
        gap_ci_high DOUBLE, risk_ratio DOUBLE, risk_ratio_ci_low DOUBLE, risk_ratio_ci_high DOUBLE,
        suppression_reason VARCHAR, data_complete_through DATE""",
    "mart_usage_summary": """
        district_id VARCHAR, week_start_on DATE, level VARCHAR, level_value VARCHAR, group_dimension VARCHAR,
        group_value VARCHAR, districts_reporting BIGINT, districts_total BIGINT, mean_pct_access DOUBLE,
        mean_engagement_index DOUBLE, district_days BIGINT, data_complete_through DATE""",
    "mart_value": """
        district_id VARCHAR, contract_key VARCHAR, tool_key VARCHAR, tool_name VARCHAR, vendor_name VARCHAR,
        school_year VARCHAR, period_starts_on DATE, period_ends_on DATE, currency VARCHAR, cost DECIMAL(18,2),
        price DECIMAL(18,2), price_basis VARCHAR, seats BIGINT, seats_used BIGINT, utilisation_rate DOUBLE,
        active_students BIGINT, active_hours DOUBLE, minutes_method VARCHAR, wasted DECIMAL(18,2),
        waste_method VARCHAR, renewal_on DATE, notice_days BIGINT, notice_basis VARCHAR, auto_renews BOOLEAN,
        decide_by_on DATE, days_to_renewal BIGINT, suppression_reason VARCHAR, data_complete_through DATE""",
    "mart_tool_cost": """
        district_id VARCHAR, school_year VARCHAR, tool_key VARCHAR, tool_name VARCHAR, currency VARCHAR,
        ingredient VARCHAR, cost_low DECIMAL(18,2), cost_likely DECIMAL(18,2), cost_high DECIMAL(18,2),
        active_students BIGINT, cost_per_active_student_low DECIMAL(18,2),
        cost_per_active_student_likely DECIMAL(18,2), cost_per_active_student_high DECIMAL(18,2),
        active_hours DOUBLE, cost_per_active_hour_low DECIMAL(18,2), cost_per_active_hour_likely DECIMAL(18,2),
        cost_per_active_hour_high DECIMAL(18,2), undefined_reason VARCHAR, data_complete_through DATE""",
    "mart_cost_effectiveness": """
        district_id VARCHAR, plan_hash VARCHAR, outcome VARCHAR, is_first_outcome BOOLEAN, tool_key VARCHAR,
        tool_name VARCHAR, design VARCHAR, verdict VARCHAR, meaningful_g DOUBLE, confidence DOUBLE,
        planned_at TIMESTAMPTZ, use_starts_on DATE, use_ends_on DATE, g DOUBLE, g_low DOUBLE, g_high DOUBLE,
        currency VARCHAR, cost_per_active_student_low DECIMAL(18,2), cost_per_active_student_likely DECIMAL(18,2),
        cost_per_active_student_high DECIMAL(18,2), cost_per_tenth_low DECIMAL(18,2),
        cost_per_tenth_likely DECIMAL(18,2), cost_per_tenth_high DECIMAL(18,2), undefined_reason VARCHAR,
        data_complete_through DATE""",
    "mart_cost_forecast": """
        district_id VARCHAR, tool_key VARCHAR, tool_name VARCHAR, currency VARCHAR, ingredient VARCHAR,
        year_starts_on DATE, year_ends_on DATE, cost_low DECIMAL(18,2), cost_likely DECIMAL(18,2),
        cost_high DECIMAL(18,2), signed_cost DECIMAL(18,2)""",
    "dim_contract": "contract_key VARCHAR, district_id VARCHAR, ends_on DATE",
    "mart_unused_tool": """
        district_id VARCHAR, contract_key VARCHAR, tool_key VARCHAR, tool_name VARCHAR, vendor_name VARCHAR,
        currency VARCHAR, cost DECIMAL(18,2), seats BIGINT, weeks_without_use BIGINT, last_used_on DATE,
        renewal_on DATE, decide_by_on DATE, data_complete_through DATE""",
    "mart_unknown_tool": """
        district_id VARCHAR, host VARCHAR, tool_key VARCHAR, tool_name VARCHAR, status VARCHAR, first_seen_on DATE,
        last_seen_on DATE, events BIGINT, students BIGINT, schools BIGINT, students_previous_4_weeks BIGINT,
        growth_ratio DOUBLE, suppression_reason VARCHAR, data_complete_through DATE""",
    "mart_source_health": """
        district_id VARCHAR, source VARCHAR, kind VARCHAR, resource VARCHAR, last_pull_at TIMESTAMPTZ,
        last_good_pull_at TIMESTAMPTZ, status VARCHAR, rows_landed BIGINT, rows_quarantined BIGINT,
        data_complete_through DATE, is_stale BOOLEAN, message VARCHAR, remedy VARCHAR""",
    "mart_freshness": """
        district_id VARCHAR, source VARCHAR, kind VARCHAR, basis VARCHAR, goal_seconds BIGINT, publications BIGINT,
        row_count BIGINT, p50_seconds DOUBLE, p95_seconds DOUBLE, longest_seconds DOUBLE,
        longest_seconds_to_landed DOUBLE, last_published_at TIMESTAMPTZ, is_within_goal BOOLEAN""",
    "mart_reconciliation": """
        district_id VARCHAR, source VARCHAR, resource VARCHAR, measure VARCHAR, expected DOUBLE, actual DOUBLE,
        difference DOUBLE, is_reconciled BOOLEAN, note VARCHAR, data_complete_through DATE""",
    "mart_check_history": """
        district_id VARCHAR, snapshot_id VARCHAR, suite VARCHAR, check_id VARCHAR, table_name VARCHAR,
        column_name VARCHAR, severity VARCHAR, is_success BOOLEAN, observed VARCHAR, unexpected_rows BIGINT,
        description VARCHAR, remedy VARCHAR, checked_at TIMESTAMPTZ, data_complete_through DATE""",
    "mart_quarantine": """
        district_id VARCHAR, source VARCHAR, resource VARCHAR, reason VARCHAR, column_name VARCHAR, rows BIGINT,
        first_at TIMESTAMPTZ, last_at TIMESTAMPTZ, replayed_rows BIGINT, data_complete_through DATE""",
    "mart_match_rate": """
        district_id VARCHAR, source VARCHAR, events BIGINT, events_matched_person BIGINT,
        events_matched_tool BIGINT, data_complete_through DATE""",
    "mart_identity_match": """
        district_id VARCHAR, source VARCHAR, who VARCHAR, linked_by VARCHAR, people BIGINT, people_in_all BIGINT,
        suppression_reason VARCHAR""",
    "mart_unknown_word": """
        district_id VARCHAR, source VARCHAR, vocabulary VARCHAR, word VARCHAR, people BIGINT""",
    "mart_study_plan": """
        district_id VARCHAR, plan_hash VARCHAR, tool_key VARCHAR, tool_name VARCHAR, question VARCHAR, design VARCHAR,
        outcomes VARCHAR, use_measure VARCHAR, meaningful_g DOUBLE, confidence DOUBLE, use_starts_on DATE,
        use_ends_on DATE, outcome_starts_on DATE, outcome_ends_on DATE, planned_at TIMESTAMPTZ, is_shown BOOLEAN""",
    "mart_study": """
        district_id VARCHAR, plan_hash VARCHAR, outcome VARCHAR, is_first_outcome BOOLEAN, tool_key VARCHAR,
        tool_name VARCHAR, question VARCHAR, design VARCHAR, meaningful_g DOUBLE, verdict VARCHAR, sentence VARCHAR,
        essa_tier INTEGER, essa VARCHAR, planned_at TIMESTAMPTZ, run_at TIMESTAMPTZ, data_version VARCHAR,
        code_version VARCHAR""",
    "mart_study_estimate": """
        district_id VARCHAR, plan_hash VARCHAR, outcome VARCHAR, role VARCHAR, estimate VARCHAR, effect DOUBLE,
        low DOUBLE, high DOUBLE, p DOUBLE, p_adjusted DOUBLE, g DOUBLE, g_low DOUBLE, g_high DOUBLE,
        percentile_points DOUBLE, probability_above_zero DOUBLE, probability_meaningful DOUBLE, students_with BIGINT,
        students_without BIGINT, suppression_reason VARCHAR""",
    "mart_study_gate": """
        district_id VARCHAR, plan_hash VARCHAR, outcome VARCHAR, position INTEGER, gate VARCHAR, status VARCHAR,
        figure DOUBLE, limit_text VARCHAR, meaning VARCHAR""",
    "mart_study_flow": """
        district_id VARCHAR, plan_hash VARCHAR, outcome VARCHAR, position INTEGER, step VARCHAR, students BIGINT,
        students_with BIGINT, students_without BIGINT, suppression_reason VARCHAR""",
    "mart_study_balance": """
        district_id VARCHAR, plan_hash VARCHAR, outcome VARCHAR, position INTEGER, covariate VARCHAR,
        is_baseline BOOLEAN, g_before DOUBLE, g DOUBLE""",
    "mart_study_dose": """
        district_id VARCHAR, plan_hash VARCHAR, outcome VARCHAR, position INTEGER, use_from DOUBLE, use_to DOUBLE,
        students BIGINT, effect DOUBLE, low DOUBLE, high DOUBLE, suppression_reason VARCHAR""",
    "mart_study_sensitivity": """
        district_id VARCHAR, plan_hash VARCHAR, outcome VARCHAR, is_higher_better BOOLEAN, sd DOUBLE, wild_p DOUBLE,
        without_one_site_low DOUBLE, without_one_site_high DOUBLE, robustness_value DOUBLE, as_strong_as VARCHAR,
        effect_if_unseen_as_strong DOUBLE, notes VARCHAR""",
    "dim_district": "district_id VARCHAR, district_name VARCHAR",
    "metric_definition": """
        metric VARCHAR, name VARCHAR, definition VARCHAR, numerator VARCHAR, denominator VARCHAR, caution VARCHAR,
        version VARCHAR""",
}

SCHOOLS = {
    "sch-1": ("Lincoln Elementary", 420, ("03", "04", "05")),
    "sch-2": ("Oak Street Elementary", 380, ("03", "04", "05")),
    "sch-3": ("Riverbend Middle School", 700, ("06", "07", "08")),
    "sch-4": ("Riverbend High School", 900, ("09", "10", "11", "12")),
}
TOOLS = {
    "mathpath": ("MathPath", 0.74, "filter_sessionised"),
    "readwell": ("ReadWell", 0.55, "filter_sessionised"),
    "canvas": ("Canvas", 0.88, "lms_interaction"),
    "sciencelab": ("ScienceLab", 0.31, "filter_sessionised"),
    "phonicspath": ("PhonicsPath", 0.0, "filter_sessionised"),
}
DISTRICT_TOTAL = sum(size for _, size, _ in SCHOOLS.values())


@dataclass
class Cell:
    eligible: int
    active: int
    consistent: int
    minutes: float | None
    method: str


def suppressed(cell: Cell, coverage: float = 0.95) -> dict[str, Any]:
    """The shape of a mart's row under the rules of docs/privacy.md, for one cell on its own. Limits are inclusive."""
    n = MINIMUM_N
    by_pauses = cell.minutes if cell.method == "filter_sessionised" else None
    row: dict[str, Any] = {
        "eligible_students": cell.eligible,
        "active_students": cell.active,
        "consistent_students": cell.consistent,
        "adoption_rate": cell.active / cell.eligible if cell.eligible else None,
        "consistent_rate": cell.consistent / cell.eligible if cell.eligible else None,
        "minutes_per_active_student": cell.minutes,
        "minutes_per_active_student_gap_5": by_pauses and cell.minutes * 0.8,
        "minutes_per_active_student_gap_10": by_pauses and cell.minutes,
        "minutes_per_active_student_gap_30": by_pauses and cell.minutes * 1.3,
        "minutes_method": cell.method,
        "coverage_rate": coverage,
    }
    of_use = ["active_students", "adoption_rate", *(name for name in row if name.startswith("minutes_"))]
    kept_up = ["consistent_students", "consistent_rate"]

    def hidden(why: str, columns: list[str], **limits: float) -> dict[str, Any]:
        return row | dict.fromkeys(columns) | {"suppression_reason": why, "consistent_suppression_reason": why} | limits

    if not cell.eligible:
        return hidden("no_eligible_students", of_use + kept_up)
    if cell.eligible < n:
        return hidden("fewer_than_n_students", [*of_use, *kept_up, "eligible_students"])
    if cell.active < n:
        return hidden("small_count_low", of_use + kept_up, rate_low=0.0, rate_high=(n - 1) / cell.eligible)
    if cell.eligible - cell.active < n:
        return hidden("small_count_high", of_use + kept_up, rate_low=1 - (n - 1) / cell.eligible, rate_high=1.0)
    if cell.consistent < n:
        return row | dict.fromkeys(kept_up) | {"consistent_suppression_reason": "small_count_low"}
    return row


def banded(cell: Cell) -> dict[str, Any]:
    """A class: only the third of the scale that its share lies in, and that only where the class is large enough."""
    row: dict[str, Any] = {"eligible_students": cell.eligible, "consistent_suppression_reason": "class_band"}
    if cell.eligible < MINIMUM_N:
        return row | {"eligible_students": None, "suppression_reason": "fewer_than_n_students"}
    third = min(2, 3 * cell.active // cell.eligible)
    return row | {"suppression_reason": "class_band", "rate_low": third / 3, "rate_high": (third + 1) / 3}


def _cell(rng: random.Random, eligible: int, tool: str, factor: float = 1.0) -> Cell:
    _, base, method = TOOLS[tool]
    rate = min(0.98, max(0.0, base * factor * rng.uniform(0.92, 1.06))) if base else 0.0
    active = round(eligible * rate)
    return Cell(eligible, active, round(active * rng.uniform(0.6, 0.8)), round(rng.uniform(18, 75), 1), method)


def adoption_rows(through: date) -> list[dict[str, Any]]:
    rng = random.Random(7)
    rows: list[dict[str, Any]] = []

    def add(
        level: str, key: str, name: str, school: str | None, week: date, tool: str, cell: Cell, **group: str
    ) -> None:
        rows.append(
            {
                "district_id": "testville",
                "org_level": level,
                "org_key": key,
                "org_name": name,
                "school_key": school,
                "week_start_on": week,
                "school_year": "2025-26",
                "tool_key": tool,
                "tool_name": TOOLS[tool][0],
                "dimension": group.get("dimension", "all_students"),
                "subgroup": group.get("subgroup", "all_students"),
                "data_complete_through": through,
            }
            | (banded(cell) if level == "class" else suppressed(cell))
        )

    for back in range(12):
        week = LAST_WEEK - back * WEEK
        for tool in TOOLS:
            growth = 1.0 - 0.015 * back
            add(
                "district", "testville", "Testville Schools", None, week, tool, _cell(rng, DISTRICT_TOTAL, tool, growth)
            )
            for dimension, sizes in {"english_learner": (310, 2090), "disability": (8, 2392)}.items():
                for subgroup, size in zip(("yes", "no"), sizes, strict=True):
                    factor = 0.6 if (dimension, subgroup) == ("english_learner", "yes") else 1.0
                    cell = _cell(rng, size, tool, growth * factor)
                    add("district", "testville", "Testville Schools", None, week, tool, cell,
                        dimension=dimension, subgroup=subgroup)  # fmt: skip
            for key, (name, size, grades) in SCHOOLS.items():
                factor = 0.08 if (key, tool) == ("sch-1", "sciencelab") else 1.0
                eligible = 0 if (key, tool) == ("sch-4", "phonicspath") else size
                cell = _cell(rng, eligible, tool, growth * factor)
                if (key, tool) == ("sch-1", "sciencelab"):
                    cell.active, cell.consistent = 6, 2
                add("school", key, name, key, week, tool, cell)
                for grade in grades:
                    if back < 2:
                        for number in range(2):
                            add("class", f"{key}-{grade}-{number}", f"Grade {int(grade)} Room {number + 1}", key, week,
                                tool, _cell(rng, rng.choice((9, 24, 27)), tool, growth))  # fmt: skip
            for grade in sorted({g for _, _, grades in SCHOOLS.values() for g in grades}):
                add("grade", grade, f"Grade {int(grade)}", None, week, tool, _cell(rng, 240, tool, growth))
    return rows


def _wald(p: float, n: int, q: float, m: int) -> tuple[float, float]:
    half = 1.96 * (p * (1 - p) / n + q * (1 - q) / m) ** 0.5
    return p - q - half, p - q + half


def equity_rows(through: date) -> list[dict[str, Any]]:
    groups = [
        ("english_learner", "yes", 310, 2090, 0.41, 0.68),
        ("economic_disadvantage", "yes", 1100, 1300, 0.61, 0.66),
        ("race_ethnicity", "hispanic_or_latino", 640, 1760, 0.63, 0.64),
        ("disability", "yes", 8, 2392, 0.5, 0.6),
    ]
    rows: list[dict[str, Any]] = []
    for org_level, org_key, org_name, scale in [
        ("district", "testville", "Testville Schools", 1.0),
        ("school", "sch-1", "Lincoln Elementary", 0.2),
        ("school", "sch-4", "Riverbend High School", 0.4),
    ]:
        for metric, period in (("adoption", "latest_week"), ("consistent_use", "last_4_weeks")):
            for tool_key, tool_name, shift in [("__any_tool__", "Any tool", 0.0), ("mathpath", "MathPath", 0.04)]:
                for dimension, subgroup, n, m, p, base in groups:
                    q = base - shift
                    size, reference = round(n * scale), round(m * scale)
                    low, high = _wald(p, max(size, 1), q, reference)
                    small = size < MINIMUM_N
                    row = {
                            "district_id": "testville", "basis": "student_subgroup", "org_level": org_level,
                            "org_key": org_key, "org_name": org_name, "period": period, "tool_key": tool_key,
                            "tool_name": tool_name, "dimension": dimension, "subgroup": subgroup, "metric": metric,
                            "group_n": size, "reference_n": reference, "group_rate": p, "reference_rate": q,
                            "gap_points": 100 * (p - q), "gap_ci_low": 100 * low, "gap_ci_high": 100 * high,
                            "risk_ratio": p / q, "risk_ratio_ci_low": 0.9 * p / q, "risk_ratio_ci_high": 1.1 * p / q,
                            "suppression_reason": "fewer_than_n_students" if small else None,
                            "data_complete_through": through,
                        }  # fmt: skip
                    if small:
                        for column in ("group_n", "reference_n", "group_rate", "reference_rate", "gap_points",
                                           "gap_ci_low", "gap_ci_high", "risk_ratio", "risk_ratio_ci_low",
                                           "risk_ratio_ci_high"):  # fmt: skip
                            row[column] = None
                    rows.append(row)
    return rows


def value_rows(through: date) -> list[dict[str, Any]]:
    """PhonicsPath is used by nobody; ScienceLab by fewer than n: its count is hidden, and its waste is a limit.

    MathPath renews by itself, ReadWell does not, of the others the register does not say."""
    today = through + 4 * DAY
    contracts = [
        ("mathpath", "MathPath", "Northwind Learning", 42000, 2400, 1776, 21000.0, 45),
        ("readwell", "ReadWell", "Pageturner Inc.", 30000, 2000, 1320, 9800.0, 101),
        ("canvas", "Canvas", "Instructure", 60000, None, 2112, 31000.0, 270),
        ("phonicspath", "PhonicsPath", "Soundwise", 18000, 800, 0, None, 62),
        ("sciencelab", "ScienceLab", "Beaker & Co.", 9000, 600, None, None, 300),
    ]
    rows = []
    for key, name, vendor, price, seats, active, hours, days in contracts:
        at_most = MINIMUM_N - 1 if active is None else active
        of = seats or DISTRICT_TOTAL
        cost = price * 0.75
        rows.append(
            {
                "district_id": "testville",
                "contract_key": f"c-{key}",
                "tool_key": key,
                "tool_name": name,
                "vendor_name": vendor,
                "school_year": "2025-26",
                "period_starts_on": date(2025, 8, 18),
                "period_ends_on": through,
                "currency": "USD",
                "cost": cost,
                "price": price,
                "price_basis": "per_seat" if seats else "site",
                "seats": seats,
                "seats_used": active if seats else None,
                "utilisation_rate": active / seats if seats and active is not None else None,
                "active_students": active,
                "active_hours": hours,
                "minutes_method": "filter_sessionised" if hours else None,
                "wasted": round(cost * (of - at_most) / of, 2),
                "waste_method": "unused_seats" if seats else "estimated_from_adoption",
                "renewal_on": today + days * DAY,
                "notice_days": 60,
                "notice_basis": "contract" if key in ("mathpath", "readwell") else "district",
                "auto_renews": {"mathpath": True, "readwell": False}.get(key),
                "decide_by_on": today + (days - 60) * DAY,
                "days_to_renewal": days,
                "suppression_reason": "small_count_low" if active is None else None,
                "data_complete_through": through,
            }
        )
    return rows


def cost_rows(through: date) -> dict[str, list[dict[str, Any]]]:
    """Total cost, what a gain costs, and the forecast. MathPath's training is uncertain, ReadWell brings a gain."""
    base = {"district_id": "testville", "currency": "USD"}
    costs, forecast = [], []
    besides = {"mathpath": ("training", 4000, 6000, 9000), "readwell": ("support", 900, 1000, 1200)}
    for contract in value_rows(through):
        licence = contract["cost"]
        parts = {"licence": (licence, licence, licence)}
        if contract["tool_key"] in besides:
            name, *ends = besides[contract["tool_key"]]
            parts[name] = tuple(ends)
        parts["all"] = tuple(sum(ends) for ends in zip(*parts.values(), strict=True))
        users, hours = contract["active_students"], contract["active_hours"]
        tool = base | {"tool_key": contract["tool_key"], "tool_name": contract["tool_name"]}
        for ingredient, ends in parts.items():
            row = tool | {
                "school_year": "2025-26", "ingredient": ingredient, "active_students": users, "active_hours": hours,
                "undefined_reason": "small_count_low" if users is None else None if users else "no_use",
                "data_complete_through": through,
            }  # fmt: skip
            for end, cost in zip(("low", "likely", "high"), ends, strict=True):
                row[f"cost_{end}"] = cost
                row[f"cost_per_active_student_{end}"] = round(cost / users, 2) if users else None
                row[f"cost_per_active_hour_{end}"] = round(cost / hours, 2) if hours else None
            costs.append(row)
        for number in range(4):
            price = contract["price"]
            forecast.append(
                tool
                | {
                    "ingredient": "licence",
                    "year_starts_on": date(2025 + number, 7, 1),
                    "year_ends_on": date(2026 + number, 6, 30),
                    "cost_low": price,
                    "cost_likely": round(price * 1.03**number, 2),
                    "cost_high": round(price * 1.07**number, 2),
                    "signed_cost": 0 if number else price,
                }
            )
    whole = {row["tool_key"]: row for row in costs if row["ingredient"] == "all"}
    gains = []
    for number, (tool, verdict, g, reason) in enumerate(
        [
            ("readwell", "effect", (0.2, 0.1, 0.3), None),
            ("mathpath", "null", (0.01, -0.06, 0.08), "interval_spans_zero"),
            ("canvas", "failed_balance", None, "study_cannot_tell"),
        ]
    ):
        row = base | {
            "plan_hash": f"{number}ce5" * 16, "outcome": "the spring score", "is_first_outcome": True, "tool_key": tool,
            "tool_name": TOOLS[tool][0], "design": "matched", "verdict": verdict, "meaningful_g": 0.1,
            "confidence": 0.95, "planned_at": datetime(2025, 9, 1, 15, tzinfo=UTC), "undefined_reason": reason,
            "use_starts_on": date(2025, 9, 8), "use_ends_on": date(2026, 3, 13), "data_complete_through": through,
        }  # fmt: skip
        for end in ("low", "likely", "high"):
            row[f"cost_per_active_student_{end}"] = whole[tool][f"cost_per_active_student_{end}"]
        if g is not None:
            row |= dict(zip(("g", "g_low", "g_high"), g, strict=True))
        if reason is None and g is not None:
            for end, effect in (("low", g[2]), ("likely", g[0]), ("high", g[1])):
                row[f"cost_per_tenth_{end}"] = round(row[f"cost_per_active_student_{end}"] / (10 * effect), 2)
        gains.append(row)
    return {
        "mart_tool_cost": costs,
        "mart_cost_effectiveness": gains,
        "mart_cost_forecast": forecast,
        "dim_contract": [
            {"contract_key": f"c-{tool}", "district_id": "testville", "ends_on": date(2026, 6, 30)} for tool in TOOLS
        ],
    }


def quality_rows(through: date, *, failing: bool) -> dict[str, list[dict[str, Any]]]:
    at = datetime(2026, 4, 11, 2, 0, tzinfo=UTC)
    base = {"district_id": "testville", "data_complete_through": through}
    health = [
        base | {"source": source, "kind": kind, "resource": resource, "last_pull_at": at, "last_good_pull_at": at,
                "status": "good", "rows_landed": rows, "rows_quarantined": bad, "is_stale": False, "message": None,
                "remedy": None}
        for source, kind, resource, rows, bad in [
            ("sis", "oneroster", "users", 2650, 0), ("sis", "oneroster", "enrollments", 16800, 3),
            ("lms", "canvas", "page_views", 410000, 0), ("filter", "umbrella", "activity", 1900000, 12),
            ("registers", "dropfolder", "contracts", 5, 0),
        ]
    ]  # fmt: skip
    if failing:
        health[3] |= {"status": "failed", "is_stale": True, "message": "401 from the filter's token address",
                      "remedy": "renew the API key of the web filter"}  # fmt: skip
    checks = []
    for run in range(6):
        for number, (table, what) in enumerate(
            [("mart_adoption", "No rate is above 100%"), ("mart_adoption", "No count below the minimum is shown"),
             ("mart_value", "Cost by month adds up to the contract price"), ("landing", "Pulled = landed + set aside")]
        ):  # fmt: skip
            bad = failing and run == 0 and number == 2
            checks.append(
                base | {"snapshot_id": f"s{6 - run}", "suite": table, "check_id": f"{table}.{number}",
                        "table_name": table, "column_name": None, "severity": "critical", "is_success": not bad,
                        "observed": "1 contract off by $12.00" if bad else "0 rows", "unexpected_rows": int(bad),
                        "description": what, "remedy": "Ask the data engineer to compare the contract file.",
                        # The two oldest runs are of one minute.
                        "checked_at": at - min(run, 4) * DAY + (run == 4) * timedelta(seconds=20)}
            )  # fmt: skip
    return {
        "mart_source_health": health,
        "mart_freshness": [
            {"district_id": "testville", "source": source, "kind": kind, "basis": "pulled", "goal_seconds": 3600,
             "publications": 12, "row_count": 4000, "p50_seconds": 35.0, "p95_seconds": p95, "longest_seconds": p95,
             "longest_seconds_to_landed": 20.0, "last_published_at": at, "is_within_goal": p95 <= 3600}
            for source, kind, p95 in [("sis", "oneroster", 7500.0 if failing else 48.2), ("filter", "umbrella", 61.0)]
        ] + [{"district_id": "testville", "source": "registers", "kind": "dropfolder", "goal_seconds": 1800,
              "publications": 0, "row_count": 0}],
        "mart_check_history": checks,
        "mart_reconciliation": [
            base | {"source": "sis", "resource": "enrollments", "measure": "pulled = landed + set aside",
                    "expected": 16803, "actual": 16803, "difference": 0, "is_reconciled": True, "note": None},
            base | {"source": "registers", "resource": "contracts", "measure": "cost by month = contract price",
                    "expected": 159000, "actual": 159000 - 12 * failing, "difference": -12 * failing,
                    "is_reconciled": not failing, "note": "one contract" if failing else None},
        ],
        "mart_quarantine": [
            base | {"source": "filter", "resource": "activity", "reason": "not_timestamp", "column_name": "timestamp",
                    "rows": 12, "first_at": at - 3 * DAY, "last_at": at, "replayed_rows": 0},
            base | {"source": "sis", "resource": "enrollments", "reason": "missing_key", "column_name": "sourcedId",
                    "rows": 0, "first_at": at - 30 * DAY, "last_at": at - 30 * DAY, "replayed_rows": 3},
        ],
        "mart_match_rate": [
            base | {"source": "filter", "events": 1900000, "events_matched_person": 1786000,
                    "events_matched_tool": 1520000},
            base | {"source": "lms", "events": 410000, "events_matched_person": 409000, "events_matched_tool": 410000},
        ],
        "mart_identity_match": [
            {"district_id": "testville", "source": source, "who": who, "linked_by": way, "people": people,
             "people_in_all": in_all, "suppression_reason": reason}
            for source, who, way, people, in_all, reason in [
                ("clever", "students", "sis_id", 3950, 4012, None),
                ("clever", "students", "email", None, 4012, "complementary"),
                ("clever", "students", "ambiguous", None, 4012, "fewer_than_n_students"),
                ("lms", "accounts", "unknown", 31, 5200, None),
            ]
        ],
        "mart_unknown_word": [
            {"district_id": "testville", "source": "clever", "vocabulary": "grade", "word": "Year 9", "people": 40},
            {"district_id": "testville", "source": "clever", "vocabulary": "race", "word": None, "people": None},
        ],
    }  # fmt: skip


def summary_rows(through: date) -> dict[str, list[dict[str, Any]]]:
    """A district that reports daily summaries only: no students, no schools."""
    rng = random.Random(11)
    usage, gaps = [], []
    values = {
        "all": ("all",),
        "product": ("Google Classroom", "Google Docs", "YouTube"),
        "sector": ("PreK-12", "Corporate"),
        "function": ("LC - Digital Learning Platforms", "SDO - Other"),
    }
    groups = {
        "all": {"all": 188},
        "free_reduced_band": {"[0, 0.2[": 48, "[0.2, 0.4[": 67, "unknown": 73},
        "black_hispanic_band": {"[0, 0.2[": 128, "unknown": 60},
    }
    for back in range(20):
        week = date(2020, 11, 30) - back * WEEK
        for level, names in values.items():
            for rank, name in enumerate(names):
                for dimension, bands in groups.items():
                    for band, total in bands.items():
                        reporting = total - 1 if dimension != "all" else total
                        usage.append(
                            {"district_id": "open_data", "week_start_on": week, "level": level, "level_value": name,
                             "group_dimension": dimension, "group_value": band, "districts_reporting": reporting,
                             "districts_total": total, "mean_pct_access": 10 - 2 * rank + rng.uniform(0, 2),
                             "mean_engagement_index": rng.uniform(50, 400), "district_days": reporting * 5,
                             "data_complete_through": through}
                        )  # fmt: skip
    for metric, unit in (("pct_access", 1.0), ("engagement_index", 30.0)):
        for band, n, gap in (("[0.2, 0.4[", 48, -1.1), ("[0.4, 0.6[", 37, -2.9), ("[0.8, 1[", 4, None)):
            gaps.append(
                {"district_id": "open_data", "basis": "district_band", "org_level": "district", "org_key": "open_data",
                 "org_name": "Open data", "period": "2020", "tool_key": "__any_tool__", "tool_name": "Any tool",
                 "dimension": "free_reduced_band", "subgroup": band, "metric": metric,
                 "group_n": n if gap else None, "reference_n": 46 if gap else None,
                 "group_rate": (9 + gap) * unit if gap else None, "reference_rate": 9 * unit if gap else None,
                 "gap_points": gap * unit if gap else None, "gap_ci_low": (gap - 1.4) * unit if gap else None,
                 "gap_ci_high": (gap + 1.4) * unit if gap else None, "risk_ratio": None, "risk_ratio_ci_low": None,
                 "risk_ratio_ci_high": None, "suppression_reason": None if gap else "fewer_than_n_districts",
                 "data_complete_through": through}
            )  # fmt: skip
    listed = [{"district_id": f"d{number}", "district_name": f"District {number}"} for number in range(233)]
    return {"mart_usage_summary": usage, "mart_equity_gap": gaps, "dim_district": listed}


STUDIES = [  # tool, verdict, sentence, g and its interval, days after the first plan
    ("mathpath", "effect_of_unclear_size", "MathPath raises the spring score: by +6.4 percentile points (g +0.16; 95% "
     "interval +2.0 to +10.6 percentile points). Whether by as much as the +4.0 points (g 0.10) that were named as "
     "worth having is open (probability 84 %).", (0.16, 0.05, 0.27), 60),
    ("mathpath", "not_enough_evidence", "There is not enough evidence to say whether MathPath makes a difference in "
     "the spring score: +2.0 percentile points (g +0.05; 95% interval -9.9 to +13.7 percentile points). This study "
     "could have seen +16.6 points; to see the +4.0 points (g 0.10) that were named as worth having, about 224 class "
     "groups like these would be enough (there were 12).", (0.05, -0.25, 0.35), 0),
    ("readwell", "null", "ReadWell makes no difference that matters in the spring score: +0.4 percentile points (g "
     "+0.01; 95% interval -2.4 to +3.2 percentile points).", (0.01, -0.06, 0.08), 3),
    ("canvas", "harmful", "Students with Canvas did worse in the spring score than they would have without it: by -5.6 "
     "percentile points (g -0.14; 95% interval -9.1 to -2.0 percentile points).", (-0.14, -0.23, -0.05), 4),
    ("wordgym", "too_small", "Students with WordGym did better in the spring score than students who were alike in all "
     "that was measured, but by too little: +2.0 percentile points (g +0.05; 95% interval +0.8 to +3.2 percentile "
     "points). The use and the results go together; that the use is why is not shown.", (0.05, 0.02, 0.08), 5),
    ("sciencelab", "failed_balance", "This comparison cannot answer whether ScienceLab makes a difference in the "
     "spring score: the groups differed before.", (0.31, 0.2, 0.42), 6),
    ("phonicspath", "few_clusters", "There are too few groups to tell whether PhonicsPath makes a difference in the "
     "spring score: 4 clusters are worth 1.9 degrees of freedom.", (0.4, -0.9, 1.7), 7),
    ("typefast", "descriptive", "Students who used TypeFast stood +3.2 percentile points (g +0.08; 95% interval +0.4 "
     "to +6.0 percentile points) from those who did not, in the spring score. This describes them: it does not say "
     "that the use is why.", (0.08, 0.01, 0.15), 8),
    ("quizblitz", None, None, None, 9),
]  # fmt: skip
STUDIED = TOOLS | {"wordgym": ("WordGym",), "typefast": ("TypeFast",), "quizblitz": ("QuizBlitz",)}


def study_rows(through: date) -> dict[str, list[dict[str, Any]]]:
    """A study for each kind of answer; MathPath has an older one too, QuizBlitz one that has not run."""
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES if name.startswith("mart_study")}
    for number, (tool, verdict, sentence, g, later) in enumerate(STUDIES):
        name = STUDIED[tool][0]
        of = {"district_id": "testville", "plan_hash": f"{number}a5e" * 16}
        plan = of | {
            "tool_key": tool, "tool_name": name, "question": f"Does {name} raise the spring score?",
            "design": {"descriptive": "dose_response", "too_small": "regression"}.get(str(verdict), "matched"),
            "meaningful_g": 0.1,
            "planned_at": datetime(2025, 9, 1, 15, tzinfo=UTC) + later * DAY,
        }  # fmt: skip
        tables["mart_study_plan"].append(
            plan | {"outcomes": "the spring score", "use_measure": "active_minutes", "confidence": 0.95,
                    "use_starts_on": date(2025, 9, 8), "use_ends_on": date(2026, 3, 13), "is_shown": True,
                    "outcome_starts_on": date(2026, 3, 16),
                    "outcome_ends_on": through if verdict else date(2026, 5, 29)}
        )  # fmt: skip
        if verdict is None:
            continue
        of |= {"outcome": "the spring score"}
        tables["mart_study"].append(
            plan | of | {"is_first_outcome": True, "verdict": verdict, "sentence": sentence, "essa_tier": None,
                         "essa": "Consistent with no ESSA tier: tiers 1 to 3 need a significant positive effect.",
                         "run_at": datetime(2026, 4, 11, 9, 30, tzinfo=UTC), "data_version": "snapshot:s6",
                         "code_version": "0.1.0"}
        )  # fmt: skip
        for role, way, shift in [
            ("main", "the spring score", 0.0), ("naive", "plain comparison of means", 0.2),
            ("other", "weighted by the odds of the propensity", 0.01),
            ("other", "treated by treated_from_1_days", -0.02),
            ("subgroup", "english_learner = no", 0.01), ("subgroup", "english_learner = yes", -0.03),
            ("subgroup", "disability = no", None), ("subgroup", "disability = yes", None),
        ]:  # fmt: skip
            row: dict[str, Any] = {"role": role, "estimate": way}
            if shift is None:
                beside = "hidden so that a smaller group beside it cannot be worked out"
                row |= {"suppression_reason": beside if way.endswith("no") else "fewer than 10 students in an arm"}
            else:
                at, low, high = (end + shift for end in g)
                row |= {"g": at, "g_low": low, "g_high": high, "effect": 12 * at, "low": 12 * low, "high": 12 * high,
                        "p": 0.012, "p_adjusted": 0.04 if role == "subgroup" else None, "students_with": 412,
                        "students_without": 412, "percentile_points": 40 * at, "probability_above_zero": 0.997,
                        "probability_meaningful": 0.84}  # fmt: skip
            tables["mart_study_estimate"].append(of | row)
        stops = {"failed_balance": "baseline", "few_clusters": "clusters"}
        for place, (gate, meaning) in enumerate([
            ("students", "824 students, 412 of them with the tool."), ("sites", "school: 3 with the tool, 4 without."),
            ("clusters", "31 clusters (15 with the tool, 16 without) are worth 22.4 degrees of freedom."),
            ("baseline", "The groups' baselines are 0.03 standard deviations apart."),
            ("overlap", "97 % of the students with the tool have comparable students without."),
        ]):  # fmt: skip
            status = "failed" if stops.get(verdict) == gate else "adjusted" if gate == "clusters" else "passed"
            tables["mart_study_gate"].append(
                of
                | {
                    "position": place,
                    "gate": gate,
                    "status": status,
                    "figure": 1.0,
                    "limit_text": "",
                    "meaning": meaning,
                }
            )
        for place, (step, rows, with_, without) in enumerate([
            ("rows in the table", 2400, None, None), ("in one of the arms", 1700, 600, 1100),
            ("with the baseline", None, None, None), ("matched", 824, 412, 412),
        ]):  # fmt: skip
            tables["mart_study_flow"].append(
                of | {"position": place, "step": step, "students": rows, "students_with": with_,
                      "students_without": without, "suppression_reason": None if rows else "fewer_than_n_students"}
            )  # fmt: skip
        for place, (covariate, before, after) in enumerate(
            [("baseline", 0.42, 0.03), ("english_learner", -0.2, -0.04)]
        ):
            apart = {"g_before": before, "g": 0.33 if verdict == "failed_balance" and not place else after}
            tables["mart_study_balance"].append(
                of | {"position": place, "covariate": covariate, "is_baseline": not place} | apart
            )
        for place, (use_from, use_to, effect) in enumerate(
            [(None, 90.0, 0.6), (90.0, 210.0, 1.9), (210.0, None, None)]
        ):
            ends = {"low": effect - 1.4, "high": effect + 1.4} if effect else {}
            tables["mart_study_dose"].append(
                of | {"position": place, "use_from": use_from, "use_to": use_to, "effect": effect,
                      "suppression_reason": None if effect else "fewer_than_n_students"} | ends
            )  # fmt: skip
        tables["mart_study_sensitivity"].append(
            of | {"is_higher_better": True, "sd": 10.0, "wild_p": 0.0004, "without_one_site_low": 0.9,
                  "without_one_site_high": 2.4, "robustness_value": 0.14, "as_strong_as": "baseline",
                  "effect_if_unseen_as_strong": 0.3,
                  "notes": "A plain comparison of means says +4.3, which the design does not bear out."}
        )  # fmt: skip
    return tables


DEFINITIONS = [
    ("adoption_rate", "Adoption", "Students who used the tool in the week, out of those it is meant for.",
     "students with at least one qualifying event", "students enrolled in a licensed grade", "Use is not learning."),
    ("consistent_rate", "Consistent use", "Students active in 3 of the last 4 school weeks.",
     "students active in 3 of 4 weeks", "eligible students", "New students cannot yet be consistent."),
    ("districts_reporting", "Districts that report", "Districts with use.", "districts with a row", "listed districts",
     "The largest districts are missing."),
    ("wasted_usd", "Paid and not used", "Price of the seats that no student used.", "unused seats x price",
     "cost in the period", "Site licences are estimates."),
]  # fmt: skip


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, Any]]) -> None:
    columns = [line.split()[0] for line in TABLES[table].replace("(18,2)", "").split(",")]
    if rows:
        data = pa.table({column: [row.get(column) for row in rows] for column in columns})  # noqa: F841
        connection.execute(f"insert into {table} select * from data")


def publish(
    published: Path,
    snapshot_id: str,
    *,
    district: str = "testville",
    name: str = "Testville Schools",
    through: date = THROUGH,
    simulated: bool = True,
    failing: bool = False,
    summary_only: bool = False,
) -> Path:
    """Write <published>/<district>/<id>/ and swap the pointer to it; returns the snapshot's folder."""
    folder = published / district / snapshot_id
    folder.mkdir(parents=True)
    rows = quality_rows(through, failing=failing)
    if summary_only:
        rows |= summary_rows(through)
    else:
        today = through + 4 * DAY
        rows |= {
            "mart_adoption": adoption_rows(through),
            "mart_equity_gap": equity_rows(through),
            "mart_value": value_rows(through),
            **(cost_rows(through) if value_rows(through) else {}),
            **study_rows(through),
            "mart_unused_tool": [
                {"district_id": district, "contract_key": "c-phonicspath", "tool_key": "phonicspath",
                 "tool_name": "PhonicsPath", "vendor_name": "Soundwise", "currency": "USD", "cost": 13500, "seats": 800,
                 "weeks_without_use": 30, "last_used_on": None, "renewal_on": today + 62 * DAY,
                 "decide_by_on": today + 2 * DAY, "data_complete_through": through}
            ],
            "mart_unknown_tool": [
                {"district_id": district, "host": "quizblitz.example", "tool_key": "quizblitz",
                 "tool_name": "QuizBlitz", "status": "unapproved", "first_seen_on": date(2026, 2, 2),
                 "last_seen_on": through, "events": 9100, "students": 212, "schools": 3,
                 "students_previous_4_weeks": 88, "growth_ratio": 2.41, "suppression_reason": None,
                 "data_complete_through": through},
                {"district_id": district, "host": "wordduel.example", "tool_key": None,
                 "tool_name": "wordduel.example", "status": "unmatched", "first_seen_on": date(2026, 3, 9),
                 "last_seen_on": through, "events": 640, "students": 41, "schools": 2,
                 "students_previous_4_weeks": None, "growth_ratio": None, "suppression_reason": "small_count_low",
                 "data_complete_through": through},
                {"district_id": district, "host": "readalot.example", "tool_key": "readalot",
                 "tool_name": "ReadALot", "status": "known", "first_seen_on": date(2026, 3, 2),
                 "last_seen_on": through, "events": 320, "students": 25, "schools": 1,
                 "students_previous_4_weeks": 24, "growth_ratio": 1.04, "suppression_reason": None,
                 "data_complete_through": through},
                {"district_id": district, "host": "other hosts", "tool_key": None,
                 "tool_name": "Other hosts, each with fewer than 10 students", "status": "unmatched",
                 "first_seen_on": None, "last_seen_on": None, "events": None, "students": None, "schools": None,
                 "students_previous_4_weeks": None, "growth_ratio": None,
                 "suppression_reason": "fewer_than_n_students", "data_complete_through": through},
            ],
        }  # fmt: skip
    rows["metric_definition"] = [
        dict(zip(("metric", "name", "definition", "numerator", "denominator", "caution"), line, strict=True))
        | {"version": "1"}
        for line in DEFINITIONS
    ]
    with duckdb.connect(str(folder / "leaders.duckdb")) as connection:
        for table, columns in TABLES.items():
            connection.execute(f"create table {table} ({columns})")
            _insert(connection, table, rows.get(table, []))
    at = "2026-04-11T02:10:00+00:00"
    manifest = {
        "id": snapshot_id,
        "district": district,
        "district_name": name,
        "is_simulated": simulated,
        "created_at": at,
        "published_at": at,
        "time_zone": "America/Chicago",
        "minimum_n": MINIMUM_N,
        "data_complete_through": through.isoformat(),
        "code_version": "test",
        "checks": {"passed": 24, "failed_warning": []},
        "tables": {table: len(rows.get(table, [])) for table in TABLES},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    pointer = published / district / "current"
    beside = pointer.with_suffix(".new")
    beside.write_text(snapshot_id)
    beside.replace(pointer)
    return folder


def reject(published: Path, district: str = "testville") -> None:
    """What a failed publication leaves behind."""
    (published / district / "rejected.json").write_text(
        json.dumps(
            {
                "snapshot_id": "99990412T021000-00000f",
                "at": "2026-04-12T02:10:00+00:00",
                "since": "2026-04-12T02:10:00+00:00",
                "checks": [
                    {
                        "check_id": "mart_value.cost",
                        "table": "mart_value",
                        "description": "Cost by month adds up to the contract price",
                        "observed": "1 contract off by $12.00",
                        "remedy": "Compare the contract file with the invoice.",
                    }
                ],
            }
        )
    )
