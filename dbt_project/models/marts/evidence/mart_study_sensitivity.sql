-- How far the answer of each study moves when what was chosen, or could not be seen, were otherwise.
select
  district.district_id,
  sensitivity.plan_hash,
  sensitivity.outcome,
  sensitivity.is_higher_better,
  sensitivity.mean_without,
  sensitivity.sd,
  sensitivity.wild_p,
  sensitivity.wild_low,
  sensitivity.wild_high,
  sensitivity.without_one_site_low,
  sensitivity.without_one_site_high,
  sensitivity.robustness_value,
  sensitivity.e_value,
  sensitivity.as_strong_as,
  sensitivity.effect_if_unseen_as_strong,
  sensitivity.notes
from {{ source("ops", "study_sensitivity") }} as sensitivity
cross join {{ source("config", "district") }} as district
inner join {{ source("ops", "study_plan") }} as plan
  on plan.plan_hash = sensitivity.plan_hash and plan.minimum_n >= district.minimum_n
