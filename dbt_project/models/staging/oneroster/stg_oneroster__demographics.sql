{{ current_records(source("landing", "oneroster__demographics"), ["sourcedId"], version="dateLastModified", deleted_when="status = 'tobedeleted'") }}

select
  {{ demographic_columns() }}
from record
