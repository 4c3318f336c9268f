-- Use that aggregate-only sources report, over the reporting districts of each kind. One weight for each district and day.
with district as (

  select * from {{ source("config", "district") }}

),

reporting as (

  select
    fact.district_id,
    coalesce(dim_district.free_reduced_band, 'unknown') as free_reduced_band,
    coalesce(dim_district.black_hispanic_band, 'unknown') as black_hispanic_band,
    coalesce(dim_district.locale, 'unknown') as locale
  from (select distinct district_id from {{ ref("fct_tool_usage_summary") }}) as fact
  left join {{ ref("dim_district") }} as dim_district on dim_district.district_id = fact.district_id

),

group_size as (

  select {{ district_group() }}, count(*) as districts_total
  from reporting
  group by grouping sets ((), (free_reduced_band), (black_hispanic_band), (locale))

),

-- Two products of one name keep apart.
product as (

  select
    tool_key,
    case
      when count(*) over (partition by tool_name) > 1 then concat(tool_name, ' (', tool_key, ')')
      else tool_name
    end as level_value
  from {{ ref("dim_tool") }}

),

-- A week in which one school year ends and the next begins is one week.
district_week as (

  select
    district_id,
    week_start_on,
    level,
    level_key,
    sum(district_days) as district_days,
    sum(pct_access_days) as pct_access_days,
    sum(pct_access_sum) as pct_access_sum,
    sum(engagement_index_days) as engagement_index_days,
    sum(engagement_index_sum) as engagement_index_sum
  from {{ ref("int_usage_summary_week") }}
  group by district_id, week_start_on, level, level_key

),

summed as (

  select
    district_week.week_start_on,
    district_week.level,
    district_week.level_key,
    {{ district_group() }},
    count(*) as districts_reporting,
    sum(district_week.district_days) as district_days,
    sum(district_week.pct_access_days) as pct_access_days,
    sum(district_week.pct_access_sum) as pct_access_sum,
    sum(district_week.engagement_index_days) as engagement_index_days,
    sum(district_week.engagement_index_sum) as engagement_index_sum
  from district_week
  inner join reporting on reporting.district_id = district_week.district_id
  group by
    district_week.week_start_on,
    district_week.level,
    district_week.level_key,
    grouping sets ((), (free_reduced_band), (black_hispanic_band), (locale))

)

select
  district.district_id,
  summed.week_start_on,
  summed.level,
  coalesce(product.level_value, summed.level_key) as level_value,
  summed.group_dimension,
  summed.group_value,
  cast(summed.districts_reporting as bigint) as districts_reporting,
  cast(group_size.districts_total as bigint) as districts_total,
  {{ mean_of_exact("summed.pct_access_sum", "summed.pct_access_days") }} as mean_pct_access,
  {{ mean_of_exact("summed.engagement_index_sum", "summed.engagement_index_days") }} as mean_engagement_index,
  cast(summed.district_days as bigint) as district_days,
  through.data_complete_through
from summed
inner join group_size
  on group_size.group_dimension = summed.group_dimension and group_size.group_value = summed.group_value
left join product on summed.level = 'product' and product.tool_key = summed.level_key
cross join district
cross join {{ ref("int_district_through") }} as through
