{{ current_records(source("landing", "edfi__students"), ["_source", "id"], version="lastModifiedDate", keep_deleted=true) }}

select
  _source as source,
  id,
  studentUniqueId as student_unique_id,
  is_deleted
from record
