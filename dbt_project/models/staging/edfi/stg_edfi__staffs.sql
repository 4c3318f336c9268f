{{ current_records(source("landing", "edfi__staffs"), ["_source", "id"], version="lastModifiedDate", keep_deleted=true) }}

select
  _source as source,
  id,
  staffUniqueId as staff_unique_id,
  email,
  loginId as login_id,
  lastModifiedDate as date_last_modified,
  is_deleted
from record
