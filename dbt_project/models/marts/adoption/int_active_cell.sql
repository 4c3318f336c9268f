{{ config(
    materialized="incremental", incremental_strategy="replace_built_weeks", schema="intermediate", contract={"enforced": false}
) }}
-- Which counts of active students may be shown.
with countable as (

  select
    counted.*,
    counted.active as value,
    counted.eligible as ceiling,
    counted.is_eligible_hidden as is_forced
  from {{ ref("int_use_count") }} as counted
  where {{ is_week_to_build("counted.week_start_on") }}

),

suppressed as materialized (

  {{ suppressed_counts("countable", ["week_start_on", "tool_key"], ["week_start_on", "tool_key"]) }}

),

{{ grade_counts("countable", "suppressed", "grade_suppressed") }}

select
  week_start_on, tool_key, org_level, org_key, dimension, subgroup,
  value, is_hidden, is_sensitive, has_end, low, high,
  case when not is_hidden then value end as shown_value
from suppressed

union all

select
  week_start_on, tool_key, 'grade' as org_level, org_key, dimension, subgroup,
  value, is_hidden, is_sensitive, has_end, low, high,
  shown_value
from grade_suppressed
