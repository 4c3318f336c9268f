-- Contracts that are paid for and whose tool no student has used for some instructional weeks.
with district as (

  select * from {{ source("config", "district") }}

),

idle as (

  {{ contract_idle(ref("mart_value")) }}

)

select
  value.district_id,
  value.contract_key,
  value.tool_key,
  value.tool_name,
  value.vendor_name,
  value.currency,
  value.cost,
  value.cost_usd,
  value.seats,
  idle.weeks_without_use,
  idle.last_used_on,
  value.renewal_on,
  value.decide_by_on,
  value.data_complete_through
from {{ ref("mart_value") }} as value
cross join district
inner join idle on idle.contract_key = value.contract_key
where value.tool_key is not null
  and value.suppression_reason is distinct from 'no_usage_source'
  and (value.seats > 0 or value.price > 0)
  and idle.weeks_without_use >= district.unused_weeks
