{{ current_records(
    source("landing", "registers__surveys"),
    ["answer_id"]
) }}

select
  answer_id,
  survey_id,
  answered_on,
  respondent,
  respondent_role,
  school,
  grade,
  tool,
  question_id,
  answer,
  scale_low,
  scale_high
from record
