{{ config(materialized="incremental", incremental_strategy="replace_summary_dates") }}
-- As int_event_day_count, for sources that give aggregates: what landed of each date, with what is unknown in it.
select
  engagement._source as source,
  engagement."time" as on_date,
  count(*) as landed_rows,
  count(distinct {{ hash_of("engagement.district_id, engagement.lp_id") }}) as distinct_rows,
  {{ count_where("engagement.engagement_index is null") }} as blank_engagement_rows,
  {{ count_where("engagement.lp_id is null") }} as no_product_rows,
  {{ count_where("product.lp_id is not null") }} as known_product_rows
from {{ source("landing", "learnplatform__engagement") }} as engagement
left join (select distinct lp_id from {{ source("landing", "learnplatform__products") }}) as product
  on product.lp_id = engagement.lp_id
where {{ is_touched_summary_date('engagement."time"') }}
group by engagement._source, engagement."time"
