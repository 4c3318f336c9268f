{{ current_records(
    source("landing", "google_admin__chromeos_devices"),
    ["deviceId"]
) }}

select
  "deviceId" as device_id,
  "annotatedAssetId" as asset_tag,
  "orgUnitPath" as org_unit_path,
  model,
  "osVersion" as os_version,
  status,
  "lastSync" as last_sync_at,
  "lastEnrollmentTime" as last_enrolled_at,
  "autoUpdateExpiration" as updates_end_at
from record
