{{ current_records(source("landing", "edfi__sessions"), ["_source", "id"], version="lastModifiedDate") }}

select
  _source as source,
  id,
  cast(schoolId as varchar) as school_id,
  schoolYear as school_year,
  sessionName as session_name,
  beginDate as starts_on,
  endDate as ends_on
from record
