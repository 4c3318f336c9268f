{{ config(schema="intermediate", contract={"enforced": false}) }}
-- Which counts of use over the school year may be shown. Where use is hidden, consistent use is too.
with active_countable as (

  select *, active as value, eligible as ceiling, is_eligible_hidden or is_telling as is_forced
  from {{ ref("int_year_count") }}

),

active_cell as materialized (

  {{ suppressed_counts("active_countable", ["tool_key"], ["tool_key"]) }}

),

consistent_countable as materialized (

  select counted.*, counted.consistent as value, counted.eligible as ceiling, active_cell.is_hidden as is_forced
  from {{ ref("int_year_count") }} as counted
  inner join active_cell using (tool_key, org_level, org_key, dimension, subgroup)

),

consistent_cell as materialized (

  {{ suppressed_counts("consistent_countable", ["tool_key"], ["tool_key"]) }}

)

select
  active_cell.tool_key,
  active_cell.org_level,
  active_cell.org_key,
  active_cell.dimension,
  active_cell.subgroup,
  active_cell.value as active,
  active_cell.is_hidden as is_active_hidden,
  consistent_cell.value as consistent,
  consistent_cell.is_hidden as is_consistent_hidden
from active_cell
inner join consistent_cell using (tool_key, org_level, org_key, dimension, subgroup)
