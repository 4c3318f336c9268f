{{ current_records(
    source("landing", "registers__training_attendance"),
    ["attendance_id"]
) }}

select
  attendance_id,
  session_id,
  staff,
  status,
  minutes_attended,
  has_completed = 'yes' as has_completed,
  rating
from record
