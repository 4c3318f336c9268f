-- Non-overlapping spans of a student in a class, with the grade that the student was in when the span began.
with enrollment as (

  select student_key, class_key, starts_on, ends_on from {{ ref("int_enrollment") }} where class_key is not null

),

class_span as (

  {{ merged_spans("enrollment", ["student_key", "class_key"]) }}

)

select
  class_span.student_key,
  class_span.class_key,
  class.school_key,
  grade_span.grade,
  class_span.starts_on,
  class_span.ends_on
from class_span
inner join {{ ref("int_roster_class") }} as class on class.class_key = class_span.class_key
left join {{ ref("int_student_grade_span") }} as grade_span
  on grade_span.student_key = class_span.student_key
  and class_span.starts_on between grade_span.starts_on and grade_span.ends_on
