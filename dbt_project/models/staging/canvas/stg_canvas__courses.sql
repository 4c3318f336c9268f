{{ current_records(
    source("landing", "canvas__courses"),
    ["id"],
    deleted_when="workflow_state = 'deleted'"
) }}

select
  id,
  sis_course_id,
  name,
  course_code,
  enrollment_term_id,
  workflow_state,
  account_id
from record
