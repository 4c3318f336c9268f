-- Every count that must agree with another, side by side. `expected` is what came in, `actual` what became of it.
with pulled as (

  select
    source,
    resource,
    sum(rows_in) as rows_in,
    sum(rows_out) as rows_out,
    sum(rows_quarantined) as rows_quarantined
  from {{ source("ops", "outcome") }}
  where step in ('land', 'replay') and status <> 'failed'
  group by source, resource

),

ledger as (

  select source, resource, sum(row_count - deleted_count) as rows_landed
  from {{ source("ops", "landed_file") }}
  where superseded_at is null
  group by source, resource

),

event_count as (

  select
    source,
    resource,
    sum(landed_rows) as landed_rows,
    sum(distinct_rows) as distinct_rows,
    sum(masquerade_rows) as masquerade_rows
  from {{ ref("int_event_day_count") }}
  group by source, resource

),

counted as (

  select
    source,
    sum(events) as events,
    sum(excluded_events) as excluded_events,
    sum(matched_events) as matched_events
  from {{ ref("int_usage_day_count") }}
  group by source

),

summary_count as (

  select
    source,
    sum(landed_rows) as landed_rows,
    sum(distinct_rows) as distinct_rows,
    sum(blank_engagement_rows) as blank_engagement_rows,
    sum(no_product_rows) as no_product_rows,
    sum(known_product_rows) as known_product_rows
  from {{ ref("int_summary_day_count") }}
  group by source

),

summary_fact as (

  select
    fact.usage_source as source,
    count(*) as rows,
    {{ count_where("fact.engagement_index is null") }} as blank_engagement_rows,
    {{ count_where("fact.tool_key is null") }} as no_product_rows,
    {{ count_where("tool.tool_key is not null") }} as known_product_rows,
    count(distinct fact.on_date) as dates,
    count(distinct fact.tool_key) as tools,
    count(distinct fact.district_id) as districts
  from {{ ref("fct_tool_usage_summary") }} as fact
  left join {{ ref("dim_tool") }} as tool on tool.tool_key = fact.tool_key
  group by fact.usage_source

),

reporting as (

  select distinct district_id, usage_source as source from {{ ref("fct_tool_usage_summary") }}

),

measured as (

  select
    source,
    resource,
    'pulled = landed + quarantined' as measure,
    rows_in as expected,
    rows_out + rows_quarantined as actual,
    concat('landed ', rows_out, ', quarantined ', rows_quarantined, ', over all pulls') as note
  from pulled

  union all

  select
    ledger.source,
    ledger.resource,
    'held by the ledger = read from the lake',
    ledger.rows_landed,
    coalesce(entity.landed_rows, event.landed_rows, summary.landed_rows),
    'rows of the files that count now'
  from ledger
  left join {{ ref("int_entity_count") }} as entity
    on entity.source = ledger.source and entity.resource = ledger.resource
  left join event_count as event on event.source = ledger.source and event.resource = ledger.resource
  left join summary_count as summary on summary.source = ledger.source and ledger.resource = 'engagement'

  union all

  select
    source,
    resource,
    'landed = staged + older versions + deleted',
    landed_rows,
    -- A record of which only its deletion is held has no landed row.
    staged_rows + (landed_rows - records) + deleted_records,
    concat('staged ', staged_rows, ', older versions ', landed_rows - records, ', deleted ', deleted_records)
  from {{ ref("int_entity_count") }}

  union all

  select
    event.source,
    event.resource,
    'landed = counted + repeated + masquerades',
    event.landed_rows,
    coalesce(counted.events, 0) + (event.landed_rows - event.distinct_rows) + event.masquerade_rows,
    concat(
      'counted ', coalesce(counted.events, 0), ', repeated ', event.landed_rows - event.distinct_rows,
      ', staff looking as a student ', event.masquerade_rows
    )
  from event_count as event
  left join counted on counted.source = event.source

  union all

  select
    'all sources',
    'usage events',
    'counted = matched + unmatched + not counted as use',
    counted.events,
    counted.matched_events + counted.excluded_events + unmatched.events,
    concat(
      'person and tool known ', counted.matched_events, ', one of them unknown ', unmatched.events,
      ', blocked or background ', counted.excluded_events
    )
  from (
    select sum(events) as events, sum(matched_events) as matched_events, sum(excluded_events) as excluded_events
    from counted
    having count(*) > 0
  ) as counted
  cross join (select coalesce(sum(events), 0) as events from {{ ref("fct_unmatched_usage_day") }}) as unmatched

  union all

  select
    'all contracts',
    'money',
    'sum of monthly costs = sum of contract prices (USD)',
    contract.price_usd,
    coalesce(period.cost_usd, 0),
    concat(contract.contracts, ' contracts with a price')
  from (
    select count(*) as contracts, sum(price_usd) as price_usd
    from {{ ref("dim_contract") }}
    where price_usd is not null and ends_on >= starts_on
    having count(*) > 0
  ) as contract
  cross join (select sum(cost_usd) as cost_usd from {{ ref("fct_contract_period") }}) as period

  union all

  select
    summary.source,
    'engagement',
    'landed = counted + repeated',
    summary.landed_rows,
    fact.rows + (summary.landed_rows - summary.distinct_rows),
    concat(
      fact.districts, ' districts, ', fact.dates, ' days, ',
      fact.tools + case when fact.no_product_rows > 0 then 1 else 0 end, ' product ids, a blank one counted as one'
    )
  from summary_count as summary
  left join summary_fact as fact on fact.source = summary.source

  union all

  select
    summary.source, 'engagement', 'blank engagement kept as unknown', summary.blank_engagement_rows,
    fact.blank_engagement_rows, 'never counted as 0'
  from summary_count as summary
  left join summary_fact as fact on fact.source = summary.source

  union all

  select
    summary.source, 'engagement', 'rows without a product id', summary.no_product_rows, fact.no_product_rows,
    'kept; no product is guessed for them'
  from summary_count as summary
  left join summary_fact as fact on fact.source = summary.source

  union all

  select
    summary.source, 'engagement', 'rows matched to a named product', summary.known_product_rows,
    fact.known_product_rows, concat('of ', summary.landed_rows, ' rows')
  from summary_count as summary
  left join summary_fact as fact on fact.source = summary.source

  union all

  select
    reporting.source,
    'districts',
    band.measure,
    count(*),
    {{ count_where("band.is_known") }} + {{ count_where("not band.is_known") }},
    concat(
      'known for ', {{ count_where("band.is_known") }}, ' of ', count(*), ' reporting districts, unknown for ',
      {{ count_where("not band.is_known") }}, '; of all ', max(band.listed), ' listed districts unknown for ',
      max(band.listed_unknown)
    )
  from reporting
  inner join (
    select
      *,
      count(*) over (partition by measure) as listed,
      {{ count_where("not is_known") }} over (partition by measure) as listed_unknown
    from (
      select district_id, 'districts with and without a free or reduced-price meal band' as measure,
        free_reduced_band is not null as is_known
      from {{ ref("dim_district") }}
      union all
      select district_id, 'districts with and without a Black or Hispanic band', black_hispanic_band is not null
      from {{ ref("dim_district") }}
      union all
      select district_id, 'districts with and without a known state', state is not null
      from {{ ref("dim_district") }}
    ) as listed_district
  ) as band on band.district_id = reporting.district_id
  group by reporting.source, band.measure

)

select
  district.district_id,
  measured.source,
  measured.resource,
  measured.measure,
  cast(measured.expected as double) as expected,
  cast(measured.actual as double) as actual,
  cast(measured.actual as double) - cast(measured.expected as double) as difference,
  coalesce(measured.expected = measured.actual, false) as is_reconciled,
  measured.note,
  through.data_complete_through
from measured
cross join {{ source("config", "district") }} as district
left join {{ ref("int_district_through") }} as through on through.district_id = district.district_id
