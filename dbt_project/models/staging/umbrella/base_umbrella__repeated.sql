{{ config(materialized="table") }}
-- Each delivery, on the dates being rebuilt, of requests that came more than once. Kept, because to find them in millions of rows
-- is the dearest part both of reading each request once and of counting them.
with repeated as materialized (

  {{ repeated_hashes(source("landing", "umbrella__activity"), ["event_key"]) }}

),

delivery as (

  select
    event_key,
    "timestamp" as occurred_at,
    _source as source,
    _row_no as row_no,
    _landed_at as landed_at,
    _window as landed_window
  from {{ source("landing", "umbrella__activity") }}
  where {{ hash_of("event_key") }} in (select key_hash from repeated)

)

-- Different keys may have one hash: each of them has a newest delivery.
select
  event_key,
  occurred_at,
  source,
  row_no,
  row_number() over (
    partition by event_key order by landed_at desc nulls last, landed_window desc nulls last, row_no desc
  ) = 1 as is_newest
from delivery
