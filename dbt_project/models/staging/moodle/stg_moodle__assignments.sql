{{ current_records(
    source("landing", "moodle__assignments"),
    ["id"],
    version="timemodified"
) }}

select
  id,
  course as course_id,
  name,
  allowsubmissionsfromdate as opens_at,
  duedate as due_at,
  case when grade >= 0 then grade end as points_possible,
  timemodified as updated_at
from record
