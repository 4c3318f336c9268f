{{ current_records(
    source("landing", "canvas__terms"),
    ["_source", "id"],
    deleted_when="workflow_state = 'deleted'"
) }}

select
  _source as source,
  id,
  name,
  start_at,
  end_at,
  sis_term_id
from record
