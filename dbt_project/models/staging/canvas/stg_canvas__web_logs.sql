-- One row for each request: increments of the vendor overlap, and a snapshot brings what was there before.
with request as (

  {{ newest_of_repeated(ref("base_canvas__web_logs"), ["id", "occurred_at"], ["landed_at", "landed_window"]) }}

)

select
  id,
  occurred_at,
  user_identifier,
  address,
  is_background,
  source
from request
