{{ current_records(source("landing", "edfi__gradingPeriods"), ["_source", "id"], version="lastModifiedDate") }}

select
  _source as source,
  id,
  cast(schoolId as varchar) as school_id,
  schoolYear as school_year,
  gradingPeriod as grading_period,
  coalesce(gradingPeriodName, cast(periodSequence as varchar)) as grading_period_part,
  beginDate as starts_on,
  endDate as ends_on
from record
