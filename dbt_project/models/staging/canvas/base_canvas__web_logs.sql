-- Requests of the web log, each delivery of them, masquerades left out. A request of a program (the address of Canvas' API) is
-- background unless Canvas itself calls it a participation.
select
  id,
  "timestamp" as occurred_at,
  user_id as user_identifier,
  coalesce(url, 'unknown') as address,
  coalesce(is_api, false) and not coalesce(participated, false) as is_background,
  _source as source,
  _landed_at as landed_at,
  _window as landed_window
from {{ source("landing", "canvas__web_logs") }}
where real_user_id is null
