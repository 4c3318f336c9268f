{{ current_records(
    source("landing", "oneroster__categories"),
    ["sourcedId"],
    version="dateLastModified",
    deleted_when="status = 'tobedeleted'"
) }}

select
  sourcedId as sourced_id,
  dateLastModified as date_last_modified,
  title,
  weight
from record
