{{ current_records(
    source("landing", "registers__training_sessions"),
    ["session_id"]
) }}

select
  session_id,
  title,
  tool,
  held_on,
  minutes,
  delivery,
  provider,
  school,
  is_required = 'yes' as is_required,
  places
from record
