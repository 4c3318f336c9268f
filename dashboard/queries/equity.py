"""Gaps between groups: reads mart_equity_gap."""

from __future__ import annotations

import pandas as pd

from queries.reader import Reader

ANY_TOOL = "__any_tool__"


def choices(reader: Reader) -> pd.DataFrame:
    """What can be chosen: basis, org_level, org_key, org_name, period, tool_key, tool_name, dimension, metric."""
    reader.require("equity")
    return reader.frame(
        """
        select distinct basis, org_level, org_key, org_name, period, tool_key, tool_name, dimension, metric
        from mart_equity_gap
        where ($every_school or org_level in ('district', 'grade') or list_contains($schools, org_key))
        order by org_level, org_name, period, tool_key <> '__any_tool__', tool_name, metric
        """
    )


def gaps(
    reader: Reader, *, basis: str, org_level: str, org_key: str, period: str, tool_key: str | None, metric: str
) -> pd.DataFrame:
    """One row a group (and tool, where `tool_key` is None), the furthest behind first, hidden groups last.

    Of a group that is yes or no only the yes is given: the no is its mirror.
    """
    reader.require("equity")
    return reader.frame(
        """
        select tool_key, tool_name, dimension, subgroup, metric, period, group_n, reference_n, group_rate,
               reference_rate, gap_points, gap_ci_low, gap_ci_high, risk_ratio, risk_ratio_ci_low,
               risk_ratio_ci_high, suppression_reason
        from mart_equity_gap
        where basis = $basis and org_level = $org_level and org_key = $org_key and period = $period
          and (tool_key = $tool_key or $tool_key is null) and metric = $metric and subgroup <> 'no'
          and ($every_school or org_level in ('district', 'grade') or list_contains($schools, org_key))
        order by gap_points asc nulls last, dimension, subgroup, tool_name
        """,
        basis=basis,
        org_level=org_level,
        org_key=org_key,
        period=period,
        tool_key=tool_key,
        metric=metric,
    )


def widest(reader: Reader) -> pd.DataFrame:
    """The gaps of the whole district that are clear of chance, over every tool and measure; the widest first.

    Of bands of districts only the share of students: page loads cannot be set beside it. One row at most; empty when
    no gap is clear.
    """
    reader.require("equity")
    return reader.frame(
        """
        select basis, tool_key, tool_name, dimension, subgroup, metric, period, group_n, reference_n, group_rate,
               reference_rate, gap_points, gap_ci_low, gap_ci_high
        from mart_equity_gap
        where org_level = 'district' and subgroup <> 'no' and metric <> 'engagement_index' and gap_ci_high < 0
          and (basis = 'student_subgroup' or tool_key = '__any_tool__')
        order by gap_points
        limit 1
        """
    )
