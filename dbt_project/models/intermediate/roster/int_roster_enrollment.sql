-- Who is in which class or school, from when to when, the removed enrolments too. Without a class it is one in the school.
with clever_stay as (

  -- A student's time in a school, where Clever tells it.
  select
    users.source,
    users.id as user_id,
    {{ field_of("users.stay", "school") }} as school_id,
    {{ field_of("users.stay", "start_date") }} as starts_on,
    {{ field_of("users.stay", "end_date") }} as ends_on,
    users.deleted_at
  from (
    select source, id, {{ each_element("enrollments") }} as stay, deleted_at from {{ ref("stg_clever__users") }}
  ) as users

),

clever_time as (

  select source, user_id, school_id, min(starts_on) as starts_on, max(ends_on) as ends_on
  from clever_stay
  group by source, user_id, school_id

),

edfi_year as (

  select source, school_id, school_year, max(ends_on) as ends_on
  from {{ ref("stg_edfi__sessions") }}
  group by source, school_id, school_year

)

select
  source,
  sourced_id as enrollment_key,
  user_sourced_id as record_key,
  class_sourced_id as class_key,
  school_sourced_id as school_key,
  role,
  is_primary,
  starts_on,
  ends_on,
  deleted_at
from {{ ref("stg_oneroster__enrollments") }}

union all

select
  stay.source,
  concat(stay.user_id, ' ', stay.school_id, ' ', stay.starts_on),
  stay.user_id,
  cast(null as varchar),
  coalesce(school.sis_id, stay.school_id),
  'student',
  false,
  stay.starts_on,
  stay.ends_on,
  stay.deleted_at
from (
  select source, user_id, school_id, starts_on, max(ends_on) as ends_on, max(deleted_at) as deleted_at
  from clever_stay
  where starts_on is not null
  group by source, user_id, school_id, starts_on
) as stay
left join {{ ref("stg_clever__schools") }} as school on school.source = stay.source and school.id = stay.school_id

union all

-- Clever gives a membership no dates: those of its term, and of it no more than the student was in the school.
select
  member.source,
  concat(member.section_id, ' ', member.user_id, ' ', member.role),
  member.user_id,
  coalesce(section.sis_id, member.section_id),
  coalesce(school.sis_id, section.school_id),
  member.role,
  false,
  case when stay.starts_on > term.starts_on or term.starts_on is null then stay.starts_on end,
  case when stay.ends_on < term.ends_on or term.ends_on is null then stay.ends_on end,
  member.deleted_at
from {{ ref("stg_clever__section_members") }} as member
left join {{ ref("stg_clever__sections") }} as section
  on section.source = member.source and section.id = member.section_id
left join {{ ref("stg_clever__schools") }} as school
  on school.source = section.source and school.id = section.school_id
left join {{ ref("stg_clever__terms") }} as term on term.source = section.source and term.id = section.term_id
left join clever_time as stay
  on stay.source = member.source and stay.user_id = member.user_id and stay.school_id = section.school_id

union all

-- An enrolment of a school year that nobody ended is over with that year.
select
  association.source,
  association.id,
  association.student_unique_id,
  cast(null as varchar),
  {{ own_or_shared("association.source", "association.school_id") }},
  'student',
  association.is_primary,
  association.starts_on,
  coalesce(association.ends_on, case when edfi_year.ends_on >= association.starts_on then edfi_year.ends_on end),
  association.deleted_at
from {{ ref("stg_edfi__student_school_associations") }} as association
left join edfi_year
  on edfi_year.source = association.source
  and edfi_year.school_id = association.school_id
  and edfi_year.school_year = association.school_year

union all

select
  source,
  id,
  student_unique_id,
  {{ edfi_class_key() }},
  {{ own_or_shared("source", "school_id") }},
  'student',
  false,
  starts_on,
  ends_on,
  deleted_at
from {{ ref("stg_edfi__student_section_associations") }}
