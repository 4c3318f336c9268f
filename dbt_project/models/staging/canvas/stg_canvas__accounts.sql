{{ current_records(
    source("landing", "canvas__accounts"),
    ["_source", "id"],
    deleted_when="workflow_state = 'deleted'"
) }}

select
  _source as source,
  id,
  name,
  parent_account_id,
  sis_account_id
from record
