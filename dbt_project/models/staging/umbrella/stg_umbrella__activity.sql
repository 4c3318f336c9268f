-- One row for each request that the filter saw. The key is a hash of the whole row, so rows of one key are equal and
-- any of them will do. An identity may be a user, a device or a network: only a user is a person.
with request as (

  {{ any_per_key(
      source("landing", "umbrella__activity"),
      ["event_key"],
      ["timestamp", "identity_type", "user_label", "device_label", "network_label", "verdict", "url", "domain", "type", "_source"]
  ) }}

)

select
  event_key,
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
  _source as source
from request
