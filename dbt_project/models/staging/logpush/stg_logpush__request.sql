-- One row for each request, however often it was delivered: a vendor that got no answer sends its batch again. The key is a
-- hash of the vendor's whole record.
with request as (

  {{ newest_of_repeated(ref("base_logpush__request"), ["event_key"], ["landed_at", "landed_window"]) }}

)

select
  log_format,
  event_key,
  occurred_at,
  identifier_kind,
  identifier,
  address,
  verdict,
  request_type,
  is_background,
  source
from request
