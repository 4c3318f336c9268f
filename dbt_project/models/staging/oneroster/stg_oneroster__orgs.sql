{{ current_records(
    source("landing", "oneroster__orgs"),
    ["_source", "sourcedId"],
    version="dateLastModified",
    deleted_when="status = 'tobedeleted'"
) }}

select
  _source as source,
  sourcedId as sourced_id,
  dateLastModified as date_last_modified,
  name,
  type,
  identifier,
  parent_sourcedId as parent_sourced_id
from record
