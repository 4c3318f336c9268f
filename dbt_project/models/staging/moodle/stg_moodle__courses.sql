{{ current_records(
    source("landing", "moodle__courses"),
    ["_source", "id"],
    version="timemodified"
) }}

select
  _source as source,
  id,
  idnumber as sis_course_id,
  shortname as short_name,
  fullname as name,
  categoryid as category_id,
  visible as is_visible,
  startdate as start_at,
  enddate as end_at,
  timecreated as created_at,
  timemodified as updated_at
from record
