{{ current_records(source("landing", "edfi__studentDirectories"), ["_source", "id"], version="lastModifiedDate") }}

select
  _source as source,
  id,
  studentUniqueId as student_unique_id,
  email,
  lastModifiedDate as date_last_modified
from record
