{{ current_records(
    source("landing", "google_classroom__courses"),
    ["id"]
) }}

select
  id,
  name,
  section,
  "ownerId" as owner_id,
  "courseState" as course_state,
  "creationTime" as created_at,
  "updateTime" as updated_at
from record
