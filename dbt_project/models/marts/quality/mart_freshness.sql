-- How long rows took from their coming in to a page, over the last day of publications, beside the goal. The snapshot that
-- this stands in is not in it: it was not published yet.
with newest as (

  select max(published_at) as published_at from {{ source("ops", "freshness") }}

),

measured as (

  select
    freshness.source,
    freshness.snapshot_id,
    freshness.basis,
    freshness.row_count,
    freshness.published_at,
    ({{ epoch_micros("freshness.published_at") }} - {{ epoch_micros("freshness.since_at") }}) / 1000000.0 as seconds,
    ({{ epoch_micros("freshness.landed_at") }} - {{ epoch_micros("freshness.since_at") }}) / 1000000.0 as seconds_to_landed
  from {{ source("ops", "freshness") }} as freshness
  cross join newest
  where {{ seconds_between("freshness.published_at", "newest.published_at") }} < 86400

),

ordered as (

  select
    *,
    sum(row_count) over (partition by source) as all_rows,
    sum(row_count) over (
      partition by source order by seconds range between unbounded preceding and current row
    ) as rows_so_far
  from measured

),

by_source as (

  select
    source,
    min(basis) as basis,
    count(distinct snapshot_id) as publications,
    sum(row_count) as row_count,
    min(case when rows_so_far >= 0.5 * all_rows then seconds end) as p50_seconds,
    min(case when rows_so_far >= 0.95 * all_rows then seconds end) as p95_seconds,
    max(seconds) as longest_seconds,
    max(seconds_to_landed) as longest_seconds_to_landed,
    max(published_at) as last_published_at
  from ordered
  group by source

)

select
  district.district_id,
  expected.source,
  expected.kind,
  by_source.basis,
  cast(expected.published_within_seconds as bigint) as goal_seconds,
  cast(coalesce(by_source.publications, 0) as bigint) as publications,
  cast(coalesce(by_source.row_count, 0) as bigint) as row_count,
  cast(by_source.p50_seconds as double) as p50_seconds,
  cast(by_source.p95_seconds as double) as p95_seconds,
  cast(by_source.longest_seconds as double) as longest_seconds,
  cast(by_source.longest_seconds_to_landed as double) as longest_seconds_to_landed,
  by_source.last_published_at,
  by_source.p95_seconds <= expected.published_within_seconds as is_within_goal
from {{ source("config", "source") }} as expected
cross join {{ source("config", "district") }} as district
left join by_source on by_source.source = expected.source
