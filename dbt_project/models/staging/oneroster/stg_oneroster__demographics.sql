{{ current_records(source("landing", "oneroster__demographics"), ["_source", "sourcedId"], version="dateLastModified", deleted_when="status = 'tobedeleted'") }}

select
  {{ demographic_columns() }}
from record
