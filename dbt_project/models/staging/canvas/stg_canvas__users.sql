{{ current_records(
    source("landing", "canvas__users"),
    ["id"],
    keep_deleted=true
) }}

select
  id,
  sis_user_id,
  login_id,
  is_deleted
from record
