with day as (

  select
    on_date,
    week_start_on,
    school_year,
    term,
    is_instructional,
    bool_or(is_instructional) over (partition by school_year, week_start_on) as is_instructional_week
  from {{ source("config", "calendar_day") }}

)

select
  on_date,
  week_start_on,
  is_instructional,
  school_year,
  term,
  case
    when is_instructional_week
      then cast(dense_rank() over (partition by school_year, is_instructional_week order by week_start_on) as integer)
  end as instructional_week
from day
