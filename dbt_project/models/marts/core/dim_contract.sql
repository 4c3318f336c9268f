with known as (

  {{ tool_called() }}

)

select
  contract.contract_id as contract_key,
  district.district_id,
  known.tool_key,
  contract.tool as tool_name_on_contract,
  contract.vendor as vendor_name,
  contract.seats,
  upper(trim(contract.currency)) as currency,
  cast(contract.price as decimal(18, 2)) as price,
  case when upper(trim(contract.currency)) = 'USD' then cast(contract.price as decimal(18, 2)) end as price_usd,
  contract.price_basis,
  contract.starts_on,
  contract.ends_on,
  contract.renewal_on,
  contract.notice_days,
  contract.auto_renews
from {{ ref("stg_registers__contracts") }} as contract
left join known on known.called = lower(trim(contract.tool))
cross join {{ source("config", "district") }} as district
