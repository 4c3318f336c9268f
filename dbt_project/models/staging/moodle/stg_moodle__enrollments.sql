{{ current_records(
    source("landing", "moodle__enrollments"),
    ["_source", "course_id", "user_id"]
) }}

select
  _source as source,
  course_id,
  user_id,
  roles,
  lastcourseaccess as last_access_at
from record
