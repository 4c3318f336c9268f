{{ current_records(
    source("landing", "learnplatform__products"),
    ["lp_id"]
) }}

select
  lp_id,
  url,
  product_name,
  provider,
  sectors,
  primary_function
from record
