{{ config(
    materialized="incremental", incremental_strategy="replace_built_weeks", schema="intermediate", contract={"enforced": false}
) }}
-- Use by week, tool, organisation and subgroup, and which of its counts may be shown. Weekly numbers of a tool are made for
-- the weeks in which somebody used it or a contract for it ran, once its use could be seen.
with district as (

  select * from {{ source("config", "district") }}

),

week as (

  select * from {{ ref("int_week") }} where is_complete and {{ is_week_to_build() }}

),

use_atom as (

  select * from {{ ref("int_use_atom") }} where {{ is_week_to_build() }}

),

contracted as (

  select distinct week.week_start_on, contract.tool_key
  from week
  inner join {{ ref("dim_contract") }} as contract
    on contract.starts_on <= week.last_day_on and contract.ends_on >= week.first_day_on
  where contract.tool_key is not null

),

used as (

  select distinct week_start_on, tool_key from use_atom where active > 0

),

-- Minutes of different methods are never added: in a week, the method that measured most students speaks for the tool.
method as (

  {{ newest_per_key(
      "(select week_start_on, tool_key, minutes_method, sum(measured) as measured from use_atom where dimension = 'all_students' group by week_start_on, tool_key, minutes_method having sum(measured) > 0)",
      ["week_start_on", "tool_key"], ["measured", "minutes_method"]
  ) }}

),

tool_week as (

  select
    week.week_start_on,
    grade_set.tool_key,
    grade_set.grade_set,
    method.minutes_method,
    -- Nobody can be consistent before there were enough weeks to be consistent in.
    week.week_number >= district.consistent_window_weeks and coalesce(window_start.week_start_on >= seen.seen_from, false)
      as is_window_full
  from week
  cross join district
  cross join {{ ref("int_tool_grade_set") }} as grade_set
  inner join {{ ref("int_tool_seen_from") }} as seen
    on seen.tool_key = grade_set.tool_key and seen.seen_from <= week.week_start_on
  left join {{ ref("int_week") }} as window_start
    on window_start.school_year = week.school_year
    and window_start.week_number = week.week_number - district.consistent_window_weeks + 1
  left join contracted on contracted.week_start_on = week.week_start_on and contracted.tool_key = grade_set.tool_key
  left join used on used.week_start_on = week.week_start_on and used.tool_key = grade_set.tool_key
  left join method on method.week_start_on = week.week_start_on and method.tool_key = grade_set.tool_key
  where contracted.tool_key is not null or used.tool_key is not null or grade_set.tool_key = {{ any_tool() }}

),

org_use as (

  select 'district' as org_level, district.district_id as org_key, use_atom.* from use_atom cross join district
  union all
  select 'school', use_atom.school_key, use_atom.* from use_atom
  union all
  select 'grade', use_atom.grade, use_atom.* from use_atom where use_atom.grade is not null

),

counted as (

  select
    org_use.week_start_on,
    org_use.tool_key,
    org_use.org_level,
    org_use.org_key,
    org_use.dimension,
    org_use.subgroup,
    sum(org_use.active) as active,
    sum(org_use.consistent) as consistent,
    sum(org_use.seen) as seen,
    sum(case when org_use.minutes_method = tool_week.minutes_method then org_use.minutes end) as minutes,
    sum(case when org_use.minutes_method = tool_week.minutes_method then org_use.measured end) as measured
  from org_use
  inner join tool_week using (week_start_on, tool_key)
  group by
    org_use.week_start_on, org_use.tool_key, org_use.org_level, org_use.org_key, org_use.dimension, org_use.subgroup

),

cell as (

  select
    tool_week.week_start_on,
    tool_week.tool_key,
    tool_week.grade_set,
    tool_week.is_window_full,
    eligible.org_level,
    eligible.org_key,
    eligible.dimension,
    eligible.subgroup,
    eligible.eligible,
    eligible.is_hidden as is_eligible_hidden,
    eligible.is_sensitive as is_small_group,
    eligible.has_end as has_eligible_end,
    eligible.copy_of,
    eligible.identity,
    cast(coalesce(counted.active, 0) as bigint) as active,
    cast(coalesce(counted.consistent, 0) as bigint) as consistent,
    cast(coalesce(counted.seen, 0) as bigint) as seen,
    counted.minutes,
    counted.measured,
    tool_week.minutes_method,
    district.minimum_n
  from tool_week
  cross join district
  inner join {{ ref("int_eligible_cell") }} as eligible
    on eligible.week_start_on = tool_week.week_start_on and eligible.grade_set = tool_week.grade_set
  left join counted
    on counted.week_start_on = tool_week.week_start_on
    and counted.tool_key = tool_week.tool_key
    and counted.org_level = eligible.org_level
    and counted.org_key = eligible.org_key
    and counted.dimension = eligible.dimension
    and counted.subgroup = eligible.subgroup

),

active_countable as (

  select *, active as value, eligible as ceiling, is_eligible_hidden as is_forced
  from cell
  where org_level in ('district', 'school')

),

active_cell as (

  select * from ({{ suppressed_counts("active_countable", ["week_start_on", "tool_key"], ["week_start_on", "tool_key"]) }}) as one_cell

),

consistent_countable as (

  select cell.*, cell.consistent as value, cell.eligible as ceiling, active_cell.is_hidden as is_forced
  from cell
  inner join active_cell using (week_start_on, tool_key, org_level, org_key, dimension, subgroup)
  where cell.is_window_full

),

consistent_cell as (

  select * from ({{ suppressed_counts("consistent_countable", ["week_start_on", "tool_key"], ["week_start_on", "tool_key"]) }}) as one_cell

),

{% for measure, cells in [("active", "active_cell"), ("consistent", "consistent_cell")] %}

grade_{{ measure }}_countable as (

  select
    cell.*,
    cell.{{ measure }} as value,
    cell.eligible as ceiling,
    cell.is_eligible_hidden {%- if measure == "consistent" %} or grade_active_cell.is_hidden{% endif %} as is_forced,
    total.value as total_value,
    total.low as total_low,
    total.high as total_high,
    total.is_hidden as is_total_hidden
  from cell
  inner join {{ cells }} as total
    on total.week_start_on = cell.week_start_on
    and total.tool_key = cell.tool_key
    and total.org_level = 'district'
    and total.dimension = cell.dimension
    and total.subgroup = cell.subgroup
  {%- if measure == "consistent" %}
  inner join grade_active_cell
    on grade_active_cell.week_start_on = cell.week_start_on
    and grade_active_cell.tool_key = cell.tool_key
    and grade_active_cell.org_key = cell.org_key
    and grade_active_cell.dimension = cell.dimension
    and grade_active_cell.subgroup = cell.subgroup
  {%- endif %}
  where cell.org_level = 'grade'

),

grade_{{ measure }}_cell as (

  select * from (
    {{ rounded_counts("grade_" ~ measure ~ "_countable", ["week_start_on", "tool_key"], ["week_start_on", "tool_key"]) }}
  ) as one_cell

),

{{ measure }}_outcome as (

  select
    week_start_on, tool_key, org_level, org_key, dimension, subgroup,
    is_hidden, is_sensitive, has_end, low, high,
    case when not is_hidden then value end as shown_value
  from {{ cells }}
  union all
  select
    week_start_on, tool_key, 'grade', org_key, dimension, subgroup,
    is_hidden, is_sensitive, has_end, low, high, shown_value
  from grade_{{ measure }}_cell

){{ "," if not loop.last }}

{%- endfor %}

select
  cell.week_start_on,
  cell.tool_key,
  cell.grade_set,
  cell.org_level,
  cell.org_key,
  cell.dimension,
  cell.subgroup,
  cell.eligible,
  cell.is_eligible_hidden,
  cell.is_small_group,
  cell.has_eligible_end,
  cell.active,
  active.is_hidden as is_active_hidden,
  active.is_sensitive as is_active_sensitive,
  active.has_end as has_active_end,
  active.low as active_low,
  active.high as active_high,
  active.shown_value as shown_active,
  case when cell.is_window_full then cell.consistent end as consistent,
  coalesce(consistent.is_hidden, true) as is_consistent_hidden,
  consistent.is_sensitive as is_consistent_sensitive,
  consistent.has_end as has_consistent_end,
  consistent.shown_value as shown_consistent,
  cell.seen,
  cell.minutes,
  cell.measured,
  cell.minutes_method,
  cell.identity,
  cell.copy_of
from cell
inner join active_outcome as active
  using (week_start_on, tool_key, org_level, org_key, dimension, subgroup)
left join consistent_outcome as consistent
  using (week_start_on, tool_key, org_level, org_key, dimension, subgroup)
