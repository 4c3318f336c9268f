-- Who is in which class or school, from when to when, the removed enrolments too. Without a class it is one in the school.
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
