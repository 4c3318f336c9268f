-- Page views, each delivery of them. A view with a real user behind it is a member of staff looking as a student (a
-- masquerade), and is nobody's use.
select
  id,
  created_at as occurred_at,
  coalesce(user_id, 'unknown') as user_identifier,
  coalesce(url, 'unknown') as address,
  interaction_seconds,
  coalesce(user_request, false) as is_user_request,
  coalesce(participated, false) as is_participation,
  _source as source,
  _landed_at as landed_at,
  _window as landed_window
from {{ source("landing", "canvas__page_views") }}
where real_user_id is null
