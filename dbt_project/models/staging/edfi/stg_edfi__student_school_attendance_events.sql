{{ current_records(source("landing", "edfi__studentSchoolAttendanceEvents"), ["_source", "id"], version="lastModifiedDate") }}

select
  _source as source,
  id,
  studentUniqueId as student_unique_id,
  cast(schoolId as varchar) as school_id,
  eventDate as on_date,
  {{ roster_word("attendance", "attendanceEventCategory") }} as attendance_status,
  attendanceEventCategory as attendance_word,
  eventDuration as days
from record
