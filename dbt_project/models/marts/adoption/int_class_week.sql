{{ config(schema="intermediate", contract={"enforced": false}) }}
-- Use of each class in the latest complete weeks, as the band that its number of active students lies in.
with district as (

  select * from {{ source("config", "district") }}

),

week as (

  select int_week.week_start_on, int_week.last_day_on
  from {{ ref("int_week") }} as int_week
  cross join district
  where int_week.is_complete
  qualify row_number() over (order by int_week.week_start_on desc) <= district.consistent_window_weeks

),

member as (

  select distinct
    week.week_start_on,
    span.class_key,
    span.school_key,
    span.student_key,
    student.school_key as student_school_key,
    student.grade
  from week
  inner join {{ ref("int_student_class_span") }} as span
    on week.last_day_on between span.starts_on and span.ends_on
  inner join {{ ref("int_student_week") }} as student
    on student.week_start_on = week.week_start_on and student.student_key = span.student_key

),

tool_week as (

  select
    use_cell.week_start_on,
    use_cell.tool_key,
    grade_set.grade_set,
    grade_set.licensed_grades
  from {{ ref("int_use_cell") }} as use_cell
  inner join week on week.week_start_on = use_cell.week_start_on
  inner join {{ ref("int_tool_grade_set") }} as grade_set on grade_set.tool_key = use_cell.tool_key
  where use_cell.org_level = 'district' and use_cell.dimension = 'all_students' and use_cell.tool_key <> {{ any_tool() }}

),

eligible as (

  select
    tool_week.week_start_on,
    tool_week.tool_key,
    member.class_key,
    any_value(member.school_key) as school_key,
    count(*) as eligible,
    count(used.student_key) as active,
    bool_and(member.school_key = member.student_school_key) as is_of_its_school
  from tool_week
  inner join member
    on member.week_start_on = tool_week.week_start_on
    and (tool_week.grade_set = 'all' or {{ list_has("tool_week.licensed_grades", "member.grade") }})
  left join {{ ref("int_student_tool_week") }} as used
    on used.week_start_on = tool_week.week_start_on
    and used.tool_key = tool_week.tool_key
    and used.student_key = member.student_key
  group by tool_week.week_start_on, tool_week.tool_key, member.class_key

),

banded as (

  select
    eligible.*,
    {{ class_bands("eligible.eligible", "district.minimum_n") }} as bands,
    district.minimum_n
  from eligible
  cross join district

),

ranged as (

  select
    banded.*,
    {{ class_band_low("active", "eligible", "bands") }} as band_low,
    {{ class_band_high("active", "eligible", "bands") }} as band_high
  from banded

),

-- Where the classes of a school add up to it, its own number narrows theirs.
checked as (

  select
    ranged.*,
    coalesce(school.is_active_hidden, true) as is_school_hidden,
    sum(ranged.eligible) over same_school = school.eligible as adds_up,
    1
      + least(band_high - ranged.active, sum(ranged.active - band_low) over same_school - (ranged.active - band_low))
      + least(ranged.active - band_low, sum(band_high - ranged.active) over same_school - (band_high - ranged.active))
      as values_possible
  from ranged
  left join {{ ref("int_use_cell") }} as school
    on school.week_start_on = ranged.week_start_on
    and school.tool_key = ranged.tool_key
    and school.org_level = 'school'
    and school.org_key = ranged.school_key
    and school.dimension = 'all_students'
  window same_school as (partition by ranged.week_start_on, ranged.tool_key, ranged.school_key)

)

select
  week_start_on,
  tool_key,
  class_key,
  school_key,
  cast(eligible as bigint) as eligible,
  cast(active as bigint) as active,
  case
    -- Where the school's number is hidden, so are its classes'.
    when is_school_hidden then 1
    when coalesce(adds_up, false)
      and bool_or(values_possible < {{ least_possible_values("minimum_n") }} and bands > 1)
        over (partition by week_start_on, tool_key, school_key)
      then 1
    else bands
  end as bands,
  band_low as active_low,
  band_high as active_high
from checked
