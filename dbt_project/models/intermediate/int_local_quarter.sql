-- Each quarter hour of the dates being rebuilt: its district-local date, and whether it may be school time. Events are
-- joined to it by whole quarter hours since 1970, so that no event needs a time-zone calculation of its own.
with touched as (

  select
    touched_date.on_date,
    district.time_zone,
    {{ second_of_day("district.school_start") }} as school_start_second,
    {{ second_of_day("district.school_end") }} as school_end_second,
    coalesce(calendar_day.is_instructional, false) as is_instructional,
    {{ quarter_hour(local_midnight("touched_date.on_date", "district.time_zone")) }} as first_quarter,
    {{ quarter_hour(local_midnight(days_after("touched_date.on_date", 1), "district.time_zone")) }} as end_quarter
  from {{ source("landing", "touched_date") }} as touched_date
  cross join {{ source("config", "district") }} as district
  left join {{ source("config", "calendar_day") }} as calendar_day on calendar_day.on_date = touched_date.on_date

),

quarter as (

  select *, {{ whole_numbers("first_quarter", "end_quarter") }} as utc_quarter
  from touched

)

select
  utc_quarter,
  on_date,
  is_instructional,
  school_start_second,
  school_end_second,
  {{ utc_offset_seconds(from_epoch_seconds("utc_quarter * 900"), "time_zone") }} as utc_offset_seconds
from quarter
