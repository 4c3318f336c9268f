{{ current_records(
    source("landing", "moodle__grades"),
    ["_source", "item_id", "user_id"]
) }}

select
  _source as source,
  item_id,
  user_id,
  course_id,
  itemtype as item_type,
  itemmodule as item_module,
  iteminstance as item_instance,
  itemname as item_name,
  scaleid as scale_id,
  graderaw as grade,
  grademin as grade_min,
  grademax as grade_max,
  gradedatesubmitted as submitted_at,
  gradedategraded as graded_at
from record
