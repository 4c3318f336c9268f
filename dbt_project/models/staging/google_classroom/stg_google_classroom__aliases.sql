{{ current_records(
    source("landing", "google_classroom__aliases"),
    ["courseId", "alias"]
) }}

select
  "courseId" as course_id,
  alias,
  sis_class_id
from record
