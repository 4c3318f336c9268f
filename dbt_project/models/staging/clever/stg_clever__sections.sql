{{ current_records(source("landing", "clever__sections"), ["_source", "id"], version="last_modified", keep_deleted=true) }}

select
  _source as source,
  id,
  name,
  school as school_id,
  course as course_id,
  term_id,
  sis_id,
  {{ roster_word("grade", "grade") }} as grade,
  is_deleted
from record
