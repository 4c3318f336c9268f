-- When a student was in a school by their class enrolments, before overlaps between schools are settled.
with enrollment as (

  select student_key, school_key, is_primary, starts_on, ends_on from {{ ref("int_enrollment") }}

),

merged as (

  {{ merged_spans("enrollment", ["student_key", "school_key"]) }}

)

select
  merged.student_key,
  merged.school_key,
  merged.starts_on,
  merged.ends_on,
  coalesce(person.primary_org_key = merged.school_key, false)
    or exists (
      select 1 from enrollment
      where enrollment.student_key = merged.student_key
        and enrollment.school_key = merged.school_key
        and enrollment.is_primary
        and enrollment.starts_on <= merged.ends_on
        and enrollment.ends_on >= merged.starts_on
    ) as is_primary
from merged
left join {{ ref("int_person") }} as person on person.person_key = merged.student_key
