-- How far each group is from all other students of the same organisation, in the very cells that mart_adoption shows: what is
-- hidden there is hidden here, and no count is published here that could not be worked out from there.
with district as (

  select * from {{ source("config", "district") }}

),

latest as (

  select max(week_start_on) as week_start_on from {{ ref("int_use_cell") }}

),

cell as (

  select use_cell.*
  from {{ ref("int_use_cell") }} as use_cell
  inner join latest on latest.week_start_on = use_cell.week_start_on
  where use_cell.org_level in ('district', 'school')

),

paired as (

  select
    part.org_level,
    part.org_key,
    part.tool_key,
    part.dimension,
    part.subgroup,
    part.is_eligible_hidden or whole.is_eligible_hidden as is_size_hidden,
    part.is_small_group,
    part.eligible as group_n,
    whole.eligible - part.eligible as reference_n,
    part.active as group_active,
    whole.active - part.active as reference_active,
    part.is_active_hidden or whole.is_active_hidden as is_active_hidden,
    part.consistent as group_consistent,
    whole.consistent - part.consistent as reference_consistent,
    part.is_consistent_hidden or whole.is_consistent_hidden as is_consistent_hidden
  from cell as part
  inner join cell as whole
    on whole.org_level = part.org_level
    and whole.org_key = part.org_key
    and whole.tool_key = part.tool_key
    and whole.dimension = 'all_students'
  where part.dimension <> 'all_students'
    and part.subgroup <> 'unknown'
    -- Subgroups of an organisation too small to show are not listed.
    and not whole.is_eligible_hidden

),

measured as (

  select
    org_level, org_key, tool_key, dimension, subgroup, is_size_hidden, is_small_group, group_n, reference_n,
    'adoption' as metric, 'latest_week' as period,
    group_active as group_count, reference_active as reference_count, is_active_hidden as is_count_hidden
  from paired
  union all
  select
    org_level, org_key, tool_key, dimension, subgroup, is_size_hidden, is_small_group, group_n, reference_n,
    'consistent_use', 'last_4_weeks',
    group_consistent, reference_consistent, is_consistent_hidden
  from paired

),

judged as (

  select
    measured.*,
    case
      when measured.is_size_hidden and measured.is_small_group then 'fewer_than_n_students'
      when measured.is_size_hidden then 'complementary'
      when measured.group_count is null then 'too_few_weeks'
      when measured.reference_n < district.minimum_n then 'no_reference_group'
      when measured.is_count_hidden then 'small_count'
      when least(
        measured.group_count, measured.group_n - measured.group_count,
        measured.reference_count, measured.reference_n - measured.reference_count
      ) < district.minimum_n then 'small_count'
    end as suppression_reason
  from measured
  cross join district

),

organisation as (

  select 'district' as org_level, district_id as org_key, district_name as org_name from district
  union all
  select 'school', school_key, school_name from {{ ref("dim_school") }}

),

student_gap as (

  select
    district.district_id,
    'student_subgroup' as basis,
    judged.org_level,
    judged.org_key,
    organisation.org_name,
    judged.period,
    judged.tool_key,
    coalesce(tool.tool_name, 'Any tool') as tool_name,
    judged.dimension,
    judged.subgroup,
    judged.metric,
    case when not judged.is_size_hidden then judged.group_n end as group_n,
    case when not judged.is_size_hidden and judged.reference_n >= district.minimum_n then judged.reference_n end as reference_n,
    case when judged.suppression_reason is null then {{ share("judged.group_count", "judged.group_n") }} end as group_rate,
    case when judged.suppression_reason is null then {{ share("judged.reference_count", "judged.reference_n") }} end
      as reference_rate,
    case when judged.suppression_reason is null then 100.0 * (
      {{ share("judged.group_count", "judged.group_n") }} - {{ share("judged.reference_count", "judged.reference_n") }}
    ) end as gap_points,
    case when judged.suppression_reason is null then 100.0 * {{ newcombe_low(
      "judged.group_count", "judged.group_n", "judged.reference_count", "judged.reference_n"
    ) }} end as gap_ci_low,
    case when judged.suppression_reason is null then 100.0 * {{ newcombe_high(
      "judged.group_count", "judged.group_n", "judged.reference_count", "judged.reference_n"
    ) }} end as gap_ci_high,
    case when judged.suppression_reason is null
      then {{ share("judged.group_count", "judged.group_n") }} / {{ share("judged.reference_count", "judged.reference_n") }}
    end as risk_ratio,
    case when judged.suppression_reason is null then {{ katz_bound(
      "judged.group_count", "judged.group_n", "judged.reference_count", "judged.reference_n", "-"
    ) }} end as risk_ratio_ci_low,
    case when judged.suppression_reason is null then {{ katz_bound(
      "judged.group_count", "judged.group_n", "judged.reference_count", "judged.reference_n", ""
    ) }} end as risk_ratio_ci_high,
    judged.suppression_reason,
    week.last_day_on as data_complete_through
  from judged
  cross join district
  cross join latest
  inner join {{ ref("int_week") }} as week on week.week_start_on = latest.week_start_on
  inner join organisation on organisation.org_level = judged.org_level and organisation.org_key = judged.org_key
  left join {{ ref("dim_tool") }} as tool on tool.tool_key = judged.tool_key

)

select * from student_gap
union all
select * from {{ ref("int_equity_gap_band") }}
