-- Use of one product in one reporting district on one day, as the source aggregated it, each delivery. Blank engagement is
-- unknown. A row without a product stays: it is counted on the quality page, and no tool is guessed for it.
select
  district_id,
  "time" as on_date,
  lp_id,
  pct_access,
  engagement_index,
  _source as source,
  _landed_at as landed_at,
  _window as landed_window
from {{ source("landing", "learnplatform__engagement") }}
