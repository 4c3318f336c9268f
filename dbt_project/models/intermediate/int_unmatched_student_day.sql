{{ config(
    materialized="incremental",
    incremental_strategy="replace_dates",
    post_hook="delete from {{ this }} where on_date < (select " ~ unknown_tool_from("data_complete_through") ~ " from {{ ref('int_district_through') }})"
) }}
-- Which students visited a host that is no known tool's, for as long as mart_unknown_tool looks back.
select
  person_day.on_date,
  person_day.host,
  person_day.person_key as student_key,
  cast(sum(person_day.events) as bigint) as events
from {{ ref("int_usage_person_day") }} as person_day
cross join {{ ref("int_district_through") }} as through
where person_day.exclusion_reason is null
  and person_day.is_student
  and person_day.tool_key is null
  and person_day.host is not null
  and person_day.on_date >= {{ unknown_tool_from("through.data_complete_through") }}
  and {{ is_touched_date("person_day.on_date") }}
group by person_day.on_date, person_day.host, person_day.person_key
