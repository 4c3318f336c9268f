{{ current_records(
    source("landing", "oneroster__users"),
    ["_source", "sourcedId"],
    version="dateLastModified",
    deleted_when="status = 'tobedeleted'",
    keep_deleted=true
) }}

select
  _source as source,
  sourcedId as sourced_id,
  dateLastModified as date_last_modified,
  enabledUser as is_enabled,
  username,
  email,
  identifier,
  grades,
  primaryOrg_sourcedId as primary_org_sourced_id,
  roles,
  is_deleted,
  deleted_at
from record
