{{ config(
    materialized="incremental",
    incremental_strategy="replace_built_weeks",
    post_hook="delete from {{ this }} where org_level = 'class' and week_start_on not in (select week_start_on from {{ ref('int_week') }} as week cross join {{ source('config', 'district') }} as district where week.is_complete qualify row_number() over (order by week.week_start_on desc) <= max(district.consistent_window_weeks) over ())"
) }}
-- One definition of adoption at every level. Counts that could tell of single children are hidden, see docs/privacy.md.
with district as (

  select * from {{ source("config", "district") }}

),

week as (

  select * from {{ ref("int_week") }} where is_complete and {{ is_week_to_build() }}

),

cell as (

  select *
  from {{ ref("int_use_cell") }}
  where {{ is_week_to_build() }}

),

-- Students whom any source of use has seen within the window, of all enrolled, as a measure of how far the numbers beside it
-- can be trusted: to the next twentieth, and in small schools to a step of n students, for it stands beside their number.
coverage as (

  select
    week_start_on,
    org_level,
    org_key,
    case when not is_small_group then round(1.0 * steps * seen / eligible) / steps end as coverage_rate
  from (select *, greatest(least(eligible // minimum_n, 20), 1) as steps from cell) as cell
  where tool_key = {{ any_tool() }} and dimension = 'all_students'

),

organisation as (

  select 'district' as org_level, district_id as org_key, district_name as org_name, cast(null as varchar) as school_key
  from district
  union all
  select 'school', school_key, school_name, school_key from {{ ref("dim_school") }}

),

listed as (

  select * from cell where is_listed and tool_key <> {{ any_tool() }}

),

shown as (

  select
    listed.*,
    case
      when listed.is_eligible_hidden and listed.is_small_group and listed.has_eligible_end then 'fewer_than_n_students'
      when listed.is_eligible_hidden then 'complementary'
      when not listed.is_active_hidden then null
      when not listed.has_active_end then 'complementary'
      when listed.eligible < 2 * district.minimum_n then 'small_count'
      when listed.active < district.minimum_n then 'small_count_low'
      else 'small_count_high'
    end as suppression_reason,
    case
      when listed.is_active_hidden and listed.has_active_end and not listed.is_eligible_hidden then listed.active_low
    end as shown_low,
    case
      when listed.is_active_hidden and listed.has_active_end and not listed.is_eligible_hidden then listed.active_high
    end as shown_high,
    case
      when listed.consistent is null then 'too_few_weeks'
      when listed.is_eligible_hidden and listed.is_small_group and listed.has_eligible_end then 'fewer_than_n_students'
      when listed.is_eligible_hidden then 'complementary'
      when not listed.is_consistent_hidden then null
      when not listed.has_consistent_end then 'complementary'
      when listed.eligible < 2 * district.minimum_n then 'small_count'
      when listed.consistent < district.minimum_n then 'small_count_low'
      else 'small_count_high'
    end as consistent_suppression_reason
  from listed
  cross join district

),

organisation_row as (

  select
    shown.week_start_on,
    shown.tool_key,
    shown.org_level,
    shown.org_key,
    coalesce(organisation.org_name, {{ grade_name("shown.org_key") }}) as org_name,
    organisation.school_key,
    shown.dimension,
    shown.subgroup,
    shown.shown_eligible as eligible_students,
    shown.shown_active as active_students,
    shown.shown_consistent as consistent_students,
    shown.shown_active / cast(shown.shown_eligible as double) as adoption_rate,
    shown.shown_consistent / cast(shown.shown_eligible as double) as consistent_rate,
    case when not shown.is_active_hidden then round(shown.minutes / shown.measured, 1) end as minutes_per_active_student,
    {%- for minutes in published_idle_gaps() %}
    case when not shown.is_active_hidden then round(shown.minutes_gap_{{ minutes }} / shown.measured, 1) end
      as minutes_per_active_student_gap_{{ minutes }},
    {%- endfor %}
    case when not shown.is_active_hidden and shown.measured > 0 then shown.minutes_method end as minutes_method,
    coverage.coverage_rate,
    shown.suppression_reason,
    shown.consistent_suppression_reason,
    shown.shown_low / cast(shown.shown_eligible as double) as rate_low,
    case when shown.shown_high is not null then least(shown.shown_high / cast(shown.shown_eligible as double), 1.0) end
      as rate_high
  from shown
  left join organisation on organisation.org_level = shown.org_level and organisation.org_key = shown.org_key
  left join coverage
    on coverage.week_start_on = shown.week_start_on
    and coverage.org_level = shown.org_level
    and coverage.org_key = shown.org_key

),

-- Classes: those of the latest weeks, in bands and for all students only.
class_week as (

  select * from {{ ref("int_class_week") }}

),

class_row as (

  select
    class_week.week_start_on,
    class_week.tool_key,
    'class' as org_level,
    class_week.class_key as org_key,
    class.class_name as org_name,
    class.school_key,
    'all_students' as dimension,
    'all_students' as subgroup,
    case when class_week.eligible >= district.minimum_n then class_week.eligible end as eligible_students,
    cast(null as bigint) as active_students,
    cast(null as bigint) as consistent_students,
    cast(null as double) as adoption_rate,
    cast(null as double) as consistent_rate,
    cast(null as double) as minutes_per_active_student,
    {%- for minutes in published_idle_gaps() %}
    cast(null as double) as minutes_per_active_student_gap_{{ minutes }},
    {%- endfor %}
    cast(null as varchar) as minutes_method,
    coverage.coverage_rate,
    case
      when class_week.eligible < district.minimum_n then 'fewer_than_n_students'
      when class_week.bands = 1 then 'small_count'
      else 'class_band'
    end as suppression_reason,
    'class_band' as consistent_suppression_reason,
    case when class_week.bands > 1 then class_week.active_low / cast(class_week.eligible as double) end as rate_low,
    case when class_week.bands > 1 then class_week.active_high / cast(class_week.eligible as double) end as rate_high
  from class_week
  cross join district
  inner join {{ ref("dim_class") }} as class on class.class_key = class_week.class_key
  left join coverage
    on coverage.week_start_on = class_week.week_start_on
    and coverage.org_level = 'school'
    and coverage.org_key = class.school_key

),

-- A tool that no enrolled student is meant for: said once, for the district.
nobody_row as (

  select
    week.week_start_on,
    contract.tool_key,
    'district' as org_level,
    district.district_id as org_key,
    district.district_name as org_name,
    cast(null as varchar) as school_key,
    'all_students' as dimension,
    'all_students' as subgroup,
    cast(0 as bigint) as eligible_students,
    cast(null as bigint) as active_students,
    cast(null as bigint) as consistent_students,
    cast(null as double) as adoption_rate,
    cast(null as double) as consistent_rate,
    cast(null as double) as minutes_per_active_student,
    {%- for minutes in published_idle_gaps() %}
    cast(null as double) as minutes_per_active_student_gap_{{ minutes }},
    {%- endfor %}
    cast(null as varchar) as minutes_method,
    cast(null as double) as coverage_rate,
    'no_eligible_students' as suppression_reason,
    'no_eligible_students' as consistent_suppression_reason,
    cast(null as double) as rate_low,
    cast(null as double) as rate_high
  from (
    select distinct contract.tool_key, contract.starts_on, contract.ends_on from {{ ref("dim_contract") }} as contract
  ) as contract
  cross join district
  inner join {{ ref("int_tool_grade_set") }} as grade_set on grade_set.tool_key = contract.tool_key
  inner join week on contract.starts_on <= week.last_day_on and contract.ends_on >= week.first_day_on
  where exists (select 1 from {{ ref("int_eligible_cell") }} as other where other.week_start_on = week.week_start_on)
    and not exists (
      select 1
      from {{ ref("int_eligible_cell") }} as eligible
      where eligible.week_start_on = week.week_start_on and eligible.grade_set = grade_set.grade_set
    )

),

-- A district without a source of use: who is eligible is known, who used it is not.
unseen_row as (

  select
    week.week_start_on,
    grade_set.tool_key,
    eligible.org_level,
    eligible.org_key,
    coalesce(organisation.org_name, {{ grade_name("eligible.org_key") }}) as org_name,
    organisation.school_key,
    eligible.dimension,
    eligible.subgroup,
    eligible.shown_eligible as eligible_students,
    cast(null as bigint) as active_students,
    cast(null as bigint) as consistent_students,
    cast(null as double) as adoption_rate,
    cast(null as double) as consistent_rate,
    cast(null as double) as minutes_per_active_student,
    {%- for minutes in published_idle_gaps() %}
    cast(null as double) as minutes_per_active_student_gap_{{ minutes }},
    {%- endfor %}
    cast(null as varchar) as minutes_method,
    cast(null as double) as coverage_rate,
    'no_usage_source' as suppression_reason,
    'no_usage_source' as consistent_suppression_reason,
    cast(null as double) as rate_low,
    cast(null as double) as rate_high
  from week
  inner join {{ ref("dim_contract") }} as contract
    on contract.starts_on <= week.last_day_on and contract.ends_on >= week.first_day_on
  inner join {{ ref("int_tool_seen_from") }} as seen on seen.tool_key = contract.tool_key and seen.seen_from is null
  inner join {{ ref("int_tool_grade_set") }} as grade_set on grade_set.tool_key = contract.tool_key
  inner join {{ ref("int_eligible_cell") }} as eligible
    on eligible.week_start_on = week.week_start_on
    and eligible.grade_set = grade_set.grade_set
    and eligible.dimension = 'all_students'
  left join organisation on organisation.org_level = eligible.org_level and organisation.org_key = eligible.org_key
  qualify row_number() over (
    partition by week.week_start_on, grade_set.tool_key, eligible.org_level, eligible.org_key order by contract.contract_key
  ) = 1

),

every_row as (

  select * from organisation_row
  union all
  select * from class_row
  union all
  select distinct * from nobody_row
  union all
  select * from unseen_row

)

select
  district.district_id,
  every_row.org_level,
  every_row.org_key,
  every_row.org_name,
  every_row.school_key,
  every_row.week_start_on,
  week.school_year,
  every_row.tool_key,
  tool.tool_name,
  every_row.dimension,
  every_row.subgroup,
  every_row.eligible_students,
  every_row.active_students,
  every_row.consistent_students,
  every_row.adoption_rate,
  every_row.consistent_rate,
  every_row.rate_low,
  every_row.rate_high,
  every_row.minutes_per_active_student,
  {%- for minutes in published_idle_gaps() %}
  every_row.minutes_per_active_student_gap_{{ minutes }},
  {%- endfor %}
  every_row.minutes_method,
  every_row.coverage_rate,
  every_row.suppression_reason,
  every_row.consistent_suppression_reason,
  week.last_day_on as data_complete_through
from every_row
cross join district
inner join week on week.week_start_on = every_row.week_start_on
inner join {{ ref("dim_tool") }} as tool on tool.tool_key = every_row.tool_key
