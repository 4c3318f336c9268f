{{ config(schema="intermediate", contract={"enforced": false}) }}
-- What each subgroup is called in the weeks of a school year. Of a characteristic with more kinds than yes and no, kinds of
-- fewer than 2n students in the district are one group, `other_groups`: of so few, a count of use and its rest cannot both
-- reach n, and one of them by itself would hide the kinds beside it. Should they together still be fewer, the next smallest
-- joins them. Students of unknown kind, where they are few (fewer than 2n, or at most 2 in 100), stand with them. The first complete week of the school year decides for all of it: a kind that moved in and out of the group
-- would be told by the difference.
with district as (

  select * from {{ source("config", "district") }}

),

first_week as (

  select school_year, week_start_on, first_day_on, last_day_on
  from {{ ref("int_week") }}
  where is_complete
  qualify row_number() over (partition by school_year order by week_start_on) = 1

),

enrolled as (

  select distinct first_week.school_year, first_week.last_day_on, span.student_key
  from first_week
  inner join {{ ref("int_student_school_span") }} as span
    on span.starts_on <= first_week.last_day_on and span.ends_on >= first_week.first_day_on

),

-- A kind that nobody had in that week counts as small, should it come up later.
kind as (

  select dimension, subgroup from {{ ref("brg_student_subgroup") }} where dimension <> 'all_students'
  union
  select dimension, 'unknown' from {{ source("config", "subgroup") }}

),

several as (

  select dimension from kind group by dimension having bool_or(subgroup not in ('yes', 'no', 'unknown'))

),

counted as (

  select
    enrolled.school_year,
    allowed.dimension,
    coalesce(bridge.subgroup, 'unknown') as subgroup,
    count(*) as students
  from enrolled
  cross join {{ source("config", "subgroup") }} as allowed
  left join {{ ref("brg_student_subgroup") }} as bridge
    on bridge.student_key = enrolled.student_key
    and bridge.dimension = allowed.dimension
    and enrolled.last_day_on between bridge.starts_on and bridge.ends_on
  group by enrolled.school_year, allowed.dimension, coalesce(bridge.subgroup, 'unknown')

),

ranked as (

  select
    first_week.school_year,
    kind.dimension,
    kind.subgroup,
    kind.subgroup = 'unknown' as is_unknown,
    coalesce(counted.students, 0) as students,
    sum(counted.students) over (partition by first_week.school_year, kind.dimension) as students_of_all,
    -- Status that is not known may become so: those few are not counted on.
    coalesce(
      sum(case when kind.subgroup <> 'unknown' then counted.students end) over (
        partition by first_week.school_year, kind.dimension
        order by kind.subgroup <> 'unknown', coalesce(counted.students, 0), kind.subgroup
        rows between unbounded preceding and 1 preceding
      ),
      0
    ) as students_of_smaller
  from first_week
  cross join kind
  inner join several on several.dimension = kind.dimension
  left join counted
    on counted.school_year = first_week.school_year
    and counted.dimension = kind.dimension
    and counted.subgroup = kind.subgroup

),

judged as (

  select
    ranked.*,
    2 * district.minimum_n as enough,
    ranked.is_unknown and ranked.students < greatest(2 * district.minimum_n, 0.02 * ranked.students_of_all) as is_few_unknown
  from ranked
  cross join district

)

select
  school_year,
  dimension,
  subgroup,
  case
    when is_few_unknown or (not is_unknown and students < enough) then 'other_groups'
    -- Where the smaller ones are too few together, they need this one, be it small or not.
    when not is_unknown and students_of_smaller < enough and (
      students_of_smaller > 0
      or bool_or(is_few_unknown and students > 0) over (partition by school_year, dimension)
    ) then 'other_groups'
    else subgroup
  end as shown_as
from judged
