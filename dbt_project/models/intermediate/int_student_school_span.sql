-- Non-overlapping spans of a student in a school and a grade.
with chosen as (

  select student_key, school_key, starts_on, ends_on
  from {{ ref("int_student_school_choice") }}
  where is_chosen

),

school_span as (

  {{ merged_spans("chosen", ["student_key", "school_key"]) }}

)

select
  school_span.student_key,
  school_span.school_key,
  grade_span.grade,
  greatest(school_span.starts_on, coalesce(grade_span.starts_on, school_span.starts_on)) as starts_on,
  least(school_span.ends_on, coalesce(grade_span.ends_on, school_span.ends_on)) as ends_on
from school_span
left join {{ ref("int_student_grade_span") }} as grade_span
  on grade_span.student_key = school_span.student_key
  and grade_span.starts_on <= school_span.ends_on
  and grade_span.ends_on >= school_span.starts_on
