{{ config(
    materialized="incremental", incremental_strategy="replace_built_weeks", schema="intermediate", contract={"enforced": false}
) }}
-- Which counts of eligible students may be shown. They do not depend on use, so tools with the same grades show and hide the
-- same.
with countable as (

  select
    counted.*,
    counted.eligible as value,
    cast(null as bigint) as ceiling,
    false as is_small_group,
    counted.is_split as is_forced,
    district.minimum_n
  from {{ ref("int_eligible_count") }} as counted
  cross join {{ source("config", "district") }} as district
  where {{ is_week_to_build("counted.week_start_on") }}

),

suppressed as materialized (

  {{ suppressed_counts("countable", ["week_start_on", "grade_set"], ["week_start_on"]) }}

),

every_cell as (

  select
    week_start_on, grade_set, org_level, org_key, dimension, subgroup,
    value as eligible,
    case when not is_hidden then value end as shown_eligible,
    is_hidden, is_sensitive, has_end
  from suppressed

  union all

  -- How many children a grade has is no secret: only a small one is not shown.
  select
    week_start_on, grade_set, org_level, org_key, dimension, subgroup,
    value as eligible,
    case when value >= minimum_n then value end as shown_eligible,
    value < minimum_n as is_hidden, value < minimum_n as is_sensitive, true as has_end
  from countable
  where org_level = 'grade'

)

select
  *,
  -- A group that is listed is known to be there. So a status that nobody knows is not listed, nor is a dimension of which an
  -- organisation can show no group.
  dimension = 'all_students'
  or (
    subgroup <> 'unknown'
    and bool_or(not is_hidden) over (partition by week_start_on, grade_set, org_level, org_key, dimension)
  ) as is_listed
from every_cell
