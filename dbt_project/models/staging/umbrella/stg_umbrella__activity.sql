-- One row for each request, however often it was delivered: overlapping pages and windows bring a row again. The key is a
-- hash of the vendor's whole row.
with request as (

  {{ newest_of_repeated(
      ref("base_umbrella__activity"), ["event_key"], ["landed_at", "landed_window"], ref("base_umbrella__repeated_key")
  ) }}

)

select
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
