{{ config(materialized="view") }}
-- One row for each event of the dates being rebuilt, whatever saw it. Read from the lake: events are not kept here.
with event as (

  select
    occurred_at,
    identifier_kind,
    identifier,
    address,
    source,
    case when request_type = 'dns' then 'hour_bucket' else 'filter_sessionised' end as minutes_method,
    cast(null as double) as interaction_seconds,
    {{ no_reported_measures() }} as measures,
    cast(null as double) as duration_seconds,
    cast(null as double) as counted_seconds,
    case when verdict = 'blocked' then 'blocked' when is_background then 'background' end as exclusion_reason
  from {{ ref("stg_umbrella__activity") }}

  union all

  select
    occurred_at,
    'canvas_user' as identifier_kind,
    user_identifier as identifier,
    address,
    source,
    'lms_interaction' as minutes_method,
    interaction_seconds,
    {{ no_reported_measures() }} as measures,
    cast(null as double) as duration_seconds,
    cast(null as double) as counted_seconds,
    case when not is_user_request then 'background' end as exclusion_reason
  from {{ ref("stg_canvas__page_views") }}

  union all

  select
    occurred_at,
    'canvas_user' as identifier_kind,
    user_identifier as identifier,
    address,
    source,
    'event_sessionised' as minutes_method,
    cast(null as double) as interaction_seconds,
    {{ no_reported_measures() }} as measures,
    cast(null as double) as duration_seconds,
    cast(null as double) as counted_seconds,
    case when is_background then 'background' end as exclusion_reason
  from {{ ref("stg_canvas__web_logs") }}

  union all

  select
    occurred_at,
    identifier_kind,
    identifier,
    address,
    source,
    'event_sessionised' as minutes_method,
    cast(null as double) as interaction_seconds,
    measures,
    cast(null as double) as duration_seconds,
    cast(null as double) as counted_seconds,
    case when is_background then 'background' end as exclusion_reason
  from {{ ref("stg_caliper__event") }}

  union all

  select
    occurred_at,
    identifier_kind,
    identifier,
    address,
    source,
    'event_sessionised' as minutes_method,
    cast(null as double) as interaction_seconds,
    {{ no_reported_measures() }} as measures,
    duration_seconds,
    cast(null as double) as counted_seconds,
    case when is_voided then 'voided' when is_background then 'background' end as exclusion_reason
  from {{ ref("stg_xapi__statement") }}

  union all

  select
    occurred_at,
    identifier_kind,
    identifier,
    address,
    source,
    case when request_type = 'dns' then 'hour_bucket' else 'filter_sessionised' end as minutes_method,
    cast(null as double) as interaction_seconds,
    {{ no_reported_measures() }} as measures,
    cast(null as double) as duration_seconds,
    cast(null as double) as counted_seconds,
    case when verdict = 'blocked' then 'blocked' when is_background then 'background' end as exclusion_reason
  from {{ ref("stg_logpush__request") }}

  union all

  -- What Google reports is that a person used an app in that hour, and no more.
  select
    occurred_at,
    identifier_kind,
    identifier,
    address,
    source,
    'hour_bucket' as minutes_method,
    cast(null as double) as interaction_seconds,
    {{ no_reported_measures() }} as measures,
    cast(null as double) as duration_seconds,
    cast(null as double) as counted_seconds,
    cast(null as varchar) as exclusion_reason
  from {{ ref("stg_google_admin__app_usage") }}

  union all

  select
    occurred_at,
    'sis_number' as identifier_kind,
    student as identifier,
    address,
    source,
    case when minutes is null then 'hour_bucket' else 'event_sessionised' end as minutes_method,
    cast(null as double) as interaction_seconds,
    {{ no_reported_measures() }} as measures,
    cast(null as double) as duration_seconds,
    minutes * 60 as counted_seconds,
    cast(null as varchar) as exclusion_reason
  from {{ ref("stg_iready__lessons") }}

)

select
  event.occurred_at,
  quarter.on_date,
  quarter.is_instructional
    and ({{ epoch_micros("event.occurred_at") }} // 1000000 + quarter.utc_offset_seconds) % 86400 >= quarter.school_start_second
    and ({{ epoch_micros("event.occurred_at") }} // 1000000 + quarter.utc_offset_seconds) % 86400 < quarter.school_end_second
    as is_in_school,
  person.person_no,
  person.identifier_kind,
  person.identifier,
  person.person_key,
  person.is_student,
  case when person.person_key is null or address.tool_key is null then address.host_no else address.tool_no end as place_no,
  address.tool_key,
  address.host,
  event.source,
  event.minutes_method,
  event.interaction_seconds,
  event.measures,
  event.duration_seconds,
  event.counted_seconds,
  event.exclusion_reason is null as is_qualifying,
  event.exclusion_reason
from event
inner join {{ ref("int_local_quarter") }} as quarter
  on quarter.utc_quarter = {{ quarter_hour("event.occurred_at") }}
inner join {{ ref("int_usage_person") }} as person
  on person.identifier_kind = event.identifier_kind and person.identifier = event.identifier
inner join {{ ref("int_usage_address") }} as address on address.address = event.address
