{{ current_records(source("landing", "clever__users"), ["_source", "id"], version="last_modified", keep_deleted=true) }}

select
  _source as source,
  id,
  email,
  roles,
  coalesce(sis_id, staff_sis_id) as sis_id,
  student_number,
  school as school_id,
  {{ roster_word("grade", "grade") }} as grade,
  grade as grade_word,
  gender as gender_word,
  race as race_word,
  frl_status as economic_disadvantage_word,
  enrollments,
  is_deleted,
  deleted_at
from record
