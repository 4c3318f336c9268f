-- A page view is delivered again while its interaction time still grows: the last delivery counts. A view with a real
-- user behind it is a member of staff looking as a student (a masquerade), and is nobody's use.
with delivered as (

  {{ newest_per_key(
      source("landing", "canvas__page_views"), ["id", "created_at"], ["_landed_at", "_window"]
  ) }}

)

select
  id,
  created_at as occurred_at,
  user_id as user_identifier,
  url as address,
  interaction_seconds,
  coalesce(user_request, false) as is_user_request,
  participated as is_participation,
  _source as source
from delivered
where real_user_id is null
