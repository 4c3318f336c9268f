{{ current_records(
    source("landing", "canvas__submissions"),
    ["_source", "id"],
    deleted_when="workflow_state = 'deleted'"
) }}

select
  _source as source,
  id,
  assignment_id,
  user_id,
  course_id,
  score,
  submitted_at,
  graded_at,
  workflow_state,
  late as is_late,
  missing as is_missing
from record
