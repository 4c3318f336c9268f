"""Which tools are used, where: reads mart_adoption, mart_unused_tool and mart_unknown_tool."""

from __future__ import annotations

from datetime import date

import pandas as pd

from queries.reader import Reader


def weeks(reader: Reader) -> pd.DataFrame:
    """Whole school weeks, newest first: week_start_on."""
    reader.require("adoption")
    return reader.frame(
        """
        select distinct week_start_on
        from mart_adoption
        where org_level = 'district'
        order by week_start_on desc
        """
    )


def places(reader: Reader) -> pd.DataFrame:
    """Schools and grades that the viewer may choose: org_level, org_key, org_name."""
    reader.require("adoption")
    return reader.frame(
        """
        select distinct org_level, org_key, org_name
        from mart_adoption
        where org_level in ('school', 'grade')
          and ($every_school or org_level = 'grade' or list_contains($schools, org_key))
        order by org_level desc, org_name
        """
    )


def tools(reader: Reader) -> pd.DataFrame:
    """tool_key, tool_name of every tool with a figure."""
    reader.require("adoption")
    return reader.frame(
        """
        select tool_key, any_value(tool_name) as tool_name
        from mart_adoption
        group by tool_key
        order by tool_name
        """,
    )


def groups(reader: Reader) -> pd.DataFrame:
    """Student groups with figures: dimension, subgroup; all students first."""
    reader.require("adoption")
    return reader.frame(
        """
        select distinct dimension, subgroup
        from mart_adoption
        where org_level = 'district'
        order by dimension <> 'all_students', dimension, subgroup desc
        """
    )


def by_tool(
    reader: Reader, *, week: date, org_level: str, org_key: str | None, dimension: str, subgroup: str
) -> pd.DataFrame:
    """One row a tool in one place and week, highest adoption first; `is_paid` says that a contract names it.

    org_key None: the district itself.
    """
    reader.require("adoption")
    return reader.frame(
        """
        select tool_key, tool_name, org_name, eligible_students, active_students, consistent_students, adoption_rate,
               consistent_rate, rate_low, rate_high, minutes_per_active_student, minutes_per_active_student_gap_5,
               minutes_per_active_student_gap_30, minutes_method, coverage_rate,
               suppression_reason, consistent_suppression_reason,
               tool_key in (select tool_key from mart_value where tool_key is not null) as is_paid
        from mart_adoption
        where week_start_on = $week and org_level = $org_level and (org_key = $org_key or $org_key is null)
          and dimension = $dimension and subgroup = $subgroup
          and ($every_school or org_level in ('district', 'grade')
               or list_contains($schools, coalesce(school_key, org_key)))
        order by coalesce(adoption_rate, rate_low, 0) desc, rate_high desc nulls last, tool_name
        """,
        week=week,
        org_level=org_level,
        org_key=org_key,
        dimension=dimension,
        subgroup=subgroup,
    )


def by_place(reader: Reader, *, week: date, org_level: str, dimension: str, subgroup: str) -> pd.DataFrame:
    """One row a tool and school (or grade) in one week."""
    reader.require("adoption")
    return reader.frame(
        """
        select tool_key, tool_name, org_key, org_name, eligible_students, active_students, adoption_rate,
               consistent_rate, rate_low, rate_high, suppression_reason
        from mart_adoption
        where week_start_on = $week and org_level = $org_level and dimension = $dimension and subgroup = $subgroup
          and ($every_school or org_level in ('district', 'grade')
               or list_contains($schools, coalesce(school_key, org_key)))
        order by tool_name, org_name
        """,
        week=week,
        org_level=org_level,
        dimension=dimension,
        subgroup=subgroup,
    )


def trend(reader: Reader, *, org_level: str, org_key: str | None, dimension: str, subgroup: str) -> pd.DataFrame:
    """One row a tool and week, for one place, oldest first."""
    reader.require("adoption")
    return reader.frame(
        """
        select week_start_on, tool_key, tool_name, eligible_students, active_students, adoption_rate, consistent_rate,
               rate_low, rate_high, suppression_reason
        from mart_adoption
        where org_level = $org_level and (org_key = $org_key or $org_key is null)
          and dimension = $dimension and subgroup = $subgroup
          and ($every_school or org_level in ('district', 'grade')
               or list_contains($schools, coalesce(school_key, org_key)))
        order by week_start_on, tool_name
        """,
        org_level=org_level,
        org_key=org_key,
        dimension=dimension,
        subgroup=subgroup,
    )


def classes(reader: Reader, *, week: date, school_key: str, tool_key: str) -> pd.DataFrame:
    """One row a class of one school, for one tool and week."""
    reader.require("adoption")
    return reader.frame(
        """
        select org_name, eligible_students, active_students, consistent_students, adoption_rate, consistent_rate,
               rate_low, rate_high, suppression_reason, consistent_suppression_reason
        from mart_adoption
        where week_start_on = $week and org_level = 'class' and school_key = $school_key and tool_key = $tool_key
          and dimension = 'all_students'
          and ($every_school or list_contains($schools, school_key))
        order by coalesce(adoption_rate, rate_low, 0) desc, rate_high desc nulls last, org_name
        """,
        week=week,
        school_key=school_key,
        tool_key=tool_key,
    )


def unused(reader: Reader) -> pd.DataFrame:
    """Licenses that nobody has used, dearest first."""
    reader.require("adoption")
    return reader.frame(
        """
        select contract_key, tool_key, tool_name, currency, cost, seats, weeks_without_use, last_used_on, renewal_on
        from mart_unused_tool
        order by cost desc nulls last, tool_name
        """
    )


SPREADING = 1.25  # a quarter more students than in the four weeks before; less is the noise of any two months


def spreading(found: pd.DataFrame) -> pd.DataFrame:
    """Of the rows of `unknown`: unapproved tools with clearly more students than before, or too few before to count."""
    grew = (found["growth_ratio"] >= SPREADING) | (
        found["students"].notna() & found["students_previous_4_weeks"].isna()
    )
    return found[(found["status"] == "unapproved") & grew]


def unknown(reader: Reader) -> pd.DataFrame:
    """Tools that are unapproved, and addresses that no catalogue entry explains; the most spread first."""
    reader.require("adoption")
    return reader.frame(
        """
        select host, tool_key, tool_name, status, first_seen_on, last_seen_on, events, students, schools,
               students_previous_4_weeks, growth_ratio, suppression_reason
        from mart_unknown_tool
        order by status = 'unmatched', students desc nulls last, events desc, host
        """
    )
