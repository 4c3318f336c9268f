{{ current_records(source("landing", "clever__schools"), ["_source", "id"], version="last_modified") }}

select
  _source as source,
  id,
  name,
  sis_id
from record
