{{ current_records(
    source("landing", "canvas__users"),
    ["_source", "id"],
    keep_deleted=true
) }}

select
  _source as source,
  id,
  sis_user_id,
  login_id,
  is_deleted
from record
