{{ current_records(
    source("landing", "oneroster__courses"),
    ["_source", "sourcedId"],
    version="dateLastModified",
    deleted_when="status = 'tobedeleted'"
) }}

select
  _source as source,
  sourcedId as sourced_id,
  dateLastModified as date_last_modified,
  title,
  courseCode as course_code,
  grades,
  subjects,
  org_sourcedId as org_sourced_id
from record
