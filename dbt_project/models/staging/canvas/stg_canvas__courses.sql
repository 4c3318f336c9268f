{{ current_records(
    source("landing", "canvas__courses"),
    ["_source", "id"],
    deleted_when="workflow_state = 'deleted'"
) }}

select
  _source as source,
  id,
  sis_course_id,
  name,
  course_code,
  enrollment_term_id,
  workflow_state,
  account_id
from record
