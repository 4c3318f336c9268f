-- A person's last use of one of Google's apps on a day, each delivery. The app is told by its address, as all use is.
select
  "user" as user_id,
  email,
  coalesce(email, "user") as identifier,
  case when email is not null then 'email' else 'google_user' end as identifier_kind,
  application,
  case application when 'classroom' then 'classroom.google.com' when 'drive' then 'drive.google.com' else 'unknown' end as address,
  used_at as occurred_at,
  _source as source,
  _landed_at as landed_at,
  _window as landed_window
from {{ source("landing", "google_admin__app_usage") }}
