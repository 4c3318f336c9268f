{{ config(
    materialized="incremental", incremental_strategy="replace_built_weeks", schema="intermediate", contract={"enforced": false}
) }}
-- Students by week, school, grade and subgroup: every eligible count is a sum of these. Where a status that is yes or no is
-- unknown for few students of the district (fewer than n, or at most 2 in 100), they stand with 'no': to tell them apart
-- would hide more than it says.
with profile as (

  select week_start_on, school_key, grade, groups, count(*) as students
  from {{ ref("int_student_week") }}
  where {{ is_week_to_build() }}
  group by week_start_on, school_key, grade, groups

),

exploded as (

  select week_start_on, school_key, grade, students, {{ each_element("groups") }} as one_group
  from profile

),

grouped as (

  select
    week_start_on,
    school_key,
    grade,
    {{ text_before("one_group", "'='") }} as dimension,
    {{ text_after("one_group", "'='") }} as subgroup,
    sum(students) as students
  from exploded
  group by week_start_on, school_key, grade, one_group

),

unknown as (

  select
    grouped.week_start_on,
    grouped.dimension,
    sum(case when grouped.subgroup = 'unknown' then grouped.students else 0 end)
      between 1 and greatest(max(district.minimum_n) - 1, 0.02 * sum(grouped.students)) as is_unknown_merged
  from grouped
  cross join {{ source("config", "district") }} as district
  group by grouped.week_start_on, grouped.dimension
  having bool_and(grouped.subgroup in ('yes', 'no', 'unknown'))

)

select
  grouped.week_start_on,
  grouped.school_key,
  grouped.grade,
  grouped.dimension,
  case when grouped.subgroup = 'unknown' and unknown.is_unknown_merged then 'no' else grouped.subgroup end as subgroup,
  coalesce(unknown.is_unknown_merged, false) as is_unknown_merged,
  cast(sum(grouped.students) as bigint) as students
from grouped
left join unknown on unknown.week_start_on = grouped.week_start_on and unknown.dimension = grouped.dimension
group by
  grouped.week_start_on,
  grouped.school_key,
  grouped.grade,
  grouped.dimension,
  case when grouped.subgroup = 'unknown' and unknown.is_unknown_merged then 'no' else grouped.subgroup end,
  coalesce(unknown.is_unknown_merged, false)
