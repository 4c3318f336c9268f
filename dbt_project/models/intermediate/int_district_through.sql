-- One row: the date that stands beside the district's numbers. The slowest source of use decides; without one, the slowest
-- source there is, but a list that people keep and seldom change (a register) only where there is nothing else; without any,
-- nothing is known.
select
  district.district_id,
  coalesce(
    min(case when through.is_usage then through.data_complete_through end),
    min(case when not through.is_list then through.data_complete_through end),
    min(through.data_complete_through)
  ) as data_complete_through
from {{ source("config", "district") }} as district
left join {{ ref("int_data_through") }} as through on true
group by district.district_id
