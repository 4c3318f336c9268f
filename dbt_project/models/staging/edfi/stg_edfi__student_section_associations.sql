{{ current_records(source("landing", "edfi__studentSectionAssociations"), ["_source", "id"], version="lastModifiedDate", keep_deleted=true) }}

select
  _source as source,
  id,
  studentUniqueId as student_unique_id,
  cast(schoolId as varchar) as school_id,
  schoolYear as school_year,
  sessionName as session_name,
  localCourseCode as local_course_code,
  sectionIdentifier as section_identifier,
  beginDate as starts_on,
  endDate as ends_on,
  is_deleted,
  deleted_at
from record
