{{ current_records(source("landing", "edfi__studentAssessments"), ["_source", "id"], version="lastModifiedDate") }}

select
  _source as source,
  id,
  studentUniqueId as student_unique_id,
  assessmentIdentifier as assessment_identifier,
  schoolYear as school_year,
  administrationDate as administered_at,
  scores
from record
