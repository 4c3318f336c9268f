-- People, each once however many rosters know them. One who was deleted everywhere stays: what they did before is still
-- theirs. What rosters say differently is as the first of them has it.
select
  person_key,
  coalesce({{ first_where("person_type", "record_no", "person_type <> 'other'") }}, 'other') as person_type,
  {{ first_where("staff_role", "record_no", "staff_role is not null") }} as staff_role,
  -- Where rosters differ the grade of the moment is that of the student's span: see int_student_grade_span.
  case when count(distinct grade) = 1 then min(grade) end as grade,
  {{ first_where("primary_org_key", "record_no", "primary_org_key is not null") }} as primary_org_key,
  bool_and(is_deleted) as is_deleted
from {{ ref("int_person_record") }}
group by person_key
