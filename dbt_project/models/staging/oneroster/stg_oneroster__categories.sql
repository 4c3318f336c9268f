{{ current_records(
    source("landing", "oneroster__categories"),
    ["_source", "sourcedId"],
    version="dateLastModified",
    deleted_when="status = 'tobedeleted'"
) }}

select
  _source as source,
  sourcedId as sourced_id,
  dateLastModified as date_last_modified,
  title,
  weight
from record
