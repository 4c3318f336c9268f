{{ current_records(source("landing", "edfi__sections"), ["_source", "id"], version="lastModifiedDate", keep_deleted=true) }}

select
  _source as source,
  id,
  cast(schoolId as varchar) as school_id,
  schoolYear as school_year,
  sessionName as session_name,
  localCourseCode as local_course_code,
  sectionIdentifier as section_identifier,
  sectionName as name,
  is_deleted
from record
