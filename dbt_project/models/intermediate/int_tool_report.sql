-- Each report in which a tool said how long a student had been on task (Caliper AggregateMeasure, MinutesOnTask), of the
-- dates being rebuilt. Its value is cumulative over its span, which may have no start. A report is true at the end of its
-- span, where it has one that is not in the future, else when it was made; of several at one instant the largest value.
with measure as (

  select
    on_date,
    is_in_school,
    person_key,
    tool_key,
    {{ epoch_micros("occurred_at") }} as reported_micros,
    {{ each_element("measures") }} as measure
  from {{ ref("int_usage_event") }}
  where measures is not null
    and is_qualifying
    and is_student
    and tool_key is not null

),

on_task as (

  select
    on_date,
    is_in_school,
    person_key,
    tool_key,
    reported_micros,
    {{ epoch_micros(field_of("measure", '"startedAtTime"')) }} as started_micros,
    {{ epoch_micros(field_of("measure", '"endedAtTime"')) }} as ended_micros,
    cast(round({{ field_of("measure", '"metricValue"') }} * 60000000) as bigint) as value_micros
  from measure
  where {{ field_of("measure", "metric") }} = 'MinutesOnTask'
    and {{ field_of("measure", '"metricValue"') }} between 0 and 100000000

)

select
  on_date,
  person_key,
  tool_key,
  started_micros,
  case when ended_micros <= reported_micros then ended_micros else reported_micros end as at_micros,
  max(value_micros) as value_micros,
  bool_or(is_in_school) as is_in_school
from on_task
group by
  on_date, person_key, tool_key, started_micros,
  case when ended_micros <= reported_micros then ended_micros else reported_micros end
