-- Every estimate of those studies: the study's own, the plain comparison, other ways, subgroups.
select
  district.district_id,
  estimate.plan_hash,
  estimate.outcome,
  estimate.role,
  estimate.estimate,
  estimate.effect,
  estimate.se,
  estimate.df,
  estimate.low,
  estimate.high,
  estimate.p,
  estimate.p_adjusted,
  estimate.g,
  estimate.g_low,
  estimate.g_high,
  estimate.percentile_points,
  estimate.probability_above_zero,
  estimate.probability_meaningful,
  estimate.minimum_detectable_g,
  estimate.students_with,
  estimate.students_without,
  estimate.suppression_reason
from {{ source("ops", "study_estimate") }} as estimate
cross join {{ source("config", "district") }} as district
inner join {{ source("ops", "study_plan") }} as plan
  on plan.plan_hash = estimate.plan_hash and plan.minimum_n >= district.minimum_n
