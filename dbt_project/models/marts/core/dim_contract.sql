-- Tool names on contracts are matched to the catalogue's names and ids as written, apart from case and outer blanks.
with tool as (

  select lower(trim(tool_name)) as called, tool_id as tool_key from {{ source("config", "tool") }}
  union
  select lower(trim(tool_id)), tool_id from {{ source("config", "tool") }}

),

known as (

  select called, min(tool_key) as tool_key from tool group by called having count(distinct tool_key) = 1

)

select
  contract.contract_id as contract_key,
  district.district_id,
  known.tool_key,
  contract.tool as tool_name_on_contract,
  contract.vendor as vendor_name,
  contract.seats,
  case when upper(contract.currency) = 'USD' then cast(contract.price as decimal(18, 2)) end as price_usd,
  contract.price_basis,
  contract.starts_on,
  contract.ends_on,
  contract.renewal_on
from {{ ref("stg_registers__contracts") }} as contract
left join known on known.called = lower(trim(contract.tool))
cross join {{ source("config", "district") }} as district
