-- Every landed version of a person's grade: rosters give the grade of today and not since when.
select
  source,
  sourced_id as record_key,
  grade,
  date_last_modified,
  landed_at,
  as_of_at
from {{ ref("stg_oneroster__user_versions") }}

union all

select source, id, grade, date_last_modified, landed_at, as_of_at
from {{ ref("stg_clever__user_versions") }}

union all

-- Ed-Fi says in which grade a student entered a school, and when.
select
  association.source,
  association.student_unique_id,
  association.grade,
  {{ local_midnight("association.starts_on", "district.time_zone") }},
  {{ local_midnight("association.starts_on", "district.time_zone") }},
  {{ local_midnight("association.starts_on", "district.time_zone") }}
from {{ ref("stg_edfi__student_school_associations") }} as association
cross join {{ source("config", "district") }} as district
where not association.is_deleted and association.starts_on is not null
