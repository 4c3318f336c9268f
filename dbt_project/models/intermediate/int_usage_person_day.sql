{{ config(materialized="view") }}
-- int_usage_lane_day with who it was, as far as that is known, and at which tool or unmatched host. Facts of use are read from
-- here. A view: names of a million rows cost more to write than to look up.
with person as (

  select
    person_no,
    min(person_key) as person_key,
    min(case when person_key is null then identifier_kind end) as identifier_kind,
    min(case when person_key is null then identifier end) as identifier,
    bool_or(is_student) as is_student
  from {{ ref("int_usage_person") }}
  group by person_no

),

place as (

  select tool_no as place_no, tool_key, cast(null as varchar) as host
  from {{ ref("int_usage_address") }}
  where tool_no is not null
  group by tool_no, tool_key
  union all
  select host_no, tool_key, host
  from {{ ref("int_usage_address") }}
  group by host_no, tool_key, host

)

select
  lane_day.on_date,
  lane_day.source,
  lane_day.minutes_method,
  lane_day.exclusion_reason,
  lane_day.is_in_school,
  lane_day.person_no,
  person.person_key,
  person.is_student,
  person.identifier_kind,
  person.identifier,
  place.tool_key,
  place.host,
  lane_day.active_micros,
  {%- for minutes in published_idle_gaps() %}
  lane_day.micros_gap_{{ minutes }},
  {%- endfor %}
  lane_day.sessions,
  lane_day.events
from {{ ref("int_usage_lane_day") }} as lane_day
inner join person on person.person_no = lane_day.person_no
inner join place on place.place_no = lane_day.place_no
