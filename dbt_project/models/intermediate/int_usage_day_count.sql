{{ config(materialized="incremental", incremental_strategy="replace_dates") }}
-- How many events of each date and source could be given to a person and to a tool, and how many do not count as use.
select
  on_date,
  source,
  cast(sum(events) as bigint) as events,
  cast(sum(case when exclusion_reason is not null then events else 0 end) as bigint) as excluded_events,
  cast(sum(case when exclusion_reason is null and person_key is not null then events else 0 end) as bigint) as person_events,
  cast(sum(case when exclusion_reason is null and tool_key is not null then events else 0 end) as bigint) as tool_events,
  cast(
    sum(case when exclusion_reason is null and person_key is not null and tool_key is not null then events else 0 end) as bigint
  ) as matched_events
from {{ ref("int_usage_person_day") }}
where {{ is_touched_date() }}
group by on_date, source
