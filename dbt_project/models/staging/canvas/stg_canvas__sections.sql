{{ current_records(
    source("landing", "canvas__sections"),
    ["id"]
) }}

select
  id,
  course_id,
  name,
  sis_section_id
from record
