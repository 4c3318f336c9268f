{{ config(materialized="view") }}
-- Devices as each system knows them: the register that people keep, and what the managers of devices say. One device may
-- stand here once for each; its asset tag is the same wherever the district writes it.
select
  'register' as known_by,
  asset_tag as device_key,
  asset_tag,
  device_type,
  model,
  cast(null as varchar) as os,
  cast(null as varchar) as os_version,
  school as place,
  status,
  holder as user_email,
  cast(null as timestamp with time zone) as last_seen_at,
  updates_end_on
from {{ ref("stg_registers__devices") }}

union all

select
  'intune',
  device_id,
  asset_tag,
  cast(null as varchar),
  cast(null as varchar),
  os,
  os_version,
  cast(null as varchar),
  compliance,
  primary_user,
  last_check_in_at,
  cast(null as date)
from {{ ref("stg_intune__devices") }}

union all

-- Of several people who signed in to a Chromebook the last one.
select
  'chromeos',
  device.device_id,
  device.asset_tag,
  cast(null as varchar),
  device.model,
  'ChromeOS',
  device.os_version,
  device.org_unit_path,
  device.status,
  last_user.email,
  device.last_sync_at,
  {{ local_date("device.updates_end_at", "'UTC'") }}
from {{ ref("stg_google_admin__chromeos_devices") }} as device
left join {{ ref("stg_google_admin__chromeos_device_users") }} as last_user
  on last_user.device_id = device.device_id and last_user.recency = 1
