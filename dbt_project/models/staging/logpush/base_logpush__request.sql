-- Requests of web filters, pushed by their vendor or from log files, each delivery of them, whatever the format. An
-- identity may be a person, an account that no one could be found for, or a device; where none is known it is nobody.
select
  'gateway_http' as log_format,
  event_key,
  "Datetime" as occurred_at,
  case when "Email" is not null then 'email' when "DeviceID" is not null then 'device' else 'network' end as identifier_kind,
  coalesce("Email", "DeviceID", 'unknown') as identifier,
  coalesce("URL", "HTTPHost", 'unknown') as address,
  case when lower("Action") like 'block%' then 'blocked' else 'allowed' end as verdict,
  'proxy' as request_type,
  coalesce({{ lists_overlap('"CategoryNames"', cloudflare_background_categories()) }}, false) as is_background,
  _source as source,
  _landed_at as landed_at,
  _window as landed_window
from {{ source("landing", "logpush__gateway_http") }}

union all

select
  'gateway_dns',
  event_key,
  "Datetime",
  case when "Email" is not null then 'email' when "DeviceID" is not null then 'device' else 'network' end,
  coalesce("Email", "DeviceID", 'unknown'),
  coalesce("QueryName", 'unknown'),
  case when lower("ResolverDecision") like 'block%' then 'blocked' else 'allowed' end,
  'dns',
  coalesce({{ lists_overlap('"QueryCategoryNames"', cloudflare_background_categories()) }}, false),
  _source,
  _landed_at,
  _window
from {{ source("landing", "logpush__gateway_dns") }}

union all

select
  'zscaler_web',
  event_key,
  "time",
  case when login is not null then 'email' when device is not null then 'device' else 'network' end,
  coalesce(login, device, 'unknown'),
  coalesce(url, host, 'unknown'),
  case when lower(action) like 'block%' then 'blocked' else 'allowed' end,
  'proxy',
  coalesce(
    urlcat in ('{{ zscaler_background_categories() | join("', '") }}')
    or urlsupercat in ('{{ zscaler_background_categories() | join("', '") }}'),
    false
  ),
  _source,
  _landed_at,
  _window
from {{ source("landing", "logpush__zscaler_web") }}

union all

select
  'web_request',
  event_key,
  "time",
  case when "user" is not null then 'email' when account is not null then 'username' else 'network' end,
  coalesce("user", account, 'unknown'),
  coalesce(url, host, 'unknown'),
  case when {{ is_refusal("action") }} then 'blocked' else 'allowed' end,
  'proxy',
  coalesce({{ lists_overlap("categories", paloalto_background_categories()) }}, false),
  _source,
  _landed_at,
  _window
from {{ source("landing", "logpush__web_request") }}
