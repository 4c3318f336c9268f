with gradebook as (

  select
    coalesce(person.person_key, result.record_key) as student_key,
    result.class_key,
    result.line_item_key,
    'gradebook' as result_source,
    result.category,
    result.score,
    result.score_max,
    result.scored_on
  from {{ ref("int_roster_result") }} as result
  left join {{ ref("int_person_record") }} as person
    on person.source = result.source and person.record_key = result.record_key

),

lms_class as (

  -- The roster's class behind an LMS enrolment, where the section or the course carries its SIS id and there is just one.
  select
    enrollment.source,
    enrollment.user_id,
    enrollment.course_id,
    case when count(distinct class.class_key) = 1 then min(class.class_key) end as class_key
  from {{ ref("stg_canvas__enrollments") }} as enrollment
  left join {{ ref("stg_canvas__sections") }} as section
    on section.source = enrollment.source and section.id = enrollment.course_section_id
  left join {{ ref("stg_canvas__courses") }} as course
    on course.source = enrollment.source and course.id = enrollment.course_id
  inner join {{ ref("int_roster_class") }} as class
    on class.class_key in (section.sis_section_id, course.sis_course_id)
  group by enrollment.source, enrollment.user_id, enrollment.course_id

),

lms as (

  select
    identity.person_key as student_key,
    lms_class.class_key,
    {{ own_or_shared("submission.source", "cast(submission.assignment_id as varchar)") }} as line_item_key,
    'lms_assignment' as result_source,
    cast(null as varchar) as category,
    submission.score,
    assignment.points_possible as score_max,
    {{ local_date("submission.graded_at", "district.time_zone") }} as scored_on
  from {{ ref("stg_canvas__submissions") }} as submission
  inner join {{ ref("stg_canvas__assignments") }} as assignment
    on assignment.source = submission.source and assignment.id = submission.assignment_id
  inner join {{ ref("int_person_identity") }} as identity
    on identity.identifier_kind = 'canvas_user' and identity.identifier = submission.user_id and identity.is_student
  left join lms_class
    on lms_class.source = submission.source
    and lms_class.user_id = submission.user_id
    and lms_class.course_id = submission.course_id
  cross join {{ source("config", "district") }} as district
  where submission.score is not null

),

lms_grade as (

  -- Items of an LMS' own grade book that are no total of others, as what was reached above the lowest mark: the first word of
  -- a scale is 1 and worth nothing.
  select
    identity.person_key as student_key,
    class.class_key,
    concat(grade.source, ':', cast(grade.item_id as varchar)) as line_item_key,
    'lms_assignment' as result_source,
    cast(null as varchar) as category,
    grade.grade - coalesce(grade.grade_min, 0) as score,
    grade.grade_max - coalesce(grade.grade_min, 0) as score_max,
    {{ local_date("grade.graded_at", "district.time_zone") }} as scored_on
  from {{ ref("stg_moodle__grades") }} as grade
  inner join {{ ref("int_person_identity") }} as identity
    on identity.identifier_kind = 'moodle_user' and identity.identifier = grade.user_id and identity.is_student
  left join {{ ref("stg_moodle__courses") }} as course
    on course.source = grade.source and course.id = grade.course_id
  left join {{ ref("int_roster_class") }} as class on class.class_key = course.sis_course_id
  cross join {{ source("config", "district") }} as district
  where grade.grade is not null and grade.item_type in ('mod', 'manual')

),

aliased_class as (

  -- The roster's class that a course was made for, where its aliases name just one.
  select
    alias.course_id,
    case when count(distinct class.class_key) = 1 then min(class.class_key) end as class_key
  from {{ ref("stg_google_classroom__aliases") }} as alias
  inner join {{ ref("int_roster_class") }} as class on class.class_key = alias.sis_class_id
  group by alias.course_id

),

google_classroom as (

  -- An id of course work is one in its course only. Google forgets the history of a grade, and then tells its last change.
  select
    identity.person_key as student_key,
    aliased_class.class_key,
    concat(submission.source, ':', submission.course_id, ':', submission.course_work_id) as line_item_key,
    'lms_assignment' as result_source,
    cast(null as varchar) as category,
    submission.assigned_grade as score,
    work.max_points as score_max,
    {{ local_date("coalesce(submission.graded_at, submission.updated_at)", "district.time_zone") }} as scored_on
  from {{ ref("stg_google_classroom__submissions") }} as submission
  inner join {{ ref("stg_google_classroom__course_work") }} as work
    on work.course_id = submission.course_id and work.id = submission.course_work_id
  inner join {{ ref("int_person_identity") }} as identity
    on identity.identifier_kind = 'google_user' and identity.identifier = submission.user_id and identity.is_student
  left join aliased_class on aliased_class.course_id = submission.course_id
  cross join {{ source("config", "district") }} as district
  where submission.assigned_grade is not null

),

assessment as (

  -- One score for each subject and test window: of several the newest.
  select
    identity.person_key as student_key,
    cast(null as varchar) as class_key,
    concat(test.assessment, ' ', test.subject, ' ', test.school_year, ' ', test.test_window) as line_item_key,
    'assessment' as result_source,
    concat(test.assessment, ' ', test.subject) as category,
    test.score,
    cast(null as double) as score_max,
    test.scored_on
  from {{ ref("int_assessment_result") }} as test
  inner join {{ ref("int_person_identity") }} as identity
    on identity.identifier_kind = test.identifier_kind and identity.identifier = test.identifier and identity.is_student

),

result as (

  select * from gradebook
  union all
  select * from lms
  union all
  select * from lms_grade
  union all
  select * from google_classroom
  union all
  select * from assessment

)

-- The newest score of an item counts: a gradebook may hold several attempts as several results.
select
  district.district_id,
  result.student_key,
  result.class_key,
  result.line_item_key,
  result.result_source,
  result.category,
  cast(result.score as double) as score,
  cast(result.score_max as double) as score_max,
  result.scored_on
from ({{ newest_per_key("result", ["student_key", "line_item_key", "result_source"], ["scored_on", "score"]) }}) as result
cross join {{ source("config", "district") }} as district
