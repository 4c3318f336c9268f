{{ config(
    materialized="incremental", incremental_strategy="replace_built_weeks", schema="intermediate", contract={"enforced": false}
) }}
-- Students who used a tool on an instructional day of the week. Minutes are of one method: the one that measured most of them.
with fact as (

  select
    week.week_start_on,
    fact.student_key,
    fact.tool_key,
    fact.minutes_method,
    fact.active_minutes,
    {%- for minutes in published_idle_gaps() %}
    fact.active_minutes_gap_{{ minutes }},
    {%- endfor %}
    fact.on_date
  from {{ ref("fct_student_tool_day") }} as fact
  inner join {{ ref("int_tool_grade_set") }} as tool on tool.tool_key = fact.tool_key
  inner join {{ ref("dim_date") }} as day on day.on_date = fact.on_date and day.is_instructional
  inner join {{ ref("int_week") }} as week on week.week_start_on = day.week_start_on and week.school_year = day.school_year
  cross join {{ source("config", "district") }} as district
  where week.is_complete
    and {{ is_week_to_build("week.week_start_on") }}
    and {{ counts_for_leaders("fact.is_in_school", "district.count_out_of_school") }}

),

by_method as (

  select
    week_start_on,
    student_key,
    tool_key,
    minutes_method,
    sum({{ exact("active_minutes") }}) as active_minutes,
    {%- for minutes in published_idle_gaps() %}
    sum({{ exact("active_minutes_gap_" ~ minutes) }}) as active_minutes_gap_{{ minutes }},
    {%- endfor %}
    coalesce(sum({{ exact("active_minutes") }}), 0) as minutes_for_rank
  from fact
  group by week_start_on, student_key, tool_key, minutes_method

),

best as (

  {{ newest_per_key("by_method", ["week_start_on", "student_key", "tool_key"], ["minutes_for_rank", "minutes_method"]) }}

)

select
  week_start_on,
  student_key,
  tool_key,
  minutes_method,
  active_minutes
  {%- for minutes in published_idle_gaps() %},
  active_minutes_gap_{{ minutes }}
  {%- endfor %}
from best

union all

select distinct
  week_start_on,
  student_key,
  {{ any_tool() }} as tool_key,
  cast(null as varchar) as minutes_method,
  {{ exact("null") }} as active_minutes
  {%- for minutes in published_idle_gaps() %},
  {{ exact("null") }} as active_minutes_gap_{{ minutes }}
  {%- endfor %}
from best
