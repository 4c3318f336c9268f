{{ current_records(source("landing", "edfi__studentSchoolAssociations"), ["_source", "id"], version="lastModifiedDate", keep_deleted=true) }}

select
  _source as source,
  id,
  studentUniqueId as student_unique_id,
  cast(schoolId as varchar) as school_id,
  schoolYear as school_year,
  entryDate as starts_on,
  exitWithdrawDate as ends_on,
  {{ roster_word("grade", "entryGradeLevel") }} as grade,
  entryGradeLevel as grade_word,
  coalesce(primarySchool, false) as is_primary,
  is_deleted,
  deleted_at
from record
