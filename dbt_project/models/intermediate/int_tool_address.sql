-- Addresses of the tool catalogue, with the domain that somebody registered for them.
with address as (

  select
    tool_id as tool_key,
    lower(host) as host,
    coalesce(nullif(trim(path_prefix, '/'), ''), '') as path_prefix
  from {{ source("config", "tool_address") }}

)

select
  address.tool_key,
  address.host,
  address.path_prefix,
  registered.registered_domain
from address
inner join ({{ registered_domains("select distinct host from address") }}) as registered on registered.host = address.host
