-- Parts of the users by amount of use, each beside those without. A description, not an effect.
select
  district.district_id,
  dose.plan_hash,
  dose.outcome,
  dose.position,
  dose.use_from,
  dose.use_to,
  dose.students,
  dose.effect,
  dose.low,
  dose.high,
  dose.suppression_reason
from {{ source("ops", "study_dose") }} as dose
cross join {{ source("config", "district") }} as district
inner join {{ source("ops", "study_plan") }} as plan
  on plan.plan_hash = dose.plan_hash and plan.minimum_n >= district.minimum_n
