{{ current_records(
    source("landing", "moodle__assignments"),
    ["_source", "id"],
    version="timemodified"
) }}

select
  _source as source,
  id,
  course as course_id,
  name,
  allowsubmissionsfromdate as opens_at,
  duedate as due_at,
  case when grade >= 0 then grade end as points_possible,
  timemodified as updated_at
from record
