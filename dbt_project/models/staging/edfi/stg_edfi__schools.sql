{{ current_records(source("landing", "edfi__schools"), ["_source", "id"], version="lastModifiedDate") }}

select
  _source as source,
  id,
  cast(schoolId as varchar) as school_id,
  nameOfInstitution as name,
  {{ bare_words("gradeLevels") }} as grade_words
from record
