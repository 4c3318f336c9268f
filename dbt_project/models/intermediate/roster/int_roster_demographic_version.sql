-- Every landed version of what a roster says of a student's subgroups, in the words of brg_student_subgroup. Not known is
-- NULL, never 'no'.
with edfi_told as (

  select
    version.*,
    agency.local_education_agency_id is not null as is_of_district,
    -- Who marks nobody says nothing of those without a mark.
    bool_or(version.is_disability) over (partition by version.source) as tells_disability,
    bool_or(version.is_economic_disadvantage) over (partition by version.source) as tells_economic_disadvantage
  from {{ ref("stg_edfi__student_demographic_versions") }} as version
  left join {{ ref("stg_edfi__local_education_agencies") }} as agency
    on agency.source = version.source and agency.local_education_agency_id = version.education_organization_id

),

-- Of several organisations that tell of a student one counts: the district first.
edfi_teller as (

  {{ first_per_key(
      "edfi_told",
      ["source", "student_unique_id"],
      ["candidate.told_by", "candidate.is_of_district desc", "candidate.education_organization_id"]
  ) }}

)

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

union all

select
  source,
  id,
  date_last_modified,
  landed_at,
  as_of_at,
  economic_disadvantage,
  {{ yes_no("is_disability") }},
  {{ yes_no("is_english_learner") }},
  case when is_hispanic_or_latino then 'hispanic_or_latino' else race end,
  gender
from {{ ref("stg_clever__user_versions") }}

union all

select
  source,
  student_unique_id,
  date_last_modified,
  landed_at,
  as_of_at,
  coalesce(economic_disadvantage, case when tells_economic_disadvantage then {{ yes_no("is_economic_disadvantage") }} end),
  case when tells_disability then {{ yes_no("is_disability") }} end,
  english_learner,
  {{ race_ethnicity() }},
  gender
from edfi_told
inner join (select source, student_unique_id, told_by, education_organization_id from edfi_teller) as teller
  using (source, student_unique_id, told_by, education_organization_id)
