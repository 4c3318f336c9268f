{{ config(materialized="incremental", incremental_strategy="replace_dates") }}
-- What landed of each local date, counted from the lake by itself, so that the facts of use can be held against it.
with landed as (

  select
    _source as source,
    'activity' as resource,
    "timestamp" as occurred_at,
    cast(null as varchar) as event_id,
    true as is_counted,
    false as may_repeat
  from {{ source("landing", "umbrella__activity") }}
  where _row_no not in (select row_no from {{ ref("base_umbrella__repeated") }})

  union all

  select
    source,
    'activity' as resource,
    occurred_at,
    event_key as event_id,
    true as is_counted,
    true as may_repeat
  from {{ ref("base_umbrella__repeated") }}

  union all

  select
    _source as source,
    'page_views' as resource,
    created_at as occurred_at,
    cast(id as varchar) as event_id,
    real_user_id is null as is_counted,
    true as may_repeat
  from {{ source("landing", "canvas__page_views") }}

  union all

  select
    _source as source,
    'web_logs' as resource,
    "timestamp" as occurred_at,
    concat(id, ' ', cast("timestamp" as varchar)) as event_id,
    real_user_id is null as is_counted,
    true as may_repeat
  from {{ source("landing", "canvas__web_logs") }}

  union all

  select
    _source as source,
    'event' as resource,
    "eventTime" as occurred_at,
    concat(event_key, ' ', cast("eventTime" as varchar)) as event_id,
    true as is_counted,
    true as may_repeat
  from {{ source("landing", "caliper__event") }}

  union all

  select
    _source as source,
    'statement' as resource,
    "timestamp" as occurred_at,
    concat(id, ' ', cast("timestamp" as varchar)) as event_id,
    true as is_counted,
    true as may_repeat
  from {{ source("landing", "xapi__statement") }}

  union all

  select
    source,
    log_format as resource,
    occurred_at,
    event_key as event_id,
    true as is_counted,
    true as may_repeat
  from {{ ref("base_logpush__request") }}

  union all

  select
    source,
    'app_usage' as resource,
    occurred_at,
    concat(user_id, ' ', application, ' ', cast(occurred_at as varchar)) as event_id,
    true as is_counted,
    true as may_repeat
  from {{ ref("base_google_admin__app_usage") }}

  union all

  select
    source,
    'lessons' as resource,
    occurred_at,
    concat(
      student, ' ', lesson_id, ' ', cast(completed_on as varchar), ' ',
      coalesce(cast(score as varchar), '-'), ' ', coalesce(cast(minutes as varchar), '-')
    ) as event_id,
    true as is_counted,
    true as may_repeat
  from {{ ref("base_iready__lessons") }}

)

select
  landed.source,
  landed.resource,
  quarter.on_date,
  count(*) as landed_rows,
  -- Millions of requests that came once need not be told apart.
  {{ count_where("not landed.may_repeat") }}
    + count(distinct case when landed.may_repeat then landed.event_id end) as distinct_rows,
  count(distinct case when not landed.is_counted then landed.event_id end) as masquerade_rows
from landed
inner join {{ ref("int_local_quarter") }} as quarter
  on quarter.utc_quarter = {{ quarter_hour("landed.occurred_at") }}
group by landed.source, landed.resource, quarter.on_date
