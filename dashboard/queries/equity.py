"""Gaps between groups: reads mart_equity_gap."""

from __future__ import annotations

import pandas as pd

from queries.reader import Reader


def choices(reader: Reader) -> pd.DataFrame:
    """What can be chosen: basis, org_level, org_key, org_name, period, tool_key, tool_name, metric."""
    reader.require("equity")
    return reader.frame(
        """
        select distinct basis, org_level, org_key, org_name, period, tool_key, tool_name, metric
        from mart_equity_gap
        where ($every_school or org_level in ('district', 'grade') or list_contains($schools, org_key))
        order by org_level, org_name, period, tool_key <> '__any_tool__', tool_name, metric
        """
    )


def gaps(
    reader: Reader, *, basis: str, org_level: str, org_key: str, period: str, tool_key: str, metric: str
) -> pd.DataFrame:
    """One row a group, the group that is furthest behind first, hidden groups last."""
    reader.require("equity")
    return reader.frame(
        """
        select dimension, subgroup, group_n, reference_n, group_rate, reference_rate, gap_points, gap_ci_low,
               gap_ci_high, risk_ratio, risk_ratio_ci_low, risk_ratio_ci_high, suppression_reason
        from mart_equity_gap
        where basis = $basis and org_level = $org_level and org_key = $org_key and period = $period
          and tool_key = $tool_key and metric = $metric
          and ($every_school or org_level in ('district', 'grade') or list_contains($schools, org_key))
        order by gap_points asc nulls last, dimension, subgroup
        """,
        basis=basis,
        org_level=org_level,
        org_key=org_key,
        period=period,
        tool_key=tool_key,
        metric=metric,
    )
