-- Lessons that a student finished, each delivery. The export tells the date and not the time: it is put at noon, so that it
-- is of school hours on an instructional day (decision 0023). The tool is told by its address, as all use is.
select
  lesson.student,
  lesson.subject,
  lesson.lesson_id,
  lesson.completed_on,
  {{ local_noon("lesson.completed_on", "district.time_zone") }} as occurred_at,
  'login.i-ready.com' as address,
  lesson.minutes,
  lesson.score,
  lesson.passed = 'Passed' as is_passed,
  lesson._source as source,
  lesson._landed_at as landed_at,
  lesson._window as landed_window
from {{ source("landing", "iready__lessons") }} as lesson
cross join {{ source("config", "district") }} as district
