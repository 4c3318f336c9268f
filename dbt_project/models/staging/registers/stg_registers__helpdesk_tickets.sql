{{ current_records(
    source("landing", "registers__helpdesk_tickets"),
    ["ticket_id"]
) }}

select
  ticket_id,
  opened_on,
  resolved_on,
  status,
  priority,
  category,
  tool,
  asset_tag,
  requester,
  requester_role,
  school,
  minutes_spent
from record
