{{ current_records(
    source("landing", "canvas__sections"),
    ["_source", "id"]
) }}

select
  _source as source,
  id,
  course_id,
  name,
  sis_section_id
from record
