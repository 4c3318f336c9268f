{{ current_records(
    source("landing", "moodle__enrollments"),
    ["course_id", "user_id"]
) }}

select
  course_id,
  user_id,
  roles,
  lastcourseaccess as last_access_at
from record
