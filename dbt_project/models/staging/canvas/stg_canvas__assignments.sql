{{ current_records(
    source("landing", "canvas__assignments"),
    ["id"],
    deleted_when="workflow_state = 'deleted'"
) }}

select
  id,
  course_id,
  name,
  due_at,
  points_possible
from record
