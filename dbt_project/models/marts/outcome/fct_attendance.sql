-- What a roster recorded of a student's attendance on a day. Most districts record absences only: a day without a row is not
-- known to be a day of presence. Of several records of one kind the longest counts.
select
  district.district_id,
  person.person_key as student_key,
  {{ own_or_shared("event.source", "event.school_id") }} as school_key,
  event.on_date,
  coalesce(event.attendance_status, 'unknown') as attendance_status,
  max(event.days) as days
from {{ ref("stg_edfi__student_school_attendance_events") }} as event
inner join {{ ref("int_person_record") }} as person
  on person.source = event.source and person.record_key = event.student_unique_id
cross join {{ source("config", "district") }} as district
group by
  district.district_id,
  person.person_key,
  {{ own_or_shared("event.source", "event.school_id") }},
  event.on_date,
  coalesce(event.attendance_status, 'unknown')
