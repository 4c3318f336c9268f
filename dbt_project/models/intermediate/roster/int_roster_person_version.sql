-- Every landed version of a person's grade: rosters give the grade of today and not since when.
select
  source,
  sourced_id as record_key,
  grade,
  date_last_modified,
  landed_at,
  as_of_at
from {{ ref("stg_oneroster__user_versions") }}
