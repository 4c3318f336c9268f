{{ current_records(
    source("landing", "moodle__users"),
    ["_source", "id"],
    keep_deleted=true
) }}

select
  _source as source,
  id,
  idnumber as sis_user_id,
  coalesce(email, username_email) as email,
  firstaccess as first_access_at,
  lastaccess as last_access_at,
  is_deleted
from record
