-- Every landed version of a student's demographics, wherever the data standard keeps them: with the organisation that tells
-- them up to standard 5, by themselves from standard 6 on.
with told as (

  {%- for resource, economic_disadvantage in [
    ("studentEducationOrganizationAssociations", "cast(null as varchar)"),
    ("studentDemographics", '"economicDisadvantage"'),
  ] %}

  select
    _source,
    studentUniqueId,
    educationOrganizationId,
    '{{ resource }}' as told_by,
    sex,
    hispanicLatinoEthnicity,
    races,
    limitedEnglishProficiency,
    hasDisability,
    characteristics,
    {{ economic_disadvantage }} as "economicDisadvantage",
    lastModifiedDate,
    _landed_at,
    _as_of_at
  from {{ source("landing", "edfi__" ~ resource) }}
  where not _deleted
  {{- "

  union all" if not loop.last }}
  {%- endfor %}

)

select
  _source as source,
  studentUniqueId as student_unique_id,
  cast(educationOrganizationId as varchar) as education_organization_id,
  told_by,
  {{ roster_word("gender", "sex") }} as gender,
  hispanicLatinoEthnicity as is_hispanic_or_latino,
  {%- for race in roster_words("race") if race not in ("", "two_or_more_races", "hispanic_or_latino") %}
  {{ has_roster_word("race", bare_words("races"), race) }} as is_{{ race }},
  {%- endfor %}
  {{ has_roster_word("race", bare_words("races"), "two_or_more_races") }} as is_two_or_more_races,
  {{ roster_word("english_learner", "limitedEnglishProficiency") }} as english_learner,
  hasDisability as is_disability,
  {{ roster_word("economic_disadvantage", '"economicDisadvantage"') }} as economic_disadvantage,
  {{ has_period_on("characteristics", "cast(_as_of_at as date)") }} as is_economic_disadvantage,
  lastModifiedDate as date_last_modified,
  _landed_at as landed_at,
  _as_of_at as as_of_at
from told
