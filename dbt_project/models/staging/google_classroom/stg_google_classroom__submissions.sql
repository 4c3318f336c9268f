{{ current_records(
    source("landing", "google_classroom__studentSubmissions"),
    ["courseId", "courseWorkId", "id"]
) }}

select
  _source as source,
  "courseId" as course_id,
  "courseWorkId" as course_work_id,
  id,
  "userId" as user_id,
  state,
  late as is_late,
  "assignedGrade" as assigned_grade,
  "creationTime" as created_at,
  "updateTime" as updated_at,
  "turnedInTime" as turned_in_at,
  "gradedTime" as graded_at
from record
