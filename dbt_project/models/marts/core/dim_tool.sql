select
  tool_id as tool_key,
  tool_name,
  vendor_name,
  function,
  sector,
  approval_status,
  licensed_grades,
  'catalogue' as tool_source
from {{ source("config", "tool") }}

union all

-- Products that a summary source names. Nobody in this district approved or licensed them.
select
  {{ summary_tool_key("lp_id") }} as tool_key,
  product_name as tool_name,
  provider as vendor_name,
  {{ known_text("primary_function") }} as function,
  {{ known_text("sectors") }} as sector,
  cast(null as varchar) as approval_status,
  cast([] as {{ text_array() }}) as licensed_grades,
  'usage_summary' as tool_source
from {{ ref("stg_learnplatform__products") }}
