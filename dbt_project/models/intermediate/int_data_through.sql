-- Through which local date each source's data is complete. A day is complete when a good pull reached past its last bell;
-- of a source that reports use days later, the latest day that it told of is known, and decides nothing where another source
-- sees use; a source of dropped days is complete through its latest day; a dropped list (a register) is known as of the day on which
-- its newest file was last changed. Sources of events come first: a page of use is as fresh as its slowest source of use.
with pulled as (

  select source, resource, max("until") as through_at
  from {{ source("ops", "pull") }}
  where status = 'good'
  group by source, resource

),

by_pull as (

  select
    pulled.source,
    pulled.resource,
    pulled.resource in ('activity', 'page_views', 'web_logs', {{ pushed_event_resources() }}) as is_usage,
    case
      -- The vendor's own copy of its web log lags by hours, so that a pull after the last bell may not reach it.
      when pulled.resource = 'web_logs'
        then {{ days_after(local_date("pulled.through_at", "district.time_zone"), -1) }}
      when {{ second_of_day(local_time("pulled.through_at", "district.time_zone")) }}
        >= {{ second_of_day("district.school_end") }}
        then {{ local_date("pulled.through_at", "district.time_zone") }}
      else {{ days_after(local_date("pulled.through_at", "district.time_zone"), -1) }}
    end as data_complete_through
  from pulled
  cross join {{ source("config", "district") }} as district
  cross join {{ source("config", "today") }} as today
  inner join {{ source("config", "source") }} as config_source on config_source.source = pulled.source
  where config_source.kind <> 'dropfolder'
    and pulled.resource <> 'app_usage'

),

by_report as (

  -- A lesson has a date and no time, and is not moved by a zone.
  select
    file.source,
    file.resource,
    (select count(*) = 0 from by_pull where is_usage) as is_usage,
    max(
      case
        when file.resource = 'lessons' then {{ local_date("file.event_max", "'UTC'") }}
        else {{ local_date("file.event_max", "district.time_zone") }}
      end
    ) as data_complete_through
  from {{ source("ops", "landed_file") }} as file
  cross join {{ source("config", "district") }} as district
  where file.resource in ('app_usage', 'lessons')
    and file.event_max is not null
    and file.superseded_at is null
  group by file.source, file.resource

),

by_day as (

  select
    usage_source as source,
    'engagement' as resource,
    true as is_usage,
    max(on_date) as data_complete_through
  from {{ ref("fct_tool_usage_summary") }}
  group by usage_source

),

by_list as (

  -- A file server's clock may be ahead, and a simulated district's is another one than the file's: no later than today.
  select
    file.source,
    file.resource,
    least(
      max({{ local_date("file.window_end", "district.time_zone") }}),
      max(today.today_on)
    ) as data_complete_through
  from {{ source("ops", "landed_file") }} as file
  cross join {{ source("config", "district") }} as district
  cross join {{ source("config", "today") }} as today
  inner join {{ source("config", "source") }} as config_source on config_source.source = file.source
  where config_source.kind = 'dropfolder'
    and file.window_mode = 'file'
    and file.window_end is not null
    and file.event_max is null
    and file.superseded_at is null
  group by file.source, file.resource

)

select source, resource, is_usage, false as is_list, data_complete_through from by_pull
union all
select source, resource, is_usage, false, data_complete_through from by_report
union all
select source, resource, is_usage, false, data_complete_through from by_day
union all
select source, resource, false, true, data_complete_through from by_list
