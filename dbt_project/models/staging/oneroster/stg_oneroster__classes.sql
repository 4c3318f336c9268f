{{ current_records(
    source("landing", "oneroster__classes"),
    ["_source", "sourcedId"],
    version="dateLastModified",
    deleted_when="status = 'tobedeleted'",
    keep_deleted=true
) }}

select
  _source as source,
  sourcedId as sourced_id,
  dateLastModified as date_last_modified,
  title,
  classCode as class_code,
  classType as class_type,
  grades,
  subjects,
  course_sourcedId as course_sourced_id,
  school_sourcedId as school_sourced_id,
  terms as term_sourced_ids,
  is_deleted
from record
