{{ current_records(
    source("landing", "oneroster__results"),
    ["_source", "sourcedId"],
    version="dateLastModified",
    deleted_when="status = 'tobedeleted'"
) }}

select
  _source as source,
  sourcedId as sourced_id,
  dateLastModified as date_last_modified,
  lineItem_sourcedId as line_item_sourced_id,
  class_sourcedId as class_sourced_id,
  student_sourcedId as student_sourced_id,
  scoreStatus as score_status,
  score,
  scoreDate as score_date
from record
