-- One row for each lesson that was finished. Exports overlap; what came out of a lesson tells two of one day apart.
with lesson as (

  {{ newest_of_repeated(
      ref("base_iready__lessons"),
      ["student", "lesson_id", "completed_on", "score", "minutes"],
      ["landed_at", "landed_window", "subject"]
  ) }}

)

select
  student,
  subject,
  lesson_id,
  completed_on,
  occurred_at,
  address,
  minutes,
  score,
  is_passed,
  source
from lesson
