-- How much of what each source of use saw could be given to a person and to a tool. Blocked and background requests do not
-- count; what could not be matched is shown on mart_unknown_tool and never guessed.
select
  district.district_id,
  day_count.source,
  cast(sum(day_count.events - day_count.excluded_events) as bigint) as events,
  cast(sum(day_count.person_events) as bigint) as events_matched_person,
  cast(sum(day_count.tool_events) as bigint) as events_matched_tool,
  cast(sum(day_count.matched_events) as bigint) as events_matched_both,
  through.data_complete_through
from {{ ref("int_usage_day_count") }} as day_count
cross join {{ source("config", "district") }} as district
left join {{ ref("int_district_through") }} as through on through.district_id = district.district_id
where day_count.events > day_count.excluded_events
group by district.district_id, day_count.source, through.data_complete_through
