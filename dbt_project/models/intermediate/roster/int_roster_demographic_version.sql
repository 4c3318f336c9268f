-- Every landed version of what a roster says of a student's subgroups, in the words of brg_student_subgroup. Not known is
-- NULL, never 'no'.
select
  source,
  sourced_id as record_key,
  date_last_modified,
  landed_at,
  as_of_at,
  {{ yes_no("is_economic_disadvantage") }} as economic_disadvantage,
  {{ yes_no("is_disability") }} as disability,
  {{ yes_no("is_english_learner") }} as english_learner,
  {{ race_ethnicity() }} as race_ethnicity,
  case when sex in ('female', 'male', 'other') then sex end as gender
from {{ ref("stg_oneroster__demographic_versions") }}
