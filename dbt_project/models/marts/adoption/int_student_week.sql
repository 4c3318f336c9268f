{{ config(
    materialized="incremental", incremental_strategy="replace_built_weeks", schema="intermediate", contract={"enforced": false}
) }}
-- Where each student belongs in a week: one school and one grade, the last that they were enrolled in during it, so that
-- schools add up to their district. `groups` lists the student's subgroup of each dimension as 'dimension=subgroup', small
-- kinds of the district under one name (int_merged_subgroup).
with week as (

  select * from {{ ref("int_week") }} where is_complete and {{ is_week_to_build() }}

),

enrolled as (

  select
    week.week_start_on,
    week.last_day_on,
    week.school_year,
    span.student_key,
    span.school_key,
    span.grade,
    span.starts_on
  from week
  inner join {{ ref("int_student_school_span") }} as span
    on span.starts_on <= week.last_day_on and span.ends_on >= week.first_day_on

),

placed as (

  {{ newest_per_key("enrolled", ["week_start_on", "student_key"], ["starts_on"]) }}

),

grouped as (

  select
    placed.week_start_on,
    placed.student_key,
    {{ list_of("concat(allowed.dimension, '=', coalesce(merged.shown_as, bridge.subgroup, 'unknown'))", "allowed.dimension") }} as groups
  from placed
  cross join {{ source("config", "subgroup") }} as allowed
  left join {{ ref("brg_student_subgroup") }} as bridge
    on bridge.student_key = placed.student_key
    and bridge.dimension = allowed.dimension
    and placed.last_day_on between bridge.starts_on and bridge.ends_on
  left join {{ ref("int_merged_subgroup") }} as merged
    on merged.school_year = placed.school_year
    and merged.dimension = allowed.dimension
    and merged.subgroup = coalesce(bridge.subgroup, 'unknown')
  group by placed.week_start_on, placed.student_key

)

select
  placed.week_start_on,
  placed.student_key,
  placed.school_key,
  placed.grade,
  {{ concatenated_lists("['all_students=all_students']", "coalesce(grouped.groups, cast([] as " ~ text_array() ~ "))") }} as groups
from placed
left join grouped on grouped.week_start_on = placed.week_start_on and grouped.student_key = placed.student_key
