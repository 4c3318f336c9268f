-- Caliper events, each delivery of them. An actor is known by the identifier that other systems have too, where the sender
-- gives one. The tool is the application that the event happened in, else the address of what was acted on. What no
-- person did (a session that timed out, a grade that a program set) is background.
select
  event_key,
  "eventTime" as occurred_at,
  case
    when actor_sis_id is not null then 'sis_user'
    when actor_email is not null then 'email'
    when actor_canvas_id is not null then 'canvas_user'
    else 'caliper_actor'
  end as identifier_kind,
  coalesce(actor_sis_id, actor_email, actor_canvas_id, actor_id) as identifier,
  coalesce(ed_app, object, 'unknown') as address,
  type as event_type,
  action,
  profile,
  object_type,
  measures,
  coalesce(actor_type, 'Person') <> 'Person' as is_background,
  _source as source,
  _landed_at as landed_at,
  _window as landed_window
from {{ source("landing", "caliper__event") }}
