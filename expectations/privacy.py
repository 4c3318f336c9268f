"""The leaders' file shows groups and never a person, and no small group even by subtraction.

These checks read what was published, whatever the marts meant to do: they know the promise, not the implementation.
What they report are keys and counts of rows, never the value that should have been hidden.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from expectations.wording import no_rows
from uptake.quality.suite import Columns, Facts, Suite

# Counts of people. Any whole-number column of a leaders' table with such a name is held to the minimum.
PEOPLE = r"(^|_)(students|persons|people|learners|pupils|staff|teachers|users|seats_used|group_n|reference_n)($|_)"
# Columns that may hold a source's own 32-digit ids of schools and classes. Making the candidate compares every value
# with the keys of people, these columns included.
ORGANISATION_KEYS = ("org_key", "school_key", "class_key")
EMAIL = r"[[:alnum:]._%+-]+@[[:alnum:]-]+(\.[[:alnum:]-]+)*\.[[:alpha:]]{{2,}}"
PSEUDONYM = r"(^|[^0-9a-f])[0-9a-f]{{32}}($|[^0-9a-f])"
STOP = "Nothing is published until this is mended; the last good snapshot stays up."


def suites(facts: Facts) -> list[Suite]:
    found = [Suite("privacy", "leaders", "columns", _columns(facts), query="SELECT * FROM duckdb_columns()")]
    specific = {
        "mart_adoption": _adoption,
        "mart_equity_gap": _equity,
        "mart_value": _value,
        "mart_tool_cost": _tool_cost,
        "mart_unknown_tool": _unknown_tool,
    }
    for table, columns in facts.tables["leaders"].items():
        expectations = [*_text(table, columns), *_small_counts(facts.minimum_n, table, columns)]
        if table in specific:
            expectations += specific[table](facts.minimum_n)
        if expectations:
            found.append(Suite("privacy", "leaders", table, expectations))
    return found


def _columns(facts: Facts) -> list[object]:
    refused = ", ".join(f"'{table}: {' '.join(columns)}'" for table, columns in sorted(facts.refused.items()))
    return [
        no_rows(
            "privacy.leaders.no_table_refused",
            f"SELECT refused_table FROM (SELECT unnest([{refused}]::VARCHAR[]) AS refused_table) AS refused "
            "WHERE EXISTS (SELECT 1 FROM {batch})",
            "No leaders' table names a person: one that does is left out of the file.",
            f"Take the column out of the model, or tag the model `snapshot: restricted`. {STOP}",
        ),
        no_rows(
            "privacy.leaders.no_personal_column",
            "SELECT table_name, column_name FROM {batch} WHERE regexp_matches(lower(column_name), "
            "'(^|_)(student|person|staff|teacher|user|learner|pupil)_?(key|id|number)$|e_?mail|given_name|family_name"
            "|first_name|last_name|birth')",
            "No column of the leaders' file names a person.",
            f"Take the column out of the model, or tag the model `snapshot: restricted`. {STOP}",
        ),
    ]


def _text(table: str, columns: Columns) -> list[object]:
    text = [name for name, kind in columns.items() if "VARCHAR" in kind or kind in ("JSON", "BLOB")]
    if not text:
        return []

    def scan(names: list[str], pattern: str) -> str:
        # Distinct values: a column of labels has few, however long the table is.
        return " UNION ALL ".join(
            f"SELECT '{name}' AS column_name, count(*) AS distinct_values FROM "
            f'(SELECT DISTINCT {name}::VARCHAR AS value FROM {{batch}}) AS "{name}" '
            f"WHERE regexp_matches(value, '{pattern}') HAVING count(*) > 0"
            for name in names
        )

    found: list[object] = [
        no_rows(
            f"privacy.{table}.no_email",
            scan(text, EMAIL),
            "No text in the leaders' file looks like an e-mail address.",
            f"Find which model carries the text through, and cut it at the door or in staging. {STOP}",
        )
    ]
    if keys := [name for name in text if name not in ORGANISATION_KEYS]:
        found.append(
            no_rows(
                f"privacy.{table}.no_pseudonym",
                scan(keys, PSEUDONYM),
                "No text in the leaders' file looks like a person's pseudonym.",
                f"Aggregate the model to groups, or tag it `snapshot: restricted`. {STOP}",
            )
        )
    return found


def _small_counts(n: int, table: str, columns: Columns) -> list[object]:
    # Groups of districts are not people.
    people = "AND basis = 'student_subgroup'" if "basis" in columns else ""
    counts = [name for name, kind in columns.items() if re.search(PEOPLE, name) and "INT" in kind]
    return [
        no_rows(
            f"privacy.{table}.{name}.not_small",
            f"SELECT '{name}' AS column_name, count(*) AS rows_shown FROM {{batch}} "
            f"WHERE {name} BETWEEN 1 AND {n - 1} {people} HAVING count(*) > 0",
            f"No count of 1 to {n - 1} people is shown in {name}.",
            f"The mart must give NULL and a reason for a group of fewer than {n}. {STOP}",
        )
        for name in counts
    ]


ADOPTION_KEY = "org_level, org_key, week_start_on, tool_key, dimension, subgroup"


def _adoption(n: int) -> list[object]:
    remedy = f"Look at the suppression macro and the row that is named. {STOP}"
    found: list[object] = [
        no_rows(
            "privacy.mart_adoption.hidden_is_hidden",
            f"SELECT {ADOPTION_KEY}, suppression_reason FROM {{batch}} WHERE suppression_reason IS NOT NULL "
            "AND (active_students IS NOT NULL OR adoption_rate IS NOT NULL OR minutes_per_active_student IS NOT NULL "
            "OR minutes_per_active_student_gap_5 IS NOT NULL OR minutes_per_active_student_gap_10 IS NOT NULL "
            "OR minutes_per_active_student_gap_30 IS NOT NULL) "
            "OR consistent_suppression_reason IS NOT NULL "
            "AND (consistent_students IS NOT NULL OR consistent_rate IS NOT NULL)",
            "A suppressed row shows no count of active students, no rate and no minutes.",
            remedy,
        ),
        no_rows(
            "privacy.mart_adoption.nothing_hidden_without_reason",
            f"SELECT {ADOPTION_KEY} FROM {{batch}} WHERE suppression_reason IS NULL "
            "AND (eligible_students IS NULL OR active_students IS NULL OR adoption_rate IS NULL) "
            "OR consistent_suppression_reason IS NULL AND (consistent_students IS NULL OR consistent_rate IS NULL)",
            "A number that is not shown has a reason beside it.",
            "Add the reason in the mart: an empty cell without one reads as a fault or as zero.",
        ),
        no_rows(
            "privacy.mart_adoption.end_of_scale_is_wide",
            f"SELECT {ADOPTION_KEY}, suppression_reason FROM {{batch}} WHERE eligible_students > 0 "
            "AND round(rate_high * eligible_students) - round(rate_low * eligible_students) + 1 "
            f"< least({(n + 1) // 2}, eligible_students + 1)",
            f"Where only the end of the scale is told, {(n + 1) // 2} or more counts are possible.",
            remedy,
        ),
        no_rows(
            "privacy.mart_adoption.eligible_students.not_recoverable_from_schools",
            _eligible_rest(n, SCHOOLS),
            "The eligible students of hidden schools are not few, taken together.",
            RECOVERY,
        ),
        no_rows(
            "privacy.mart_adoption.eligible_students.not_recoverable_from_subgroups",
            _eligible_rest(n, SUBGROUPS),
            "The eligible students of hidden subgroups are not few, taken together.",
            RECOVERY,
        ),
    ]
    for count, rate in (("active_students", "adoption_rate"), ("consistent_students", "consistent_rate")):
        found += [
            no_rows(
                f"privacy.mart_adoption.{count}.complement_not_small",
                f"SELECT {ADOPTION_KEY} FROM {{batch}} WHERE {count} IS NOT NULL "
                f"AND (eligible_students IS NULL OR eligible_students - {count} < {n})",
                f"Where {count} is shown, at least {n} students are on the other side of it too.",
                remedy,
            ),
            no_rows(
                f"privacy.mart_adoption.{rate}.only_with_count",
                f"SELECT {ADOPTION_KEY} FROM {{batch}} WHERE {rate} IS NOT NULL AND {count} IS NULL",
                f"No {rate} is shown where its count is hidden: one gives the other away.",
                remedy,
            ),
        ]
        for family, name in ((SCHOOLS, "schools"), (SUBGROUPS, "subgroups")):
            found.append(
                no_rows(
                    f"privacy.mart_adoption.{count}.not_recoverable_from_{name}",
                    _rest(n, count, family),
                    f"What the total leaves for the {name} whose {count} are hidden is not few, nor all but few.",
                    RECOVERY,
                )
            )
    return found


RECOVERY = f"Hide the next smallest cell as well (complementary suppression). {STOP}"


@dataclass(frozen=True)
class Family:
    """Cells that add up to a published total. Grades do not: their counts are rounded."""

    cells: str
    total: str
    shared: str  # columns that a cell and its total have in common
    group: str  # columns that name one family


SHARED = "district_id, week_start_on, tool_key"
SCHOOLS = Family(
    "org_level = 'school'", "org_level = 'district'", f"{SHARED}, dimension, subgroup", f"{SHARED}, dimension, subgroup"
)
SUBGROUPS = Family(
    "dimension <> 'all_students' AND org_level IN ('district', 'school')",
    "dimension = 'all_students' AND org_level IN ('district', 'school')",
    f"{SHARED}, org_level, org_key",
    f"{SHARED}, org_level, org_key, dimension",
)


def _eligible_rest(n: int, family: Family) -> str:
    """Families whose hidden cells hold 1 to n-1 students. Cells that are not listed count as hidden."""
    return f"""
    WITH total AS (SELECT {family.shared}, eligible_students AS whole FROM {{batch}} WHERE {family.total}),
    shown AS (
      SELECT {family.group}, coalesce(sum(eligible_students), 0) AS eligible
      FROM {{batch}} WHERE {family.cells} GROUP BY {family.group}
    )
    SELECT {family.group} FROM shown JOIN total USING ({family.shared}) WHERE whole - eligible BETWEEN 1 AND {n - 1}
    """


def _rest(n: int, count: str, family: Family) -> str:
    """Families where the total less the cells that are shown leaves few students, or all but few, for those hidden.

    One hidden cell is then known, and of several each is known to be that small.
    """
    return f"""
    WITH total AS (
      SELECT {family.shared}, eligible_students AS whole, {count} AS counted FROM {{batch}}
      WHERE {family.total} AND {count} IS NOT NULL
    ),
    shown AS (
      SELECT {family.group}, coalesce(sum({count}), 0) AS counted_shown,
             coalesce(sum(eligible_students) FILTER (WHERE {count} IS NOT NULL), 0) AS eligible_shown
      FROM {{batch}} WHERE {family.cells} GROUP BY {family.group}
    )
    SELECT {family.group} FROM shown JOIN total USING ({family.shared})
    WHERE whole > eligible_shown
      AND least(counted - counted_shown, (whole - eligible_shown) - (counted - counted_shown)) < {n}
    """


EQUITY_KEY = "basis, org_level, org_key, period, tool_key, dimension, subgroup, metric"


def _equity(n: int) -> list[object]:
    remedy = f"Look at the suppression macro and the row that is named. {STOP}"
    shares = "basis = 'student_subgroup' AND metric IN ('adoption', 'consistent_use')"
    return [
        no_rows(
            "privacy.mart_equity_gap.hidden_is_hidden",
            f"SELECT {EQUITY_KEY}, suppression_reason FROM {{batch}} WHERE suppression_reason IS NOT NULL AND "
            "coalesce(group_rate, reference_rate, gap_points, gap_ci_low, gap_ci_high, risk_ratio, "
            "risk_ratio_ci_low, risk_ratio_ci_high) IS NOT NULL",
            "A suppressed gap shows no rate of either side, no gap, no ratio and no interval.",
            remedy,
        ),
        no_rows(
            "privacy.mart_equity_gap.no_count_behind_rate",
            f"SELECT {EQUITY_KEY} FROM {{batch}} WHERE {shares} AND ("
            f"least(round(group_rate * group_n), group_n - round(group_rate * group_n)) < {n} OR "
            f"least(round(reference_rate * reference_n), reference_n - round(reference_rate * reference_n)) < {n})",
            f"No rate stands for fewer than {n} students, or for all but fewer than {n}.",
            remedy,
        ),
    ]


def _value(n: int) -> list[object]:
    remedy = f"Hide the number that gives the count away together with the count. {STOP}"
    return [
        no_rows(
            "privacy.mart_value.no_count_behind_cost",
            "SELECT contract_key, suppression_reason FROM {batch} WHERE suppression_reason IS NOT NULL "
            "AND active_students IS NULL AND (cost_per_active_student_usd IS NOT NULL "
            "OR cost_per_active_hour_usd IS NOT NULL OR active_hours IS NOT NULL)",
            "Where active students are hidden, so is every cost and hour that is counted by them.",
            remedy,
        ),
        no_rows(
            "privacy.mart_value.no_seats_behind_waste",
            "SELECT contract_key, suppression_reason FROM {batch} WHERE suppression_reason IS NOT NULL "
            "AND seats_used IS NULL AND (utilisation_rate IS NOT NULL OR (waste_method = 'unused_seats' "
            f"AND wasted > cost::DOUBLE * greatest(seats - {n - 1}, 0) / seats + 0.01))",
            f"Where seats in use are hidden, so is their share, and waste is that of {n - 1} seats in use.",
            remedy,
        ),
    ]


def _tool_cost(n: int) -> list[object]:
    return [
        no_rows(
            "privacy.mart_tool_cost.no_count_behind_cost",
            "SELECT tool_name, currency, ingredient FROM {batch} WHERE active_students IS NULL AND "
            "(active_hours IS NOT NULL OR cost_per_active_student_likely IS NOT NULL "
            "OR cost_per_active_hour_likely IS NOT NULL)",
            "Where active students are hidden, so is every cost and hour that is counted by them.",
            f"Divide by what mart_value shows, and by nothing else. {STOP}",
        )
    ]


def _unknown_tool(n: int) -> list[object]:
    return [
        no_rows(
            "privacy.mart_unknown_tool.no_growth_of_hidden",
            "SELECT host, suppression_reason FROM {batch} WHERE growth_ratio IS NOT NULL "
            "AND (students IS NULL OR students_previous_4_weeks IS NULL)",
            "No growth is shown where one of its two counts is hidden.",
            f"Hide the ratio together with the count. {STOP}",
        )
    ]
