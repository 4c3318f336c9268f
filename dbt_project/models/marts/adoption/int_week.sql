{{ config(schema="intermediate", contract={"enforced": false}) }}
-- Instructional weeks. A week is complete when every source of use is complete through its last instructional day: leaders
-- see complete weeks only, for two looks at one unfinished week would show by their difference who came in between.
with week as (

  select
    school_year,
    week_start_on,
    min(on_date) as first_day_on,
    max(on_date) as last_day_on,
    row_number() over (partition by school_year order by week_start_on) as week_number
  from {{ ref("dim_date") }}
  where is_instructional
  group by school_year, week_start_on

)

select
  week.*,
  coalesce(week.last_day_on <= through.data_complete_through, false) as is_complete
from week
cross join {{ ref("int_district_through") }} as through
