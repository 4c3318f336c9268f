{{ current_records(
    source("landing", "registers__cost_ingredients"),
    ["ingredient_id"]
) }}

select
  ingredient_id,
  tool,
  ingredient,
  description,
  unit,
  quantity,
  quantity_low,
  quantity_high,
  unit_price,
  unit_price_low,
  unit_price_high,
  currency,
  starts_on,
  ends_on,
  recurs
from record
