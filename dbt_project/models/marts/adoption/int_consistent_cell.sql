{{ config(
    materialized="incremental", incremental_strategy="replace_built_weeks", schema="intermediate", contract={"enforced": false}
) }}
-- Which counts of consistent students may be shown. Where use is hidden, consistent use is too.
with countable as (

  select
    counted.*,
    counted.consistent as value,
    counted.eligible as ceiling,
    active.is_hidden as is_forced
  from {{ ref("int_use_count") }} as counted
  inner join {{ ref("int_active_cell") }} as active
    using (week_start_on, tool_key, org_level, org_key, dimension, subgroup)
  where {{ is_week_to_build("counted.week_start_on") }} and counted.is_window_full

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
