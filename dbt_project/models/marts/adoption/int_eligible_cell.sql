{{ config(
    materialized="incremental", incremental_strategy="replace_built_weeks", schema="intermediate", contract={"enforced": false}
) }}
-- Eligible students of every organisation and subgroup, for each set of grades that a tool is licensed for, and which of
-- these counts may be shown. They do not depend on use, so tools with the same grades show and hide the same.
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

{{ indistinct_grade_sets("org_atom", "split") }},

{{ same_people("counted", ["week_start_on", "grade_set"], "eligible", "cell") }},

countable as (

  select
    cell.*,
    concat(cell.same_as, '|', cell.grades) as identity,
    cell.eligible as value,
    cast(null as bigint) as ceiling,
    false as is_small_group,
    split.org_key is not null as is_forced,
    district.minimum_n
  from cell
  cross join district
  left join split using (week_start_on, grade_set, org_level, org_key, dimension, subgroup)

),

suppressed as (

  select * from ({{ suppressed_counts("countable", ["week_start_on", "grade_set"], ["week_start_on"]) }}) as one_cell

),

-- Counts of a grade are rounded, so that grades cannot be taken from schools.
grade_counted as (

  select
    atom.week_start_on,
    atom.grade_set,
    'grade' as org_level,
    atom.grade as org_key,
    atom.dimension,
    atom.subgroup,
    bool_or(atom.is_unknown_merged) as is_unknown_merged,
    cast(sum(atom.students) as bigint) as eligible
  from atom
  where atom.grade is not null
  group by atom.week_start_on, atom.grade_set, atom.grade, atom.dimension, atom.subgroup

),

grade_countable as (

  select
    grade_counted.*,
    grade_counted.eligible as value,
    cast(null as bigint) as ceiling,
    false as is_small_group,
    false as is_forced,
    concat(grade_counted.org_key, '|', grade_counted.dimension, '|', grade_counted.subgroup) as identity,
    total.value as total_value,
    total.low as total_low,
    coalesce(total.high, {{ no_ceiling() }}) as total_high,
    total.is_hidden as is_total_hidden,
    total.minimum_n
  from grade_counted
  inner join suppressed as total
    on total.week_start_on = grade_counted.week_start_on
    and total.grade_set = grade_counted.grade_set
    and total.org_level = 'district'
    and total.dimension = grade_counted.dimension
    and total.subgroup = grade_counted.subgroup

),

grade_suppressed as (

  select * from ({{ rounded_counts("grade_countable", ["week_start_on", "grade_set"], ["week_start_on"]) }}) as one_cell

)

select
  suppressed.week_start_on,
  suppressed.grade_set,
  suppressed.org_level,
  suppressed.org_key,
  suppressed.dimension,
  suppressed.subgroup,
  countable.is_unknown_merged,
  suppressed.value as eligible,
  case when not suppressed.is_hidden then suppressed.value end as shown_eligible,
  suppressed.is_hidden,
  suppressed.is_sensitive,
  suppressed.has_end,
  suppressed.identity,
  suppressed.copy_of
from suppressed
inner join countable using (week_start_on, grade_set, org_level, org_key, dimension, subgroup)

union all

select
  grade_suppressed.week_start_on,
  grade_suppressed.grade_set,
  'grade',
  grade_suppressed.org_key,
  grade_suppressed.dimension,
  grade_suppressed.subgroup,
  grade_countable.is_unknown_merged,
  grade_suppressed.value,
  grade_suppressed.shown_value,
  grade_suppressed.is_hidden,
  grade_suppressed.is_sensitive,
  grade_suppressed.has_end,
  grade_suppressed.identity,
  cast(null as varchar)
from grade_suppressed
inner join grade_countable using (week_start_on, grade_set, org_key, dimension, subgroup)
