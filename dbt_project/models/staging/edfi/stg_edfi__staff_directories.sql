{{ current_records(source("landing", "edfi__staffDirectories"), ["_source", "id"], version="lastModifiedDate") }}

select
  _source as source,
  id,
  staffUniqueId as staff_unique_id,
  email,
  lastModifiedDate as date_last_modified
from record
