{{ current_records(
    source("landing", "canvas__enrollments"),
    ["_source", "id"],
    version="updated_at",
    deleted_when="enrollment_state = 'deleted'"
) }}

select
  _source as source,
  id,
  user_id,
  course_id,
  course_section_id,
  type,
  enrollment_state,
  last_activity_at,
  total_activity_time,
  created_at,
  updated_at
from record
