{{ current_records(
    source("landing", "learnplatform__districts"),
    ["district_id"]
) }}

select
  district_id,
  state,
  locale,
  pct_black_hispanic,
  pct_free_reduced,
  county_connections_ratio,
  pp_total_raw
from record
