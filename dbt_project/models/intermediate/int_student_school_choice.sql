-- A student is in one school at a time. Where stints overlap, each stretch of dates goes to the school that the first of the
-- student's rosters has, then to the primary school, then to the one begun last, then to the first key; the rest is kept with
-- is_chosen = false, for the registrar to look at.
with stint as (

  select * from {{ ref("int_student_school_stint") }}

),

boundary as (

  select student_key, starts_on from stint
  union
  select student_key, {{ days_after("ends_on", 1) }} from stint where ends_on < {{ open_end() }}

),

stretch as (

  select
    student_key,
    starts_on,
    coalesce(
      {{ days_after("lead(starts_on) over (partition by student_key order by starts_on)", -1) }}, {{ open_end() }}
    ) as ends_on
  from boundary

)

select
  stretch.student_key,
  stint.school_key,
  stretch.starts_on,
  stretch.ends_on,
  row_number() over (
    partition by stretch.student_key, stretch.starts_on
    order by stint.record_no, stint.is_primary desc, stint.starts_on desc, stint.school_key
  ) = 1 as is_chosen
from stretch
inner join stint
  on stint.student_key = stretch.student_key
  and stint.starts_on <= stretch.starts_on
  and stint.ends_on >= stretch.ends_on
