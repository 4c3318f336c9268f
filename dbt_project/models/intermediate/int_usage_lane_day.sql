-- Everything that was seen on the dates being rebuilt, by number of person and place, and why it does not count where it does
-- not. Events are read here once; int_usage_person_day says who and where. It is not kept: most of its rows are of hosts that no
-- question asks for, and each date can be made again from the lake.
--
-- Minutes of a filter: a person's events of a local date in order of time, whatever the tool; the time to the next event
-- belongs to the tool of the earlier one when it is at most the idle gap, else it is idle and counts 0, as the last event
-- of a date does. A session ends where the gap is longer. Nothing crosses local midnight, so a date can be rebuilt alone.
-- Pushed events of a tool (event_sessionised) are measured in the same way, by themselves. Minutes of an LMS are its own
-- interaction time. A name lookup (hour bucket) says in which hours a tool was used, and is never turned into minutes.
--
-- A person's events of one date, method and reason are one lane; a place, its source and the side of the bell are one spot.
-- Both are numbers, and nothing else goes along: millions of events are put in order twice and grouped, and numbers are several
-- times cheaper than text in both.
with source_number as (

  select source, row_number() over (order by source) as source_no
  from {{ source("landing", "source") }}

),

event as (

  select
    {{ lane("event.person_no", "event.on_date", "event.minutes_method", "event.exclusion_reason") }} as lane,
    {{ spot("event.place_no", "source_number.source_no", "event.is_in_school") }} as spot,
    cast(round(event.interaction_seconds * 1000000) as bigint) as interaction_micros,
    {{ epoch_micros("event.occurred_at") }} as at_micros
  from {{ ref("int_usage_event") }} as event
  inner join source_number on source_number.source = event.source

),

timed as (

  select
    *,
    lead(at_micros) over in_lane - at_micros as micros_to_next,
    at_micros - lag(at_micros) over in_lane as micros_since_previous
  from event
  window in_lane as (partition by lane order by at_micros, spot)

),

credited as (

  select
    timed.*,
    case
      when {{ lane_is_of("timed.lane", "lms_interaction") }} then timed.interaction_micros
      when {{ lane_is_of("timed.lane", "hour_bucket") }} then null
      else case when timed.micros_to_next <= idle.gap_micros then timed.micros_to_next else 0 end
    end as active_micros,
    {%- for minutes in published_idle_gaps() %}
    case when not ({{ lane_is_of("timed.lane", "lms_interaction") }} or {{ lane_is_of("timed.lane", "hour_bucket") }}) then
      case when timed.micros_to_next <= {{ minutes * 60000000 }} then timed.micros_to_next else 0 end
    end as micros_gap_{{ minutes }},
    {%- endfor %}
    case
      when {{ lane_is_of("timed.lane", "hour_bucket") }} then timed.at_micros // 3600000000
      else
        -- By range: events that are equal in everything are one session, whichever of them was taken to come first.
        sum(case when timed.micros_since_previous <= idle.gap_micros then 0 else 1 end) over (
          partition by lane order by at_micros, spot
          range between unbounded preceding and current row
        )
    end as session_no
  from timed
  cross join (select idle_gap_minutes * 60000000 as gap_micros from {{ source("config", "district") }}) as idle

),

session as (

  select
    lane,
    spot,
    session_no,
    sum(active_micros) as active_micros,
    {%- for minutes in published_idle_gaps() %}
    sum(micros_gap_{{ minutes }}) as micros_gap_{{ minutes }},
    {%- endfor %}
    count(*) as events
  from credited
  group by lane, spot, session_no

),

lane_day as (

  select
    lane,
    spot,
    sum(active_micros) as active_micros,
    {%- for minutes in published_idle_gaps() %}
    sum(micros_gap_{{ minutes }}) as micros_gap_{{ minutes }},
    {%- endfor %}
    count(*) as sessions,
    sum(events) as events
  from session
  group by lane, spot

)

select
  {{ date_of_lane("lane_day.lane") }} as on_date,
  source_number.source,
  {{ method_of_lane("lane_day.lane") }} as minutes_method,
  {{ exclusion_of_lane("lane_day.lane") }} as exclusion_reason,
  {{ is_in_school_of_spot("lane_day.spot") }} as is_in_school,
  {{ person_no_of_lane("lane_day.lane") }} as person_no,
  {{ place_no_of_spot("lane_day.spot") }} as place_no,
  cast(lane_day.active_micros as bigint) as active_micros,
  {%- for minutes in published_idle_gaps() %}
  cast(lane_day.micros_gap_{{ minutes }} as bigint) as micros_gap_{{ minutes }},
  {%- endfor %}
  cast(lane_day.sessions as bigint) as sessions,
  cast(lane_day.events as bigint) as events
from lane_day
inner join source_number on source_number.source_no = {{ source_no_of_spot("lane_day.spot") }}
