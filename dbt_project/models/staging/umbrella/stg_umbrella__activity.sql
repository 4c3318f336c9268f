-- One row for each request, however often it was delivered: overlapping pages and windows bring a row again. The key is a
-- hash of the vendor's whole row.
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
from {{ ref("base_umbrella__activity") }}
where row_no not in (select row_no from {{ ref("base_umbrella__repeated") }} where not is_newest)
