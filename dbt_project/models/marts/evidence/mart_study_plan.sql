-- Every study on record, also those that have not run; `is_shown` where its smallest group is not smaller than the district's.
select
  district.district_id,
  plan.plan_hash,
  plan.tool_key,
  plan.tool_name,
  plan.question,
  plan.design,
  plan.outcomes,
  plan.use_measure,
  plan.meaningful_g,
  plan.confidence,
  plan.use_starts_on,
  plan.use_ends_on,
  plan.outcome_starts_on,
  plan.outcome_ends_on,
  plan.planned_at,
  plan.minimum_n >= district.minimum_n as is_shown
from {{ source("ops", "study_plan") }} as plan
cross join {{ source("config", "district") }} as district
