{{ current_records(
    source("landing", "registers__contracts"),
    ["contract_id"]
) }}

select
  contract_id,
  tool,
  vendor,
  seats,
  price,
  currency,
  price_basis,
  starts_on,
  ends_on,
  renewal_on,
  licensed_grades,
  notice_days,
  auto_renews = 'yes' as auto_renews
from record
