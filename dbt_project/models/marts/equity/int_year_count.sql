{{ config(schema="intermediate", contract={"enforced": false}) }}
-- Use over the school year so far, by those who are eligible in the latest complete week: who used a tool in any complete
-- week, and who in at least k of every w weeks that they were eligible for. True counts, never published.
with district as (

  select * from {{ source("config", "district") }}

),

latest as (

  select school_year, week_start_on
  from {{ ref("int_week") }}
  where is_complete
  qualify row_number() over (order by week_start_on desc) = 1

),

week as (

  select int_week.week_start_on
  from {{ ref("int_week") }} as int_week
  inner join latest on latest.school_year = int_week.school_year
  where int_week.is_complete

),

student as (

  select int_student_week.*
  from {{ ref("int_student_week") }} as int_student_week
  inner join latest on latest.week_start_on = int_student_week.week_start_on

),

-- Of most students, every week; weeks before a tool could be seen are not held against anybody.
enrolled_week as (

  select enrolled.student_key, enrolled.week_start_on
  from {{ ref("int_student_week") }} as enrolled
  inner join week on week.week_start_on = enrolled.week_start_on

),

seen_from as (

  select distinct seen_from from {{ ref("int_tool_seen_from") }} where seen_from is not null

),

weeks_enrolled as (

  select seen_from.seen_from, enrolled_week.student_key, count(*) as weeks
  from seen_from
  inner join enrolled_week on enrolled_week.week_start_on >= seen_from.seen_from
  group by seen_from.seen_from, enrolled_week.student_key

),

student_tool as (

  select used.student_key, used.tool_key, count(*) as weeks_active
  from {{ ref("int_student_tool_week") }} as used
  inner join week on week.week_start_on = used.week_start_on
  group by used.student_key, used.tool_key

),

counted_school as (

  select eligible.grade_set, eligible.org_key as school_key
  from {{ ref("int_eligible_count") }} as eligible
  inner join latest on latest.week_start_on = eligible.week_start_on
  where eligible.org_level = 'school' and eligible.dimension = 'all_students'

),

profile as (

  select
    student_tool.tool_key,
    student.school_key,
    student.groups,
    count(*) as active,
    {{ count_where(
      "weeks_enrolled.weeks >= district.consistent_window_weeks and student_tool.weeks_active * district.consistent_window_weeks >= weeks_enrolled.weeks * district.consistent_weeks"
    ) }} as consistent
  from student_tool
  cross join district
  inner join student on student.student_key = student_tool.student_key
  inner join {{ ref("int_tool_grade_set") }} as grade_set on grade_set.tool_key = student_tool.tool_key
  inner join counted_school
    on counted_school.grade_set = grade_set.grade_set and counted_school.school_key = student.school_key
  inner join {{ ref("int_tool_seen_from") }} as tool_seen on tool_seen.tool_key = student_tool.tool_key
  inner join weeks_enrolled
    on weeks_enrolled.student_key = student_tool.student_key and weeks_enrolled.seen_from = tool_seen.seen_from
  where grade_set.grade_set = 'all' or {{ list_has("grade_set.licensed_grades", "student.grade") }}
  group by student_tool.tool_key, student.school_key, student.groups

),

exploded as (

  select tool_key, school_key, active, consistent, {{ each_element("groups") }} as one_group from profile

),

merged as (

  select distinct enrolled.dimension
  from {{ ref("int_enrolled_atom") }} as enrolled
  inner join latest on latest.week_start_on = enrolled.week_start_on
  where enrolled.is_unknown_merged

),

grouped as (

  select
    exploded.tool_key,
    exploded.school_key,
    {{ text_before("exploded.one_group", "'='") }} as dimension,
    case
      when {{ text_after("exploded.one_group", "'='") }} = 'unknown' and merged.dimension is not null then 'no'
      else {{ text_after("exploded.one_group", "'='") }}
    end as subgroup,
    exploded.active,
    exploded.consistent
  from exploded
  left join merged on merged.dimension = {{ text_before("exploded.one_group", "'='") }}

),

org_use as (

  select 'district' as org_level, district.district_id as org_key, grouped.* from grouped cross join district
  union all
  select 'school', grouped.school_key, grouped.* from grouped

),

counted as (

  select tool_key, org_level, org_key, dimension, subgroup, sum(active) as active, sum(consistent) as consistent
  from org_use
  group by tool_key, org_level, org_key, dimension, subgroup

),

known_week as (

  select
    cell.tool_key,
    cell.org_level,
    cell.org_key,
    cell.dimension,
    cell.subgroup,
    counted.active as counted,
    {{ known_of_week("cell") }}
  from {{ ref("int_use_cell") }} as cell
  inner join week on week.week_start_on = cell.week_start_on
  inner join counted using (tool_key, org_level, org_key, dimension, subgroup)

),

telling as (

  {{ telling_counts("known_week", ["tool_key", "org_level", "org_key", "dimension", "subgroup"]) }}

)

-- The cells are those of the latest week, so that their sizes are the ones shown there.
select
  cell.week_start_on,
  cell.tool_key,
  cell.org_level,
  cell.org_key,
  cell.dimension,
  cell.subgroup,
  cell.eligible,
  cell.is_eligible_hidden,
  cell.is_small_group,
  cell.identity,
  cell.copy_of,
  cell.minimum_n,
  telling.tool_key is not null as is_telling,
  cast(coalesce(counted.active, 0) as bigint) as active,
  cast(coalesce(counted.consistent, 0) as bigint) as consistent
from {{ ref("int_use_cell") }} as cell
inner join latest on latest.week_start_on = cell.week_start_on
left join counted using (tool_key, org_level, org_key, dimension, subgroup)
left join telling using (tool_key, org_level, org_key, dimension, subgroup)
where cell.org_level in ('district', 'school')
