{{ config(
    materialized="incremental", incremental_strategy="replace_built_weeks", schema="intermediate", contract={"enforced": false}
) }}
-- Of the students that a tool is meant for: who used it in the week, and who in at least k of the last w instructional weeks,
-- by school, grade and subgroup. Weeks are counted once for each student and tool, and subgroups are spread out last.
with district as (

  select * from {{ source("config", "district") }}

),

week as (

  select * from {{ ref("int_week") }} where is_complete

),

week_of_window as (

  select target.week_start_on as target_week_on, past.week_start_on
  from week as target
  cross join district
  inner join week as past
    on past.school_year = target.school_year
    and past.week_number between target.week_number - district.consistent_window_weeks + 1 and target.week_number
  where {{ is_week_to_build("target.week_start_on") }}

),

student_tool as (

  select
    week_of_window.target_week_on as week_start_on,
    used.student_key,
    used.tool_key,
    count(*) as weeks_active,
    bool_or(used.week_start_on = week_of_window.target_week_on) as is_active,
    max(case when used.week_start_on = week_of_window.target_week_on then used.minutes_method end) as minutes_method,
    max(case when used.week_start_on = week_of_window.target_week_on then used.active_minutes end) as active_minutes
    {%- for minutes in published_idle_gaps() %},
    max(case when used.week_start_on = week_of_window.target_week_on then used.active_minutes_gap_{{ minutes }} end)
      as active_minutes_gap_{{ minutes }}
    {%- endfor %}
  from week_of_window
  inner join {{ ref("int_student_tool_week") }} as used on used.week_start_on = week_of_window.week_start_on
  group by week_of_window.target_week_on, used.student_key, used.tool_key

),

counted_school as (

  select week_start_on, grade_set, org_key as school_key
  from {{ ref("int_eligible_count") }}
  where org_level = 'school' and dimension = 'all_students'

),

profile as (

  select
    student_tool.week_start_on,
    student_tool.tool_key,
    student.school_key,
    student.grade,
    student.groups,
    student_tool.minutes_method,
    {{ count_where("student_tool.is_active") }} as active,
    {{ count_where("student_tool.weeks_active >= district.consistent_weeks") }} as consistent,
    count(*) as seen,
    sum(student_tool.active_minutes) as minutes,
    {%- for minutes in published_idle_gaps() %}
    sum(student_tool.active_minutes_gap_{{ minutes }}) as minutes_gap_{{ minutes }},
    {%- endfor %}
    count(student_tool.active_minutes) as measured
  from student_tool
  cross join district
  inner join {{ ref("int_student_week") }} as student
    on student.week_start_on = student_tool.week_start_on and student.student_key = student_tool.student_key
  inner join {{ ref("int_tool_grade_set") }} as grade_set on grade_set.tool_key = student_tool.tool_key
  inner join counted_school
    on counted_school.week_start_on = student.week_start_on
    and counted_school.grade_set = grade_set.grade_set
    and counted_school.school_key = student.school_key
  where grade_set.grade_set = 'all' or {{ list_has("grade_set.licensed_grades", "student.grade") }}
  group by
    student_tool.week_start_on,
    student_tool.tool_key,
    student.school_key,
    student.grade,
    student.groups,
    student_tool.minutes_method

),

exploded as (

  select * exclude (groups), {{ each_element("groups") }} as one_group from profile

),

merged as (

  select distinct week_start_on, dimension
  from {{ ref("int_enrolled_atom") }}
  where is_unknown_merged

)

select
  exploded.week_start_on,
  exploded.tool_key,
  exploded.school_key,
  exploded.grade,
  {{ text_before("exploded.one_group", "'='") }} as dimension,
  case
    when {{ text_after("exploded.one_group", "'='") }} = 'unknown' and merged.dimension is not null then 'no'
    else {{ text_after("exploded.one_group", "'='") }}
  end as subgroup,
  exploded.minutes_method,
  cast(sum(exploded.active) as bigint) as active,
  cast(sum(exploded.consistent) as bigint) as consistent,
  cast(sum(exploded.seen) as bigint) as seen,
  sum(exploded.minutes) as minutes,
  {%- for minutes in published_idle_gaps() %}
  sum(exploded.minutes_gap_{{ minutes }}) as minutes_gap_{{ minutes }},
  {%- endfor %}
  cast(sum(exploded.measured) as bigint) as measured
from exploded
left join merged
  on merged.week_start_on = exploded.week_start_on
  and merged.dimension = {{ text_before("exploded.one_group", "'='") }}
group by
  exploded.week_start_on,
  exploded.tool_key,
  exploded.school_key,
  exploded.grade,
  {{ text_before("exploded.one_group", "'='") }},
  case
    when {{ text_after("exploded.one_group", "'='") }} = 'unknown' and merged.dimension is not null then 'no'
    else {{ text_after("exploded.one_group", "'='") }}
  end,
  exploded.minutes_method
