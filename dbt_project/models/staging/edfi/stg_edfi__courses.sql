{{ current_records(source("landing", "edfi__courses"), ["_source", "id"], version="lastModifiedDate") }}

select
  _source as source,
  id,
  cast(educationOrganizationId as varchar) as education_organization_id,
  courseCode as course_code,
  courseTitle as title,
  {{ bare_words("offeredGradeLevels") }} as grade_words
from record
