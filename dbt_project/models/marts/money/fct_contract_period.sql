-- A contract's price, spread over its months so that the months add up to it to the cent.
--
-- The price is first parted over the contract's years (twelve months from its start) by their days, then within a year by
-- days with instruction, or by plain days in a year for which the school calendar knows none.
with day as (

  select contract_key, starts_on, price, {{ each_date("starts_on", "ends_on") }} as on_date
  from {{ ref("dim_contract") }}
  where price is not null and ends_on >= starts_on

),

month_of_year as (

  select
    day.contract_key,
    cast(max(day.price) * 100 as bigint) as price_cents,
    {{ whole_years_between("day.starts_on", "day.on_date") }} as contract_year,
    {{ month_start("day.on_date") }} as month_starts_on,
    count(*) as days,
    {{ count_where("calendar_day.is_instructional") }} as instructional_days
  from day
  left join {{ source("config", "calendar_day") }} as calendar_day on calendar_day.on_date = day.on_date
  group by
    day.contract_key, {{ whole_years_between("day.starts_on", "day.on_date") }}, {{ month_start("day.on_date") }}

),

contract_year as (

  select
    contract_key,
    contract_year,
    max(price_cents) as price_cents,
    sum(days) as days,
    sum(instructional_days) as instructional_days
  from month_of_year
  group by contract_key, contract_year

),

year_price as (

  {{ largest_remainder("contract_year", ["contract_key"], "price_cents", "days", "contract_year") }}

),

weighed as (

  select
    month_of_year.contract_key,
    month_of_year.contract_year,
    month_of_year.month_starts_on,
    month_of_year.instructional_days,
    year_price.part as year_cents,
    case
      when year_price.instructional_days > 0 then month_of_year.instructional_days else month_of_year.days
    end as weight
  from month_of_year
  inner join year_price
    on year_price.contract_key = month_of_year.contract_key
    and year_price.contract_year = month_of_year.contract_year

),

month_price as (

  {{ largest_remainder("weighed", ["contract_key", "contract_year"], "year_cents", "weight", "month_starts_on") }}

)

select
  contract.district_id,
  month_price.contract_key,
  contract.tool_key,
  month_price.month_starts_on,
  cast(sum(month_price.instructional_days) as integer) as instructional_days,
  contract.currency,
  cast(sum(month_price.part) * cast(0.01 as decimal(3, 2)) as decimal(18, 2)) as cost,
  case
    when contract.currency = 'USD' then cast(sum(month_price.part) * cast(0.01 as decimal(3, 2)) as decimal(18, 2))
  end as cost_usd
from month_price
inner join {{ ref("dim_contract") }} as contract on contract.contract_key = month_price.contract_key
group by contract.district_id, month_price.contract_key, contract.tool_key, contract.currency, month_price.month_starts_on
