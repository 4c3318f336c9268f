-- One row for each person, app and time of use: a day is delivered again until it is whole.
with used as (

  {{ newest_of_repeated(
      ref("base_google_admin__app_usage"), ["user_id", "application", "occurred_at"], ["landed_at", "landed_window"]
  ) }}

)

select
  user_id,
  email,
  identifier,
  identifier_kind,
  application,
  address,
  occurred_at,
  source
from used
