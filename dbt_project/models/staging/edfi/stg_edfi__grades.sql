{{ current_records(source("landing", "edfi__grades"), ["_source", "id"], version="lastModifiedDate") }}

select
  _source as source,
  id,
  studentUniqueId as student_unique_id,
  cast(schoolId as varchar) as school_id,
  schoolYear as school_year,
  sessionName as session_name,
  localCourseCode as local_course_code,
  sectionIdentifier as section_identifier,
  gradeType as grade_type,
  gradingPeriod as grading_period,
  coalesce(gradingPeriodName, cast(periodSequence as varchar)) as grading_period_part,
  numericGradeEarned as numeric_grade,
  lastModifiedDate as date_last_modified
from record
