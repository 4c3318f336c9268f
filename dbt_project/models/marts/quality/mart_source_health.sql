-- Where each resource stands: when it was last asked, whether that went well, how much of it is held, how fresh it is. A
-- drop folder takes many kinds of lists: of those that a district has never dropped nothing is said, if it drops others.
with expected as (

  select source, kind, pull_every_minutes from {{ source("config", "source") }}

),

file_seen as (

  select source, resource from {{ source("ops", "landed_file") }}
  union
  select source, resource from {{ source("ops", "quarantine_file") }}

),

last_pull as (

  select
    source,
    resource,
    max(started_at) as last_pull_at,
    max(case when status = 'good' then started_at end) as last_good_pull_at
  from {{ source("ops", "pull") }}
  group by source, resource

),

pull as (

  select last_pull.*
  from (
    select
      last_pull.*,
      file_seen.resource is not null as has_seen_file,
      count(file_seen.resource) over (partition by last_pull.source) as resources_with_files
    from last_pull
    left join file_seen on file_seen.source = last_pull.source and file_seen.resource = last_pull.resource
  ) as last_pull
  inner join expected on expected.source = last_pull.source
  where expected.kind <> 'dropfolder' or last_pull.has_seen_file or last_pull.resources_with_files = 0

),

landed as (

  select source, resource, sum(row_count - deleted_count) as rows_landed
  from {{ source("ops", "landed_file") }}
  where superseded_at is null
  group by source, resource

),

quarantined as (

  select source, resource, sum(row_count) as rows_quarantined
  from {{ source("ops", "quarantine_file") }}
  where superseded_at is null and replayed_at is null
  group by source, resource

),

last_outcome as (

  {{ newest_per_key(
      source("ops", "outcome"), ["source", "resource"], ["id"], where="step in ('pull', 'land', 'replay')"
  ) }}

)

select
  district.district_id,
  expected.source,
  expected.kind,
  coalesce(pull.resource, '*') as resource,
  pull.last_pull_at,
  pull.last_good_pull_at,
  case
    when pull.last_pull_at is null then 'never_pulled'
    else coalesce(last_outcome.status, 'good')
  end as status,
  cast(coalesce(landed.rows_landed, 0) as bigint) as rows_landed,
  cast(coalesce(quarantined.rows_quarantined, 0) as bigint) as rows_quarantined,
  through.data_complete_through,
  pull.last_good_pull_at is null
  or {{ seconds_between("pull.last_good_pull_at", "clock.as_of_at") }} > greatest(
    district.stale_after_hours * 3600, 2 * 60 * expected.pull_every_minutes
  ) as is_stale,
  case when pull.last_pull_at is null then 'This source has not been pulled yet.' else last_outcome.message end as message,
  case
    when pull.last_pull_at is null then 'Run `uptake pull --source` with its name, or start its ingest DAG.'
    else last_outcome.remedy
  end as remedy
from expected
cross join {{ source("config", "district") }} as district
cross join {{ source("config", "clock") }} as clock
left join pull on pull.source = expected.source
left join landed on landed.source = pull.source and landed.resource = pull.resource
left join quarantined on quarantined.source = pull.source and quarantined.resource = pull.resource
left join last_outcome on last_outcome.source = pull.source and last_outcome.resource = pull.resource
left join {{ ref("int_data_through") }} as through
  on through.source = pull.source and through.resource = pull.resource
