{{ current_records(source("landing", "clever__courses"), ["_source", "id"]) }}

select
  _source as source,
  id,
  name
from record
