-- How far each group is from all other students of the same organisation. Of the latest week and of the window that ends with
-- it, these are the very cells of mart_adoption: what is hidden there is hidden here. Of the school year, the sizes are.
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

measured_cell as (

  select
    org_level, org_key, tool_key, dimension, subgroup, 'latest_week' as period, 'adoption' as metric,
    eligible, is_eligible_hidden, is_listed, is_small_group and has_eligible_end as is_told_small,
    active as counted, is_active_hidden as is_hidden
  from cell

  union all

  select
    org_level, org_key, tool_key, dimension, subgroup, 'last_4_weeks', 'consistent_use',
    eligible, is_eligible_hidden, is_listed, is_small_group and has_eligible_end,
    consistent, is_consistent_hidden
  from cell
{% for metric, count in [("adoption", "active"), ("consistent_use", "consistent")] %}
  union all

  select
    cell.org_level, cell.org_key, cell.tool_key, cell.dimension, cell.subgroup, 'school_year', '{{ metric }}',
    cell.eligible, cell.is_eligible_hidden, cell.is_listed, cell.is_small_group and cell.has_eligible_end,
    year.{{ count }}, year.is_{{ count }}_hidden
  from cell
  inner join {{ ref("int_year_cell") }} as year using (tool_key, org_level, org_key, dimension, subgroup)
{% endfor %}
),

paired as (

  select
    part.org_level,
    part.org_key,
    part.tool_key,
    part.dimension,
    part.subgroup,
    part.period,
    part.metric,
    part.is_eligible_hidden or whole.is_eligible_hidden as is_size_hidden,
    part.is_told_small,
    part.is_hidden or whole.is_hidden as is_count_hidden,
    part.eligible as group_n,
    part.counted as group_count,
    -- Students whose status nobody knows are no part of the reference, unless to leave them out would tell of them.
    unknown.subgroup is not null and not unknown.is_hidden as is_unknown_left_out,
    whole.eligible - part.eligible - case when unknown.is_hidden then 0 else coalesce(unknown.eligible, 0) end as reference_n,
    whole.counted - part.counted - case when unknown.is_hidden then 0 else coalesce(unknown.counted, 0) end as reference_count
  from measured_cell as part
  inner join measured_cell as whole
    on whole.org_level = part.org_level
    and whole.org_key = part.org_key
    and whole.tool_key = part.tool_key
    and whole.period = part.period
    and whole.metric = part.metric
    and whole.dimension = 'all_students'
  left join measured_cell as unknown
    on unknown.org_level = part.org_level
    and unknown.org_key = part.org_key
    and unknown.tool_key = part.tool_key
    and unknown.period = part.period
    and unknown.metric = part.metric
    and unknown.dimension = part.dimension
    and unknown.subgroup = 'unknown'
  where part.dimension <> 'all_students' and part.is_listed

),

judged as (

  select
    paired.*,
    case
      when paired.is_size_hidden and paired.is_told_small then 'fewer_than_n_students'
      when paired.is_size_hidden then 'complementary'
      when paired.group_count is null then 'too_few_weeks'
      when paired.reference_n < district.minimum_n then 'no_reference_group'
      when paired.is_count_hidden then 'small_count'
      when least(
        paired.group_count, paired.group_n - paired.group_count,
        paired.reference_count, paired.reference_n - paired.reference_count
      ) < district.minimum_n then 'small_count'
    end as suppression_reason
  from paired
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
