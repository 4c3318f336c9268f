-- Use of one product in one reporting district on one day, as the source aggregated it. Blank engagement is unknown.
-- A row without a product stays: it is counted on the quality page, and no tool is guessed for it.
with delivered as (

  {{ newest_per_key(
      source("landing", "learnplatform__engagement"), ["district_id", '"time"', "lp_id"], ["_landed_at", "_window"]
  ) }}

)

select
  district_id,
  "time" as on_date,
  lp_id,
  pct_access,
  engagement_index,
  _source as source
from delivered
