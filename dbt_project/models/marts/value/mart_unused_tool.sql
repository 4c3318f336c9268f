-- Contracts that are paid for and whose tool no student has used for some instructional weeks.
with district as (

  select * from {{ source("config", "district") }}

),

use as (

  select tool_key, max(on_date) as last_used_on
  from {{ ref("fct_student_tool_day") }}
  group by tool_key

),

idle as (

  -- Complete instructional weeks since the last use, or since the contract began.
  select
    value.contract_key,
    use.last_used_on,
    count(distinct day.week_start_on) as weeks_without_use
  from {{ ref("mart_value") }} as value
  left join use on use.tool_key = value.tool_key
  inner join {{ ref("dim_date") }} as day
    on day.is_instructional
    and day.on_date between value.period_starts_on and value.data_complete_through
    and day.week_start_on > coalesce(use.last_used_on, {{ days_after("value.period_starts_on", -7) }})
    and {{ days_after("day.week_start_on", 4) }} <= value.data_complete_through
  group by value.contract_key, use.last_used_on

)

select
  value.district_id,
  value.contract_key,
  value.tool_key,
  value.tool_name,
  value.vendor_name,
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
  and (value.seats > 0 or value.price_usd > 0)
  and idle.weeks_without_use >= district.unused_weeks
