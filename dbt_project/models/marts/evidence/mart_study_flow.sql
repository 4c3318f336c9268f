-- Who is left in each study after each step, the first step first.
select
  district.district_id,
  flow.plan_hash,
  flow.outcome,
  flow.position,
  flow.step,
  flow.students,
  flow.students_with,
  flow.students_without,
  flow.suppression_reason
from {{ source("ops", "study_flow") }} as flow
cross join {{ source("config", "district") }} as district
inner join {{ source("ops", "study_plan") }} as plan
  on plan.plan_hash = flow.plan_hash and plan.minimum_n >= district.minimum_n
