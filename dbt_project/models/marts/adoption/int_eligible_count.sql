{{ config(
    materialized="incremental", incremental_strategy="replace_built_weeks", schema="intermediate", contract={"enforced": false}
) }}
-- Eligible students of every organisation and subgroup, for each set of grades that a tool is licensed for.
with district as (

  select * from {{ source("config", "district") }}

),

licence as (

  select grade_set, {{ any_value_of("licensed_grades") }} as licensed_grades
  from {{ ref("int_tool_grade_set") }}
  group by grade_set

),

licensed_atom as (

  select
    enrolled.*,
    licence.grade_set,
    sum(case when enrolled.dimension = 'all_students' then enrolled.students else 0 end)
      over (partition by enrolled.week_start_on, licence.grade_set, enrolled.school_key) as students_of_school
  from {{ ref("int_enrolled_atom") }} as enrolled
  inner join licence
    on licence.grade_set = 'all' or {{ list_has("licence.licensed_grades", "enrolled.grade") }}
  where {{ is_week_to_build("enrolled.week_start_on") }}

),

-- A few children of a licensed grade in a school of other grades are not counted for the tool, at any level: their school
-- cannot be shown, and the next larger one would have to be hidden to hide them.
atom as (

  select licensed_atom.*
  from licensed_atom
  cross join district
  where licensed_atom.students_of_school >= district.minimum_n

),

org_atom as (

  select 'district' as org_level, district.district_id as org_key, atom.*
  from atom
  cross join district
  union all
  select 'school', atom.school_key, atom.* from atom
  union all
  -- Grades are told for all students only: schools and grades of every subgroup would be too many sums of the same children.
  select 'grade', atom.grade, atom.* from atom where atom.grade is not null and atom.dimension = 'all_students'

),

counted as (

  select
    org_atom.week_start_on,
    org_atom.grade_set,
    org_atom.org_level,
    org_atom.org_key,
    org_atom.dimension,
    org_atom.subgroup,
    bool_or(org_atom.is_unknown_merged) as is_unknown_merged,
    cast(sum(org_atom.students) as bigint) as eligible,
    {{ joined_list(distinct_list("coalesce(org_atom.grade, '-')"), ";") }} as grades
  from org_atom
  group by
    org_atom.week_start_on,
    org_atom.grade_set,
    org_atom.org_level,
    org_atom.org_key,
    org_atom.dimension,
    org_atom.subgroup

),

higher_atom as (

  select * from org_atom where org_level <> 'grade'

),

{{ indistinct_grade_sets("higher_atom", "split") }},

{{ same_people("counted", ["week_start_on", "grade_set"], "eligible", "cell") }}

select
  cell.week_start_on,
  cell.grade_set,
  cell.org_level,
  cell.org_key,
  cell.dimension,
  cell.subgroup,
  cell.is_unknown_merged,
  cell.eligible,
  cell.same_as,
  cell.copy_of,
  -- One number for the same people under two tools. Tools whose grades leave a school out count fewer children of one and the
  -- same grade; only as many are the same ones.
  concat(cell.same_as, '|', case when cell.org_level = 'grade' then cast(cell.eligible as varchar) else cell.grades end) as identity,
  split.org_key is not null as is_split
from cell
left join split using (week_start_on, grade_set, org_level, org_key, dimension, subgroup)
