-- Requests that the filter saw, each delivery of them. An identity may be a user, a device or a network: only a user is a
-- person. Requests that devices make by themselves are known by the filter's own categories.
select
  event_key,
  _row_no as row_no,
  "timestamp" as occurred_at,
  case
    when user_label is not null then 'email'
    when device_label is not null then 'device'
    else 'network'
  end as identifier_kind,
  coalesce(user_label, device_label, network_label, 'unknown') as identifier,
  coalesce(url, domain, 'unknown') as address,
  verdict,
  type as request_type,
  coalesce({{ lists_overlap("categories", background_categories()) }}, false) as is_background,
  _source as source
from {{ source("landing", "umbrella__activity") }}
