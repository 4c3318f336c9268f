{{ current_records(
    source("landing", "registers__coaching_log"),
    ["entry_id"]
) }}

select
  entry_id,
  coached_on,
  coach,
  teacher,
  school,
  tool,
  activity,
  minutes
from record
