{{ current_records(
    source("landing", "registers__devices"),
    ["asset_tag"]
) }}

select
  asset_tag,
  serial_number,
  device_type,
  model,
  manufacturer,
  school,
  status,
  holder,
  holder_role,
  bought_on,
  price,
  currency,
  warranty_ends_on,
  updates_end_on
from record
