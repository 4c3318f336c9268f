-- Rows that broke their contract and are not back yet, and those that were replayed; by reason.
select
  district.district_id,
  quarantine.source,
  quarantine.resource,
  quarantine.reason,
  quarantine.column_name,
  cast(sum(case when quarantine.replayed_at is null then quarantine.row_count else 0 end) as bigint) as rows,
  min(quarantine.quarantined_at) as first_at,
  max(quarantine.quarantined_at) as last_at,
  cast(sum(coalesce(quarantine.replayed_rows, 0)) as bigint) as replayed_rows,
  through.data_complete_through
from {{ source("ops", "quarantine_file") }} as quarantine
cross join {{ source("config", "district") }} as district
left join {{ ref("int_district_through") }} as through on through.district_id = district.district_id
where quarantine.superseded_at is null
group by
  district.district_id,
  quarantine.source,
  quarantine.resource,
  quarantine.reason,
  quarantine.column_name,
  through.data_complete_through
