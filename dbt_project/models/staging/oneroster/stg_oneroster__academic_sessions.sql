{{ current_records(
    source("landing", "oneroster__academicSessions"),
    ["_source", "sourcedId"],
    version="dateLastModified",
    deleted_when="status = 'tobedeleted'"
) }}

select
  _source as source,
  sourcedId as sourced_id,
  dateLastModified as date_last_modified,
  title,
  type,
  startDate as starts_on,
  {{ days_after("endDate", -1) }} as ends_on,
  parent_sourcedId as parent_sourced_id,
  schoolYear as school_year
from record
