{{ config(materialized="incremental", incremental_strategy="replace_weeks") }}
-- Use as aggregate-only sources report it, by reporting district and week of instructional days: for each product, and for
-- everything, each sector and each function together. Sums are decimals: the same in whatever order they are made.
with day as (

  select on_date, week_start_on, school_year
  from {{ ref("dim_date") }}
  where is_instructional and {{ is_touched_week() }}

),

used as (

  select
    fact.district_id,
    fact.on_date,
    day.school_year,
    day.week_start_on,
    fact.tool_key,
    -- NULL when the list of products does not name it.
    tool.tool_key as named_tool_key,
    tool.sector,
    tool.function,
    {{ exact("fact.pct_access") }} as pct_access,
    {{ exact("fact.engagement_index") }} as engagement_index
  from {{ ref("fct_tool_usage_summary") }} as fact
  inner join day on day.on_date = fact.on_date
  left join {{ ref("dim_tool") }} as tool on tool.tool_key = fact.tool_key

),

product_week as (

  select
    district_id,
    school_year,
    week_start_on,
    named_tool_key,
    count(*) as district_days,
    count(pct_access) as pct_access_days,
    sum(pct_access) as pct_access_sum,
    count(engagement_index) as engagement_index_days,
    sum(engagement_index) as engagement_index_sum
  from used
  where named_tool_key is not null
  group by district_id, school_year, week_start_on, named_tool_key

),

-- Tools of one sector list and one function first: few, where the tools are thousands.
kind_day as (

  select
    district_id,
    on_date,
    school_year,
    week_start_on,
    sector,
    function,
    -- Students of two tools overlap by an unknown part: at least as many used one of them as used the most used one.
    max(pct_access) as pct_access,
    -- Page loads for 1,000 students add up; those of blank rows are unknown.
    sum(engagement_index) as engagement_index
  from used
  group by district_id, on_date, school_year, week_start_on, sector, function

),

kind as (

  select distinct sector, function from {{ ref("dim_tool") }}

),

kind_level as (

  select sector, function, 'function' as level, function as level_key
  from kind
  where function is not null

  union all

  -- A product of several sectors counts in each of them.
  select distinct sector, function, 'sector', trim(one_sector)
  from (
    select sector, function, {{ each_element(split_to_list("sector", "';'")) }} as one_sector
    from kind
    where sector is not null
  ) as each_sector
  where trim(one_sector) <> ''

),

level_day as (

  select district_id, on_date, school_year, week_start_on, 'all' as level, 'all' as level_key,
    max(pct_access) as pct_access, sum(engagement_index) as engagement_index
  from kind_day
  group by district_id, on_date, school_year, week_start_on

  union all

  select kind_day.district_id, kind_day.on_date, kind_day.school_year, kind_day.week_start_on, kind_level.level,
    kind_level.level_key, max(kind_day.pct_access), sum(kind_day.engagement_index)
  from kind_day
  inner join kind_level
    on kind_level.sector is not distinct from kind_day.sector and kind_level.function is not distinct from kind_day.function
  group by kind_day.district_id, kind_day.on_date, kind_day.school_year, kind_day.week_start_on, kind_level.level,
    kind_level.level_key

)

select
  district_id,
  school_year,
  week_start_on,
  'product' as level,
  named_tool_key as level_key,
  district_days,
  pct_access_days,
  pct_access_sum,
  engagement_index_days,
  engagement_index_sum
from product_week

union all

select
  district_id,
  school_year,
  week_start_on,
  level,
  level_key,
  count(*) as district_days,
  count(pct_access) as pct_access_days,
  sum(pct_access) as pct_access_sum,
  count(engagement_index) as engagement_index_days,
  sum(engagement_index) as engagement_index_sum
from level_day
group by district_id, school_year, week_start_on, level, level_key
