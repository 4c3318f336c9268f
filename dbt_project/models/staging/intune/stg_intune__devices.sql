{{ current_records(
    source("landing", "intune__devices"),
    ["device_id"]
) }}

select
  device_id,
  device_name as asset_tag,
  managed_by,
  ownership,
  compliance,
  os,
  case when os_version <> '0.0.0.0' then os_version end as os_version,
  last_check_in_at,
  primary_user
from record
