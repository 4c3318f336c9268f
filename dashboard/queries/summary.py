"""Districts that report daily summaries and no students: reads mart_usage_summary."""

from __future__ import annotations

import pandas as pd

from queries.reader import Reader


def is_summary_only(reader: Reader) -> bool:
    """True when the snapshot has usage summaries and no figure about students."""
    found = reader.frame(
        """
        select (select count(*) from mart_usage_summary) > 0 and (select count(*) from mart_adoption) = 0 as is_summary
        """
    )
    return bool(found["is_summary"].iloc[0])


def group_dimensions(reader: Reader) -> pd.DataFrame:
    """group_dimension, group_value pairs; 'all' first."""
    reader.require("adoption")
    return reader.frame(
        """
        select distinct group_dimension, group_value
        from mart_usage_summary
        order by group_dimension <> 'all', group_dimension, group_value
        """
    )


def by_value(reader: Reader, *, level: str, group_dimension: str, group_value: str) -> pd.DataFrame:
    """One row a product, sector or function over every week, weighted by the district-days behind each week."""
    reader.require("adoption")
    return reader.frame(
        """
        select level_value,
               max(districts_reporting) as districts_reporting,
               max(districts_total) as districts_total,
               sum(mean_pct_access * district_days) / nullif(sum(district_days), 0) as mean_pct_access,
               sum(mean_engagement_index * district_days)
                 / nullif(sum(district_days) filter (where mean_engagement_index is not null), 0)
                 as mean_engagement_index,
               sum(district_days) as district_days,
               count(*) as weeks,
               min(week_start_on) as first_week,
               max(week_start_on) as last_week
        from mart_usage_summary
        where level = $level and group_dimension = $group_dimension and group_value = $group_value
        group by level_value
        order by mean_pct_access desc nulls last, level_value
        """,
        level=level,
        group_dimension=group_dimension,
        group_value=group_value,
    )


def by_week(reader: Reader, *, level: str, group_dimension: str, group_value: str) -> pd.DataFrame:
    """One row a week and product, sector or function, oldest first."""
    reader.require("adoption")
    return reader.frame(
        """
        select week_start_on, level_value, districts_reporting, districts_total, mean_pct_access,
               mean_engagement_index
        from mart_usage_summary
        where level = $level and group_dimension = $group_dimension and group_value = $group_value
        order by week_start_on, level_value
        """,
        level=level,
        group_dimension=group_dimension,
        group_value=group_value,
    )


def districts(reader: Reader) -> tuple[int, int]:
    """(districts that ever reported, districts that are listed)."""
    reader.require("adoption")
    found = reader.frame(
        """
        select (select max(districts_total) from mart_usage_summary where group_dimension = 'all') as reporting,
               (select count(*) from dim_district) as listed
        """
    )
    return int(found["reporting"].iloc[0] or 0), int(found["listed"].iloc[0])


def band_coverage(reader: Reader) -> pd.DataFrame:
    """Districts whose band is known, by dimension: group_dimension, districts_known, districts_total."""
    reader.require("adoption")
    return reader.frame(
        """
        with bands as (
            select distinct group_dimension, group_value, districts_total
            from mart_usage_summary
            where group_dimension <> 'all'
        )
        select group_dimension,
               sum(districts_total) filter (where group_value <> 'unknown') as districts_known,
               sum(districts_total) as districts_total
        from bands
        group by group_dimension
        order by group_dimension
        """
    )
