{{ current_records(
    source("landing", "canvas__accounts"),
    ["id"],
    deleted_when="workflow_state = 'deleted'"
) }}

select
  id,
  name,
  parent_account_id,
  sis_account_id
from record
