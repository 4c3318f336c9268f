{{ current_records(
    source("landing", "registers__device_incidents"),
    ["incident_id"]
) }}

select
  incident_id,
  asset_tag,
  occurred_on,
  incident,
  resolved_on,
  outcome,
  repair_cost,
  currency,
  had_loaner = 'yes' as had_loaner
from record
