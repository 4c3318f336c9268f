{{ current_records(source("landing", "edfi__courseOfferings"), ["_source", "id"], version="lastModifiedDate") }}

select
  _source as source,
  id,
  cast(schoolId as varchar) as school_id,
  schoolYear as school_year,
  sessionName as session_name,
  localCourseCode as local_course_code,
  localCourseTitle as title,
  cast(educationOrganizationId as varchar) as education_organization_id,
  courseCode as course_code
from record
