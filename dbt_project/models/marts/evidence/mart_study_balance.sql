-- How alike the groups of each study were before, covariate by covariate.
select
  district.district_id,
  balance.plan_hash,
  balance.outcome,
  balance.position,
  balance.covariate,
  balance.is_baseline,
  balance.g_before,
  balance.g,
  balance.variance_ratio
from {{ source("ops", "study_balance") }} as balance
cross join {{ source("config", "district") }} as district
inner join {{ source("ops", "study_plan") }} as plan
  on plan.plan_hash = balance.plan_hash and plan.minimum_n >= district.minimum_n
