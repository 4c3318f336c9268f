{{ current_records(
    source("landing", "iready__diagnostic_results_ela"),
    ["student", "started_on", "completed_on", "overall_scale_score"]
) }}

select
  student,
  academic_year,
  started_on,
  completed_on,
  overall_scale_score,
  percentile,
  minutes,
  rush_flag
from record
