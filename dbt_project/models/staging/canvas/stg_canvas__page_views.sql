-- One row for each page view. It is delivered again while its interaction time still grows: the last delivery counts.
with page_view as (

  {{ newest_of_repeated(ref("base_canvas__page_views"), ["id", "occurred_at"], ["landed_at", "landed_window"]) }}

)

select
  id,
  occurred_at,
  user_identifier,
  address,
  interaction_seconds,
  is_user_request,
  is_participation,
  source
from page_view
