-- One row for each reporting district, date and product: the last delivery.
with delivered as (

  {{ newest_of_repeated(
      ref("base_learnplatform__engagement"), ["district_id", "on_date", "lp_id"], ["landed_at", "landed_window"]
  ) }}

)

select
  district_id,
  on_date,
  lp_id,
  pct_access,
  engagement_index,
  source
from delivered
