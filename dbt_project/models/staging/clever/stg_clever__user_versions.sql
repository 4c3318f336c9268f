-- Every landed version of what is known of a student, for what changes and is given without its dates.
select
  _source as source,
  id,
  last_modified as date_last_modified,
  {{ roster_word("grade", "grade") }} as grade,
  {{ roster_word("gender", "gender") }} as gender,
  {{ roster_word("race", "race") }} as race,
  hispanic_ethnicity as is_hispanic_or_latino,
  ell_status as is_english_learner,
  iep_status as is_disability,
  {{ roster_word("economic_disadvantage", "frl_status") }} as economic_disadvantage,
  _landed_at as landed_at,
  _as_of_at as as_of_at
from {{ source("landing", "clever__users") }}
where not _deleted and {{ list_has("roles", "'student'") }}
