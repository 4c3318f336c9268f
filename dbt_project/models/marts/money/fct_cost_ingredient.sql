-- What a tool costs, ingredient by ingredient (the ingredients method: Levin, McEwan, Belfield, Bowden & Shand, Economic
-- Evaluation in Education, 2018): its licences, and what the register of ingredients says it takes besides.
--
-- An amount is quantity x unit price. Where one of them has a range, the amount has the smallest and the largest product
-- that the two ranges allow; sums of such ends are again the ends of the sum, so that nothing is drawn by chance, and the
-- answer holds whatever the truth inside the ranges is. Without a range a figure is taken as it stands. Ends that stand the
-- wrong way round are taken as the smaller and the larger.
with known as (

  {{ tool_called() }}

),

ranged as (

  select
    entry.*,
    least(quantity, coalesce(quantity_low, quantity), coalesce(quantity_high, quantity)) as least_quantity,
    greatest(quantity, coalesce(quantity_low, quantity), coalesce(quantity_high, quantity)) as most_quantity,
    least(unit_price, coalesce(unit_price_low, unit_price), coalesce(unit_price_high, unit_price)) as least_price,
    greatest(unit_price, coalesce(unit_price_low, unit_price), coalesce(unit_price_high, unit_price)) as most_price
  from {{ ref("stg_registers__cost_ingredients") }} as entry

)

select
  district.district_id,
  concat('register/', ranged.ingredient_id) as ingredient_key,
  known.tool_key,
  trim(ranged.tool) as tool_name_on_register,
  ranged.ingredient,
  ranged.description,
  ranged.unit,
  ranged.quantity,
  ranged.unit_price,
  upper(trim(ranged.currency)) as currency,
  -- Credits (a price below nothing) turn the ends round, so all four products are looked at.
  cast(
    least(least_quantity * least_price, least_quantity * most_price, most_quantity * least_price, most_quantity * most_price)
    as decimal(18, 2)
  ) as cost_low,
  cast(quantity * unit_price as decimal(18, 2)) as cost_likely,
  cast(
    greatest(
      least_quantity * least_price, least_quantity * most_price, most_quantity * least_price, most_quantity * most_price
    ) as decimal(18, 2)
  ) as cost_high,
  ranged.starts_on,
  ranged.ends_on,
  ranged.recurs = 'yearly' as is_recurring
from ranged
left join known on known.called = lower(trim(ranged.tool))
cross join {{ source("config", "district") }} as district

union all

select
  contract.district_id,
  concat('contract/', contract.contract_key),
  contract.tool_key,
  trim(contract.tool_name_on_contract),
  'licence',
  cast(null as varchar),
  cast(null as varchar),
  cast(null as decimal(18, 4)),
  cast(null as decimal(18, 4)),
  contract.currency,
  contract.price,
  contract.price,
  contract.price,
  contract.starts_on,
  contract.ends_on,
  true
from {{ ref("dim_contract") }} as contract
where contract.price is not null
