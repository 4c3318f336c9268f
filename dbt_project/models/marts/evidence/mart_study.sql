-- What each study found when it ran last, outcome by outcome. The statistics are the engine's; nothing is worked out here.
select
  district.district_id,
  study.plan_hash,
  study.outcome,
  study.is_first_outcome,
  study.tool_key,
  study.tool_name,
  study.question,
  study.design,
  study.meaningful_g,
  study.verdict,
  study.sentence,
  study.essa_tier,
  study.essa,
  study.planned_at,
  study.run_at,
  study.data_version,
  study.code_version
from {{ source("ops", "study") }} as study
cross join {{ source("config", "district") }} as district
inner join {{ source("ops", "study_plan") }} as plan
  on plan.plan_hash = study.plan_hash and plan.minimum_n >= district.minimum_n
