-- Tools that nobody approved or decided on and hosts that are in no catalogue, over the last four weeks and the four before. A host that
-- fewer than n students visited can say much of them, so such hosts are one row together; nor is it told that all but fewer
-- than n students of the district use one.
with district as (

  select * from {{ source("config", "district") }}

),

through as (

  select
    data_complete_through,
    {{ days_after("data_complete_through", -27) }} as recent_from,
    {{ unknown_tool_from("data_complete_through") }} as before_from
  from {{ ref("int_district_through") }}

),

seen as (

  select cast(null as varchar) as tool_key, host, on_date, student_key, events
  from {{ ref("int_unmatched_student_day") }}

  union all

  select fact.tool_key, cast(null as varchar) as host, fact.on_date, fact.student_key, fact.events
  from {{ ref("fct_student_tool_day") }} as fact
  inner join {{ ref("dim_tool") }} as tool on tool.tool_key = fact.tool_key
  where tool.approval_status in ('unapproved', 'known')

),

windowed as (

  select
    seen.*,
    seen.on_date >= through.recent_from as is_recent,
    span.school_key
  from seen
  inner join through on seen.on_date between through.before_from and through.data_complete_through
  left join {{ ref("int_student_school_span") }} as span
    on span.student_key = seen.student_key and seen.on_date between span.starts_on and span.ends_on

),

first_seen as (

  select tool_key, cast(null as varchar) as host, min(on_date) as first_seen_on
  from seen
  where tool_key is not null
  group by tool_key

  union all

  -- By a student or by anybody else who is known.
  select cast(null as varchar), host, min(on_date)
  from {{ ref("fct_unmatched_usage_day") }}
  where reason = 'unmatched_tool'
  group by host

),

counted as (

  select
    tool_key,
    host,
    max(on_date) as last_seen_on,
    sum(case when is_recent then events else 0 end) as events,
    count(distinct case when is_recent then student_key end) as students,
    count(distinct case when is_recent then school_key end) as schools,
    count(distinct case when not is_recent then student_key end) as students_before
  from windowed
  group by tool_key, host

),

enrolled as (

  select count(distinct span.student_key) as students
  from through
  inner join {{ ref("int_student_school_span") }} as span
    on through.data_complete_through between span.starts_on and span.ends_on

),

-- The users of the last four weeks and of the four before are two counts.
users as (

  select
    counted.tool_key,
    true as is_recent,
    counted.students as counted,
    through.recent_from as from_on,
    through.data_complete_through as to_on
  from counted
  cross join through
  union all
  select counted.tool_key, false, counted.students_before, through.before_from, {{ days_after("through.recent_from", -1) }}
  from counted
  cross join through

),

{{ telling_users("users", ["tool_key", "is_recent"], "telling_period") }},

telling as (

  select distinct tool_key from telling_period

),

large as (

  select
    counted.* exclude (students, students_before),
    case
      when enrolled.students - counted.students >= district.minimum_n and telling.tool_key is null then counted.students
    end as students,
    case
      when enrolled.students - counted.students >= district.minimum_n
        and counted.students_before >= district.minimum_n
        and enrolled.students - counted.students_before >= district.minimum_n
        and telling.tool_key is null
        then counted.students_before
    end as students_before,
    case
      when enrolled.students - counted.students < district.minimum_n or telling.tool_key is not null then 'complementary'
      when counted.students_before < district.minimum_n then 'small_count_low'
      when enrolled.students - counted.students_before < district.minimum_n then 'small_count_high'
    end as suppression_reason,
    first_seen.first_seen_on
  from counted
  inner join first_seen
    on first_seen.host is not distinct from counted.host and first_seen.tool_key is not distinct from counted.tool_key
  cross join district
  cross join enrolled
  left join telling on telling.tool_key = counted.tool_key
  where counted.students >= district.minimum_n

),

small as (

  -- As many hosts as it takes; of a single one its name would be all that is hidden.
  select count(*) as hosts
  from counted
  cross join district
  where counted.students < district.minimum_n and counted.tool_key is null
  having count(*) > 1

)

select
  district.district_id,
  coalesce(large.host, address.host) as host,
  large.tool_key,
  coalesce(tool.tool_name, large.host) as tool_name,
  coalesce(tool.approval_status, 'unmatched') as status,
  large.first_seen_on,
  large.last_seen_on,
  cast(large.events as bigint) as events,
  cast(large.students as bigint) as students,
  cast(large.schools as bigint) as schools,
  cast(large.students_before as bigint) as students_previous_4_weeks,
  large.students / cast(large.students_before as double) as growth_ratio,
  large.suppression_reason,
  through.data_complete_through
from large
cross join district
cross join through
left join {{ ref("dim_tool") }} as tool on tool.tool_key = large.tool_key
left join (
  select tool_id as tool_key, min(host) as host from {{ source("config", "tool_address") }} group by tool_id
) as address on address.tool_key = large.tool_key

union all

select
  district.district_id,
  'other hosts' as host,
  cast(null as varchar),
  concat('Other hosts, each with fewer than ', district.minimum_n, ' students'),
  'unmatched',
  cast(null as date),
  cast(null as date),
  cast(null as bigint),
  cast(null as bigint),
  cast(null as bigint),
  cast(null as bigint),
  cast(null as double),
  'fewer_than_n_students',
  through.data_complete_through
from small
cross join district
cross join through
