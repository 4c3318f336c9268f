-- Google lists the last days of each device, and a day grows until it is over: the last word on it counts.
{{ current_records(
    source("landing", "google_admin__chromeos_device_days"),
    ["deviceId", "date"]
) }}

select
  "deviceId" as device_id,
  "date" as on_date,
  "activeTime" / 60000.0 as active_minutes
from record
