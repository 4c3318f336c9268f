{{ current_records(source("landing", "clever__section_members"), ["_source", "section", '"user"', "role"], keep_deleted=true) }}

select
  _source as source,
  section as section_id,
  "user" as user_id,
  role,
  is_deleted,
  deleted_at
from record
