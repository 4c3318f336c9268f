-- One row for each event, however often it was delivered: a sender that got no answer sends again.
with event as (

  {{ newest_of_repeated(
      ref("base_caliper__event"), ["event_key", "occurred_at"], ["address", "identifier", "action", "landed_at", "landed_window"]
  ) }}

)

select
  event_key,
  occurred_at,
  identifier_kind,
  identifier,
  address,
  event_type,
  action,
  profile,
  object_type,
  measures,
  is_background,
  source
from event
