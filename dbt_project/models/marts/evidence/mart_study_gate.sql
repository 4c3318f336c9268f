-- The gates that each study passed or not, in the order of the study.
select
  district.district_id,
  gate.plan_hash,
  gate.outcome,
  gate.position,
  gate.gate,
  gate.status,
  gate.figure,
  gate.limit_text,
  gate.meaning
from {{ source("ops", "study_gate") }} as gate
cross join {{ source("config", "district") }} as district
inner join {{ source("ops", "study_plan") }} as plan
  on plan.plan_hash = gate.plan_hash and plan.minimum_n >= district.minimum_n
