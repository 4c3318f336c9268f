{{ current_records(
    source("landing", "google_classroom__courseWork"),
    ["courseId", "id"]
) }}

select
  "courseId" as course_id,
  id,
  title,
  "workType" as work_type,
  state,
  "maxPoints" as max_points,
  "dueDate" as due_on,
  "creationTime" as created_at,
  "updateTime" as updated_at
from record
