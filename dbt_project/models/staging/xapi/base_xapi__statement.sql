-- xAPI statements, each delivery of them. The tool is where the activity is, else the system that knows the actor. What a
-- group did is nobody's use in particular; a statement about another one (StatementRef) or about a plan (SubStatement) is
-- none at all.
select
  id as statement_id,
  "timestamp" as occurred_at,
  case
    when actor_sis_id is not null then 'sis_user'
    when actor_email is not null then 'email'
    when actor_canvas_id is not null then 'canvas_user'
    else 'xapi_actor'
  end as identifier_kind,
  coalesce(actor_sis_id, actor_email, actor_canvas_id, actor_id) as identifier,
  coalesce(activity, actor_home, 'unknown') as address,
  verb,
  object_type,
  duration_seconds,
  success,
  completion,
  score_scaled,
  coalesce(actor_type, 'Agent') <> 'Agent' or object_type in ('StatementRef', 'SubStatement') as is_background,
  _source as source,
  _landed_at as landed_at,
  _window as landed_window
from {{ source("landing", "xapi__statement") }}
