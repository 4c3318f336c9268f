-- Through which local date each source's data is complete. A day is complete when a good pull reached past its last bell;
-- a source of dropped days is complete through its latest day. Sources of events come first: a page of use is as fresh as its
-- slowest source of use.
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
    pulled.resource in ('activity', 'page_views', 'event', 'statement', 'request') as is_usage,
    case
      when {{ second_of_day("cast(timezone(district.time_zone, pulled.through_at) as time)") }}
        >= {{ second_of_day("district.school_end") }}
        then {{ local_date("pulled.through_at", "district.time_zone") }}
      else {{ days_after(local_date("pulled.through_at", "district.time_zone"), -1) }}
    end as data_complete_through
  from pulled
  cross join {{ source("config", "district") }} as district
  inner join {{ source("config", "source") }} as config_source on config_source.source = pulled.source
  where config_source.kind <> 'dropfolder'

),

by_day as (

  select
    usage_source as source,
    'engagement' as resource,
    true as is_usage,
    max(on_date) as data_complete_through
  from {{ ref("fct_tool_usage_summary") }}
  group by usage_source

)

select source, resource, is_usage, data_complete_through from by_pull
union all
select source, resource, is_usage, data_complete_through from by_day
