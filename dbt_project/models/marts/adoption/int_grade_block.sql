{{ config(
    materialized="incremental", incremental_strategy="replace_built_weeks", schema="intermediate", contract={"enforced": false}
) }}
-- Blocks of schools and grades: grades that some schools have between them, so that both add up to the same students. A few
-- children (fewer than n) in a grade that their school does not otherwise have join no blocks. Found by handing the least
-- grade on, from grade to school to grade: four times is enough for five kinds of school in a row, and a block that is still
-- in two parts is only judged more strictly.
with school_grade as (

  select enrolled.week_start_on, licence.grade_set, enrolled.school_key, enrolled.grade, enrolled.grade as block
  from {{ ref("int_enrolled_atom") }} as enrolled
  cross join {{ source("config", "district") }} as district
  inner join (
    select grade_set, {{ any_value_of("licensed_grades") }} as licensed_grades
    from {{ ref("int_tool_grade_set") }}
    group by grade_set
  ) as licence on licence.grade_set = 'all' or {{ list_has("licence.licensed_grades", "enrolled.grade") }}
  where {{ is_week_to_build("enrolled.week_start_on") }}
    and enrolled.dimension = 'all_students'
    and enrolled.grade is not null
    and enrolled.students >= district.minimum_n

),
{% for number in range(4) %}
{%- set before = "school_grade" if loop.first else "handed_on_" ~ (number - 1) %}
handed_on_{{ number }} as (

  select week_start_on, grade_set, school_key, grade, min(block) over (partition by week_start_on, grade_set, grade) as block
  from (
    select
      week_start_on, grade_set, school_key, grade,
      min(block) over (partition by week_start_on, grade_set, school_key) as block
    from {{ before }}
  ) as one_school

),
{% endfor %}
by_school as (

  select week_start_on, grade_set, school_key, min(block) as block
  from handed_on_3
  group by week_start_on, grade_set, school_key

)

select distinct week_start_on, grade_set, 'grade' as org_level, grade as org_key, block from handed_on_3
union all
select week_start_on, grade_set, 'school', school_key, block from by_school
