{{ current_records(
    source("landing", "canvas__terms"),
    ["id"],
    deleted_when="workflow_state = 'deleted'"
) }}

select
  id,
  name,
  start_at,
  end_at,
  sis_term_id
from record
