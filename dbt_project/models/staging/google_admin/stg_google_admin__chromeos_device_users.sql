{{ current_records(
    source("landing", "google_admin__chromeos_device_users"),
    ["deviceId", "email"]
) }}

select
  "deviceId" as device_id,
  email,
  recency
from record
