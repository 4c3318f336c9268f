-- How much of what each source of use saw could be given to a person and to a tool. Blocked and background requests do not
-- count; what could not be matched is shown on mart_unknown_tool and never guessed.
select
  district.district_id,
  person_day.source,
  cast(sum(person_day.events) as bigint) as events,
  cast(sum(case when person_day.person_key is not null then person_day.events else 0 end) as bigint) as events_matched_person,
  cast(sum(case when person_day.tool_key is not null then person_day.events else 0 end) as bigint) as events_matched_tool,
  cast(
    sum(case when person_day.person_key is not null and person_day.tool_key is not null then person_day.events else 0 end)
    as bigint
  ) as events_matched_both,
  through.data_complete_through
from {{ ref("int_usage_person_day") }} as person_day
cross join {{ source("config", "district") }} as district
left join {{ ref("int_district_through") }} as through on through.district_id = district.district_id
where person_day.exclusion_reason is null
group by district.district_id, person_day.source, through.data_complete_through
