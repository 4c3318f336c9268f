{{ current_records(source("landing", "clever__terms"), ["_source", "id"]) }}

select
  _source as source,
  id,
  name,
  start_date as starts_on,
  end_date as ends_on
from record
