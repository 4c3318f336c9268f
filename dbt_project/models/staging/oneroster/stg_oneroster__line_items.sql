{{ current_records(
    source("landing", "oneroster__lineItems"),
    ["_source", "sourcedId"],
    version="dateLastModified",
    deleted_when="status = 'tobedeleted'"
) }}

select
  _source as source,
  sourcedId as sourced_id,
  dateLastModified as date_last_modified,
  title,
  assignDate as assigned_at,
  dueDate as due_at,
  class_sourcedId as class_sourced_id,
  school_sourcedId as school_sourced_id,
  category_sourcedId as category_sourced_id,
  resultValueMin as score_min,
  resultValueMax as score_max
from record
