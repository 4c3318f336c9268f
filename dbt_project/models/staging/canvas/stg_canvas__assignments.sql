{{ current_records(
    source("landing", "canvas__assignments"),
    ["_source", "id"],
    deleted_when="workflow_state = 'deleted'"
) }}

select
  _source as source,
  id,
  course_id,
  name,
  due_at,
  points_possible
from record
