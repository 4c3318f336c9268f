{{ config(materialized="incremental", incremental_strategy="replace_dates") }}
-- One method of measuring for each row: of those that saw this student, tool and date, the best-ranked one that has
-- minutes. Methods see the same minutes, so they are never added: what the tool itself says comes first, then the LMS's
-- own time, then gaps between events.
with measured as (

  select
    person_key as student_key,
    tool_key,
    on_date,
    is_in_school,
    minutes_method,
    sum(active_micros) as active_micros,
    {%- for minutes in published_idle_gaps() %}
    sum(micros_gap_{{ minutes }}) as micros_gap_{{ minutes }},
    {%- endfor %}
    sum(sessions) as sessions,
    sum(events) as events,
    case
      when sum(active_micros) is null then 0
      when minutes_method = 'lms_interaction' then 2
      else 1
    end as method_rank
  from {{ ref("int_usage_person_day") }}
  where exclusion_reason is null
    and is_student
    and tool_key is not null
    and {{ is_touched_date() }}
  group by person_key, tool_key, on_date, is_in_school, minutes_method

),

reported as (

  -- A report is itself one of the events that were pushed.
  select
    measured.student_key,
    measured.tool_key,
    measured.on_date,
    measured.is_in_school,
    'tool_reported' as minutes_method,
    said.active_micros,
    {%- for minutes in published_idle_gaps() %}
    cast(null as bigint) as micros_gap_{{ minutes }},
    {%- endfor %}
    measured.sessions,
    measured.events,
    3 as method_rank
  from measured
  inner join {{ ref("int_tool_reported_day") }} as said
    on said.person_key = measured.student_key
    and said.tool_key = measured.tool_key
    and said.on_date = measured.on_date
    and said.is_in_school = measured.is_in_school
  where measured.minutes_method = 'event_sessionised'

),

candidate as (

  select * from measured
  union all
  select * from reported

),

best as (

  {{ newest_per_key(
      "candidate", ["student_key", "tool_key", "on_date", "is_in_school"], ["method_rank", "minutes_method"]
  ) }}

)

select
  district.district_id,
  best.student_key,
  best.tool_key,
  best.on_date,
  best.is_in_school,
  cast(best.active_micros as bigint) / 60000000.0 as active_minutes,
  {%- for minutes in published_idle_gaps() %}
  cast(best.micros_gap_{{ minutes }} as bigint) / 60000000.0 as active_minutes_gap_{{ minutes }},
  {%- endfor %}
  best.minutes_method,
  cast(best.sessions as bigint) as sessions,
  cast(best.events as bigint) as events
from best
cross join {{ source("config", "district") }} as district
