{{ config(materialized="incremental", incremental_strategy="replace_dates") }}
-- Use that no tool or no person could be named for: counted and shown, never guessed.
with unmatched as (

  select
    on_date,
    coalesce(host, 'unknown') as host,
    case
      when tool_key is null and person_key is null then 'both'
      when tool_key is null then 'unmatched_tool'
      else 'unmatched_person'
    end as reason,
    events,
    case when person_key is not null or identifier_kind in ('email', 'canvas_user') then person_no end as person_no
  from {{ ref("int_usage_person_day") }}
  where exclusion_reason is null
    and (tool_key is null or person_key is null)
    and {{ is_touched_date() }}

)

select
  district.district_id,
  unmatched.on_date,
  unmatched.host,
  unmatched.reason,
  cast(sum(unmatched.events) as bigint) as events,
  count(distinct unmatched.person_no) as persons
from unmatched
cross join {{ source("config", "district") }} as district
group by district.district_id, unmatched.on_date, unmatched.host, unmatched.reason
