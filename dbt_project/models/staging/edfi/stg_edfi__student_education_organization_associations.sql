{{ current_records(source("landing", "edfi__studentEducationOrganizationAssociations"), ["_source", "id"], version="lastModifiedDate") }}

select
  _source as source,
  id,
  studentUniqueId as student_unique_id,
  cast(educationOrganizationId as varchar) as education_organization_id,
  email,
  loginId as login_id,
  lastModifiedDate as date_last_modified,
  sex as gender_word,
  limitedEnglishProficiency as english_learner_word,
  races
from record
