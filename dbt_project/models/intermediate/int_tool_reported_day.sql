-- How long tools say that students used them, on the dates being rebuilt: method `tool_reported`.
--
-- Caliper's minutes on task are cumulative over a span, so what counts is the increase since the report before, in the
-- order of what they speak of and not of their arrival. A value below the one before is a reset: it counts anew from
-- nothing. The first report of a span counts where the span began within the last day, else it only says where counting
-- starts. An increase belongs to the date of its report, and is never more than the time since the last report of any
-- span, nor more than a day: spans that overlap are not added. The report before is looked for in the last
-- {{ report_lookback_days() }} days.
--
-- A statement of xAPI says how long the thing lasted that ended with it. Durations that overlap (a lesson, and each answer
-- in it) are counted once, and what lies before local midnight is not counted, so that a date can be made by itself.
--
-- A tool that tells of each thing that a student finished on a date how long it took (a lesson, without the time of day)
-- counted them itself, one after the other: their sum counts.
--
-- A tool that says several of these says the same twice: the largest counts.
with prior_any as (

  select
    reported.on_date,
    earlier.person_key,
    earlier.tool_key,
    earlier.started_micros,
    earlier.at_micros,
    earlier.value_micros
  from (select distinct on_date, person_key, tool_key from {{ ref("int_tool_report") }}) as reported
  inner join {{ ref("int_tool_report_day") }} as earlier
    on earlier.person_key = reported.person_key
    and earlier.tool_key = reported.tool_key
    and earlier.on_date < reported.on_date
    and earlier.on_date >= {{ days_after("reported.on_date", -report_lookback_days()) }}

),

prior as (

  {{ newest_per_key("prior_any", ["on_date", "person_key", "tool_key", "started_micros"], ["at_micros"]) }}

),

report as (

  select on_date, person_key, tool_key, started_micros, at_micros, value_micros, is_in_school
  from {{ ref("int_tool_report") }}
  union all
  select on_date, person_key, tool_key, started_micros, at_micros, value_micros, cast(null as boolean)
  from prior

),

lined as (

  -- Of reports at one instant the one with the shortest span comes first.
  select
    *,
    lag(value_micros) over (
      partition by on_date, person_key, tool_key, started_micros order by at_micros, case when is_in_school is null then 0 else 1 end
    ) as value_before,
    lag(at_micros) over (
      partition by on_date, person_key, tool_key
      order by at_micros, case when is_in_school is null then 0 else 1 end, started_micros desc nulls last
    ) as at_before
  from report

),

increase as (

  select
    on_date,
    person_key,
    tool_key,
    is_in_school,
    case
      when value_before is null then case when at_micros - started_micros <= 25 * 3600000000 then value_micros end
      when value_micros < value_before then value_micros
      else value_micros - value_before
    end as micros,
    at_micros - coalesce({{ larger_of("at_before", "started_micros") }}, at_before, started_micros) as elapsed_micros
  from lined
  where is_in_school is not null

),

lasted as (

  select
    event.on_date,
    event.person_key,
    event.tool_key,
    event.is_in_school,
    {{ epoch_micros("event.occurred_at") }} as end_micros,
    {{ larger_of(
        epoch_micros("event.occurred_at") ~ " - cast(round(event.duration_seconds * 1000000) as bigint)",
        epoch_micros(local_midnight("event.on_date", "district.time_zone"))
    ) }} as start_micros
  from {{ ref("int_usage_event") }} as event
  cross join {{ source("config", "district") }} as district
  where event.duration_seconds between 0 and 100000000
    and event.is_qualifying
    and event.is_student
    and event.tool_key is not null

),

placed as (

  select
    *,
    max(end_micros) over (
      partition by on_date, person_key, tool_key
      order by start_micros, end_micros
      rows between unbounded preceding and 1 preceding
    ) as end_before
  from lasted

),

channel as (

  select
    on_date,
    person_key,
    tool_key,
    is_in_school,
    'measure' as said_by,
    sum({{ larger_of("0", smaller_of(smaller_of("micros", "elapsed_micros"), "86400000000")) }}) as active_micros
  from increase
  group by on_date, person_key, tool_key, is_in_school

  union all

  select
    on_date,
    person_key,
    tool_key,
    is_in_school,
    'duration',
    sum({{ larger_of("0", "end_micros - coalesce(" ~ larger_of("end_before", "start_micros") ~ ", start_micros)") }})
  from placed
  group by on_date, person_key, tool_key, is_in_school

  union all

  select
    on_date,
    person_key,
    tool_key,
    is_in_school,
    'count',
    sum(cast(round(counted_seconds * 1000000) as bigint))
  from {{ ref("int_usage_event") }}
  where counted_seconds between 0 and 100000000
    and is_qualifying
    and is_student
    and tool_key is not null
  group by on_date, person_key, tool_key, is_in_school

),

said as (

  {{ newest_per_key(
      "channel", ["on_date", "person_key", "tool_key", "is_in_school"], ["active_micros", "said_by"],
      where="active_micros is not null"
  ) }}

)

select
  on_date,
  person_key,
  tool_key,
  is_in_school,
  cast({{ smaller_of("active_micros", "86400000000") }} as bigint) as active_micros
from said
