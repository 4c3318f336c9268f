-- Gaps between kinds of districts in what aggregate-only sources report: the districts of a band against those of every
-- other known band, each district's mean of the school year counted once. Columns are those of mart_equity_gap.
with district_mean as (

  select
    district_id,
    school_year,
    case when level = 'all' then '__any_tool__' else level_key end as tool_key,
    {{ mean_of_exact("sum(pct_access_sum)", "sum(pct_access_days)") }} as pct_access,
    {{ mean_of_exact("sum(engagement_index_sum)", "sum(engagement_index_days)") }} as engagement_index
  from {{ ref("int_usage_summary_week") }}
  where level in ('all', 'product')
  group by district_id, school_year, level, level_key

),

measured as (

  select district_id, school_year, tool_key, 'pct_access' as metric, pct_access as value
  from district_mean
  where pct_access is not null

  union all

  select district_id, school_year, tool_key, 'engagement_index', engagement_index
  from district_mean
  where engagement_index is not null

),

-- A district that tells no band is in no group and in no comparison.
band as (

  select district_id, 'free_reduced_band' as dimension, free_reduced_band as subgroup
  from {{ ref("dim_district") }}
  where free_reduced_band is not null

  union all

  select district_id, 'black_hispanic_band', black_hispanic_band
  from {{ ref("dim_district") }}
  where black_hispanic_band is not null

  union all

  select district_id, 'locale', locale
  from {{ ref("dim_district") }}
  where locale is not null

),

placed as (

  select measured.*, band.dimension, band.subgroup
  from measured
  inner join band on band.district_id = measured.district_id

),

subgroup as (

  select distinct school_year, tool_key, metric, dimension, subgroup from placed

),

-- Ordered, so that the same districts give the same last digit in every build.
compared as (

  select
    subgroup.school_year,
    subgroup.tool_key,
    subgroup.metric,
    subgroup.dimension,
    subgroup.subgroup,
    {{ count_where("placed.subgroup = subgroup.subgroup") }} as group_n,
    {{ count_where("placed.subgroup <> subgroup.subgroup") }} as reference_n,
    avg(placed.value order by placed.district_id) filter (where placed.subgroup = subgroup.subgroup) as group_mean,
    avg(placed.value order by placed.district_id) filter (where placed.subgroup <> subgroup.subgroup) as reference_mean,
    var_samp(placed.value order by placed.district_id) filter (where placed.subgroup = subgroup.subgroup) as group_variance,
    var_samp(placed.value order by placed.district_id) filter (where placed.subgroup <> subgroup.subgroup)
      as reference_variance
  from subgroup
  inner join placed
    on placed.school_year = subgroup.school_year
    and placed.tool_key = subgroup.tool_key
    and placed.metric = subgroup.metric
    and placed.dimension = subgroup.dimension
  group by subgroup.school_year, subgroup.tool_key, subgroup.metric, subgroup.dimension, subgroup.subgroup

),

reasoned as (

  select
    *,
    group_variance / group_n as group_error,
    reference_variance / reference_n as reference_error,
    case
      when reference_n = 0 then 'no_reference_districts'
      when group_n < 2 or reference_n < 2 then 'fewer_than_two_districts'
      -- Districts that report the very same number leave nothing to judge chance by.
      when group_variance + reference_variance = 0 then 'no_variation'
    end as suppression_reason
  from compared

),

-- Welch's interval of a difference of two means, with Satterthwaite's degrees of freedom.
welch as (

  select
    *,
    sqrt(group_error + reference_error) as standard_error,
    case
      when suppression_reason is null
        then pow(group_error + reference_error, 2)
          / (pow(group_error, 2) / (group_n - 1) + pow(reference_error, 2) / (reference_n - 1))
    end as degrees_of_freedom
  from reasoned

),

-- Each critical value holds up to the next: the listed degrees of freedom at or below the computed ones. Rounding to
-- nine places keeps a whole number whole.
critical as (

  select
    degrees_of_freedom as df_from,
    lead(degrees_of_freedom) over (order by degrees_of_freedom) as df_before,
    t_975
  from {{ ref("t_critical") }}

)

select
  district.district_id,
  'district_band' as basis,
  'district' as org_level,
  district.district_id as org_key,
  district.district_name as org_name,
  welch.school_year as period,
  welch.tool_key,
  case when welch.tool_key = '__any_tool__' then 'Any tool' else tool.tool_name end as tool_name,
  welch.dimension,
  welch.subgroup,
  welch.metric,
  cast(welch.group_n as bigint) as group_n,
  cast(welch.reference_n as bigint) as reference_n,
  case when welch.suppression_reason is null then welch.group_mean end as group_rate,
  case when welch.suppression_reason is null then welch.reference_mean end as reference_rate,
  case when welch.suppression_reason is null then welch.group_mean - welch.reference_mean end as gap_points,
  welch.group_mean - welch.reference_mean - critical.t_975 * welch.standard_error as gap_ci_low,
  welch.group_mean - welch.reference_mean + critical.t_975 * welch.standard_error as gap_ci_high,
  -- A quotient of means over districts is no risk of any student.
  cast(null as double) as risk_ratio,
  cast(null as double) as risk_ratio_ci_low,
  cast(null as double) as risk_ratio_ci_high,
  welch.suppression_reason,
  through.data_complete_through
from welch
cross join {{ source("config", "district") }} as district
cross join {{ ref("int_district_through") }} as through
left join critical
  on round(welch.degrees_of_freedom, 9) >= critical.df_from
  and (round(welch.degrees_of_freedom, 9) < critical.df_before or critical.df_before is null)
left join {{ ref("dim_tool") }} as tool on tool.tool_key = welch.tool_key
