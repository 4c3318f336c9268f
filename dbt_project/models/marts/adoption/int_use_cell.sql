{{ config(materialized="view", schema="intermediate", contract={"enforced": false}) }}
-- Use by week, tool, organisation and subgroup: the true counts, and what of them may be shown.
select
  counted.week_start_on,
  counted.tool_key,
  counted.grade_set,
  counted.org_level,
  counted.org_key,
  counted.dimension,
  counted.subgroup,
  counted.eligible,
  counted.shown_eligible,
  counted.is_eligible_hidden,
  counted.is_listed,
  counted.is_small_group,
  counted.has_eligible_end,
  counted.active,
  active.is_hidden as is_active_hidden,
  active.is_sensitive as is_active_sensitive,
  active.has_end as has_active_end,
  active.low as active_low,
  active.high as active_high,
  active.shown_value as shown_active,
  case when counted.is_window_full then counted.consistent end as consistent,
  coalesce(consistent.is_hidden, true) as is_consistent_hidden,
  coalesce(consistent.is_sensitive, false) as is_consistent_sensitive,
  coalesce(consistent.has_end, false) as has_consistent_end,
  consistent.low as consistent_low,
  consistent.high as consistent_high,
  consistent.shown_value as shown_consistent,
  counted.seen,
  counted.minutes,
  {%- for minutes in published_idle_gaps() %}
  counted.minutes_gap_{{ minutes }},
  {%- endfor %}
  counted.measured,
  counted.minutes_method,
  counted.identity,
  counted.copy_of,
  counted.minimum_n
from {{ ref("int_use_count") }} as counted
inner join {{ ref("int_active_cell") }} as active
  using (week_start_on, tool_key, org_level, org_key, dimension, subgroup)
left join {{ ref("int_consistent_cell") }} as consistent
  using (week_start_on, tool_key, org_level, org_key, dimension, subgroup)
