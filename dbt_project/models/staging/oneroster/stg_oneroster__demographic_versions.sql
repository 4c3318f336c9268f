-- Every landed version of a demographics record: OneRoster gives no dates, so changes of programme status are read
-- from what was landed when (see brg_student_subgroup).
select
  {{ demographic_columns() }},
  _landed_at as landed_at,
  _as_of_at as as_of_at
from {{ source("landing", "oneroster__demographics") }}
where not _deleted and coalesce(status, 'active') <> 'tobedeleted'
