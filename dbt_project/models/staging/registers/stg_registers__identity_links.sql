{{ current_records(
    source("landing", "registers__identity_links"),
    ["link_id"]
) }}

select
  link_id,
  sis_id,
  other_sis_id,
  email,
  other_email,
  username,
  sis_number,
  clever_id,
  canvas_id,
  moodle_id,
  google_id
from record
