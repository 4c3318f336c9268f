{{ current_records(
    source("landing", "google_classroom__students"),
    ["courseId", "userId"],
    keep_deleted=true
) }}

select
  _source as source,
  "courseId" as course_id,
  "userId" as user_id,
  email,
  is_deleted
from record
