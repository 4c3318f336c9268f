{{ current_records(source("landing", "edfi__studentDemographics"), ["_source", "id"], version="lastModifiedDate") }}

select
  _source as source,
  id,
  studentUniqueId as student_unique_id,
  cast(educationOrganizationId as varchar) as education_organization_id,
  sex as gender_word,
  limitedEnglishProficiency as english_learner_word,
  races,
  "economicDisadvantage" as economic_disadvantage_word
from record
