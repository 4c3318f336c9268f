-- The results of every check of the last snapshots, newest first; what an auditor reads as the record of the checks.
with recent as (

  select distinct snapshot_id
  from {{ source("ops", "check_result") }}
  order by snapshot_id desc
  limit 30

)

select
  district.district_id,
  result.snapshot_id,
  result.suite,
  result.check_id,
  result.table_name,
  result.column_name,
  result.severity,
  result.is_success,
  result.observed,
  cast(result.unexpected_rows as bigint) as unexpected_rows,
  result.description,
  result.remedy,
  result.checked_at,
  through.data_complete_through
from {{ source("ops", "check_result") }} as result
inner join recent on recent.snapshot_id = result.snapshot_id
cross join {{ source("config", "district") }} as district
left join {{ ref("int_district_through") }} as through on through.district_id = district.district_id
