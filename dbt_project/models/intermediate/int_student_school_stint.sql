-- When a student was in a school by their enrolments, before overlaps between schools are settled. record_no: the first of the
-- student's rosters that says so.
with enrollment as (

  select student_key, school_key, record_no, is_primary, starts_on, ends_on from {{ ref("int_enrollment") }}

),

merged as (

  {{ merged_spans("enrollment", ["student_key", "school_key"]) }}

)

select
  merged.student_key,
  merged.school_key,
  merged.starts_on,
  merged.ends_on,
  coalesce(person.primary_org_key = merged.school_key, false) or coalesce(bool_or(enrollment.is_primary), false) as is_primary,
  min(enrollment.record_no) as record_no
from merged
inner join enrollment
  on enrollment.student_key = merged.student_key
  and enrollment.school_key is not distinct from merged.school_key
  and enrollment.starts_on <= merged.ends_on
  and enrollment.ends_on >= merged.starts_on
left join {{ ref("int_person") }} as person on person.person_key = merged.student_key
group by merged.student_key, merged.school_key, merged.starts_on, merged.ends_on, person.primary_org_key
