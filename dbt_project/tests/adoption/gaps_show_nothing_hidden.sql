{{ config(meta={"severity": "critical"}) }}
-- What is this test?
--   No gap between students is computed from a count that mart_adoption hides, or that the year's cells hide.
-- When is it important to resolve?
--   At once: nothing is published while it fails.
-- How to resolve?
--   mart_equity_gap must take is_hidden from the cell of its own period and metric.
select gap.period, gap.metric, gap.org_level, gap.org_key, gap.tool_key, gap.dimension, gap.subgroup
from {{ ref("mart_equity_gap") }} as gap
inner join {{ ref("int_use_cell") }} as cell
  on cell.week_start_on = (select max(week_start_on) from {{ ref("int_use_cell") }})
  and cell.org_level = gap.org_level
  and cell.org_key = gap.org_key
  and cell.tool_key = gap.tool_key
  and cell.dimension = gap.dimension
  and cell.subgroup = gap.subgroup
left join {{ ref("int_year_cell") }} as year
  on year.org_level = gap.org_level
  and year.org_key = gap.org_key
  and year.tool_key = gap.tool_key
  and year.dimension = gap.dimension
  and year.subgroup = gap.subgroup
where gap.basis = 'student_subgroup'
  and (
    (gap.group_n is not null and cell.is_eligible_hidden)
    or not cell.is_listed
    or (
      coalesce(gap.group_rate, gap.reference_rate, gap.gap_points, gap.risk_ratio) is not null
      and case
        when gap.period = 'latest_week' then cell.is_active_hidden
        when gap.period = 'last_4_weeks' then cell.is_consistent_hidden
        when gap.metric = 'adoption' then coalesce(year.is_active_hidden, true)
        else coalesce(year.is_consistent_hidden, true)
      end
    )
  )
