-- Every landed version of a user's grade, for grades that change from one school year to the next.
select
  _source as source,
  sourcedId as sourced_id,
  dateLastModified as date_last_modified,
  {{ element_at("grades", 1) }} as grade,
  _landed_at as landed_at,
  _as_of_at as as_of_at
from {{ source("landing", "oneroster__users") }}
where not _deleted and coalesce(status, 'active') <> 'tobedeleted'
