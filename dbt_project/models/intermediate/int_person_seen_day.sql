{{ config(materialized="incremental", incremental_strategy="replace_dates") }}
-- Who was seen on which date, as a person or as an identifier that is nobody's yet: a roster that comes later says which
-- dates to make again.
select distinct on_date, person_key, identifier_kind, identifier
from {{ ref("int_usage_person_day") }}
where {{ is_touched_date() }}
