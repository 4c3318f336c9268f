{{ config(
    materialized="incremental", incremental_strategy="replace_built_weeks", schema="intermediate", contract={"enforced": false}
) }}
-- Use by week, tool, organisation and subgroup. Weekly numbers of a tool are made for the weeks in which somebody used it or a contract for it ran, once its use could be seen.
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
  select 'grade', use_atom.grade, use_atom.*
  from use_atom
  where use_atom.grade is not null and use_atom.dimension = 'all_students'

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
    {%- for minutes in published_idle_gaps() %}
    sum(case when org_use.minutes_method = tool_week.minutes_method then org_use.minutes_gap_{{ minutes }} end)
      as minutes_gap_{{ minutes }},
    {%- endfor %}
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
    eligible.shown_eligible,
    eligible.is_hidden as is_eligible_hidden,
    eligible.is_listed,
    eligible.is_sensitive as is_small_group,
    eligible.has_end as has_eligible_end,
    counted_eligible.copy_of,
    counted_eligible.same_as as identity,
    cast(coalesce(counted.active, 0) as bigint) as active,
    cast(coalesce(counted.consistent, 0) as bigint) as consistent,
    cast(coalesce(counted.seen, 0) as bigint) as seen,
    counted.minutes,
    {%- for minutes in published_idle_gaps() %}
    counted.minutes_gap_{{ minutes }},
    {%- endfor %}
    counted.measured,
    tool_week.minutes_method,
    district.minimum_n
  from tool_week
  cross join district
  inner join {{ ref("int_eligible_cell") }} as eligible
    on eligible.week_start_on = tool_week.week_start_on and eligible.grade_set = tool_week.grade_set
  inner join {{ ref("int_eligible_count") }} as counted_eligible
    on counted_eligible.week_start_on = eligible.week_start_on
    and counted_eligible.grade_set = eligible.grade_set
    and counted_eligible.org_level = eligible.org_level
    and counted_eligible.org_key = eligible.org_key
    and counted_eligible.dimension = eligible.dimension
    and counted_eligible.subgroup = eligible.subgroup
  left join counted
    on counted.week_start_on = tool_week.week_start_on
    and counted.tool_key = tool_week.tool_key
    and counted.org_level = eligible.org_level
    and counted.org_key = eligible.org_key
    and counted.dimension = eligible.dimension
    and counted.subgroup = eligible.subgroup

)

select * from cell
