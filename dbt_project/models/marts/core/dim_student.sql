-- No names, and no e-mail: who a student is stands in the vault, and nowhere else.
with today as (

  select district_id, today_on from {{ source("config", "today") }}

),

latest_span as (

  {{ newest_per_key(ref("int_student_school_span"), ["student_key"], ["starts_on"], where="starts_on <= (select today_on from today)") }}

)

select
  person.person_key as student_key,
  today.district_id,
  coalesce(person.grade, latest_span.grade) as grade,
  coalesce(latest_span.school_key, person.primary_org_key) as school_key,
  coalesce(today.today_on between latest_span.starts_on and latest_span.ends_on, false) and not person.is_deleted as is_enrolled
from {{ ref("int_person") }} as person
cross join today
left join latest_span on latest_span.student_key = person.person_key
where person.person_type = 'student'
