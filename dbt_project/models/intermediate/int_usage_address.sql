-- Each address seen in the dates being rebuilt, and the tool that it belongs to: the longest path prefix known for its
-- host, else the host, else its registered domain where all catalogue addresses under it are one tool's and one of them
-- is a whole host. What matches nothing stays without a tool. `tool_no` and `host_no` are cheaper keys than text.
with seen as (

  select distinct address from {{ ref("base_umbrella__activity") }}
  union
  select distinct address from {{ ref("base_canvas__page_views") }}
  union
  select distinct address from {{ ref("base_canvas__web_logs") }}
  union
  select distinct address from {{ ref("base_caliper__event") }}
  union
  select distinct address from {{ ref("base_logpush__request") }}
  union
  select distinct address from {{ ref("base_xapi__statement") }}
  union
  select distinct address from {{ ref("base_google_admin__app_usage") }}
  union
  select distinct address from {{ ref("base_iready__lessons") }}

),

parsed as (

  select
    address,
    lower(split_part(address, '/', 1)) as host,
    substring(address from position('/' in concat(address, '/')) + 1) as path
  from seen

),

by_prefix as (

  select
    parsed.address,
    min(known.tool_key) as tool_key,
    count(distinct known.tool_key) as tools,
    length(known.path_prefix) as prefix_length
  from parsed
  inner join {{ ref("int_tool_address") }} as known
    on known.host = parsed.host
    and (known.path_prefix = '' or starts_with(concat(parsed.path, '/'), concat(known.path_prefix, '/')))
  group by parsed.address, length(known.path_prefix)

),

by_address as (

  {{ newest_per_key("by_prefix", ["address"], ["prefix_length"]) }}

),

by_domain as (

  -- Only a domain with one tool: under any other a host that the catalogue does not name may be anybody's. And not where
  -- the tool is a part of a host: what else is there is then not this tool.

  select registered_domain, min(tool_key) as tool_key
  from {{ ref("int_tool_address") }}
  group by registered_domain
  having count(distinct tool_key) = 1 and min(length(path_prefix)) = 0

),

matched as (

  select
    parsed.address,
    parsed.host,
    case
      when by_address.tools = 1 then by_address.tool_key
      when by_address.address is null then by_domain.tool_key
    end as tool_key,
    case
      when by_address.tools = 1 and by_address.prefix_length > 0 then 'path'
      when by_address.tools = 1 then 'host'
      when by_address.tools > 1 then 'ambiguous'
      when by_domain.tool_key is not null then 'registered_domain'
      else 'unmatched'
    end as match_rule
  from parsed
  left join by_address on by_address.address = parsed.address
  left join ({{ registered_domains("select distinct host from parsed") }}) as registered on registered.host = parsed.host
  left join by_domain on by_domain.registered_domain = registered.registered_domain

)

-- Numbers follow the order of the text, so that events at one instant are always taken in the same order.
select
  address,
  host,
  tool_key,
  match_rule,
  case when tool_key is not null then dense_rank() over (order by tool_key) end as tool_no,
  -dense_rank() over (order by host, tool_key) as host_no
from matched
