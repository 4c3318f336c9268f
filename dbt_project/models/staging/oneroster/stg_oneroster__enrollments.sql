{{ current_records(
    source("landing", "oneroster__enrollments"),
    ["_source", "sourcedId"],
    version="dateLastModified",
    deleted_when="status = 'tobedeleted'",
    keep_deleted=true
) }}

select
  _source as source,
  sourcedId as sourced_id,
  dateLastModified as date_last_modified,
  role,
  coalesce(lower(cast("primary" as varchar)) = 'true', false) as is_primary,
  beginDate as starts_on,
  {{ days_after("endDate", -1) }} as ends_on,
  user_sourcedId as user_sourced_id,
  class_sourcedId as class_sourced_id,
  school_sourcedId as school_sourced_id,
  is_deleted,
  deleted_at
from record
