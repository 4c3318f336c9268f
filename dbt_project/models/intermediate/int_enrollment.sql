-- A student's enrolment in a class or school as one span of dates, both included. Dates that the enrolment leaves blank are
-- those of the class's terms. An enrolment that was removed ends on the day before its removal: what a past week counted stays.
with class_session as (

  select class_key, {{ each_element("session_keys") }} as session_key
  from {{ ref("int_roster_class") }}

),

class_dates as (

  select
    class_session.class_key,
    min(session.starts_on) as starts_on,
    max(session.ends_on) as ends_on
  from class_session
  inner join {{ ref("int_roster_session") }} as session on session.session_key = class_session.session_key
  group by class_session.class_key

),

enrollment as (

  select
    enrollment.source,
    enrollment.enrollment_key,
    -- An enrolment may name somebody whom its roster does not list.
    coalesce(person.person_key, enrollment.record_key) as student_key,
    coalesce(person.record_no, 1) as record_no,
    enrollment.class_key,
    coalesce(enrollment.school_key, class.school_key) as school_key,
    enrollment.is_primary,
    coalesce(enrollment.starts_on, class_dates.starts_on, cast('1900-01-01' as date)) as starts_on,
    least(
      coalesce(enrollment.ends_on, class_dates.ends_on, cast('9999-12-31' as date)),
      coalesce(
        {{ days_after(local_date("enrollment.deleted_at", "district.time_zone"), -1) }}, cast('9999-12-31' as date)
      )
    ) as ends_on
  from {{ ref("int_roster_enrollment") }} as enrollment
  left join {{ ref("int_person_record") }} as person
    on person.source = enrollment.source and person.record_key = enrollment.record_key
  left join {{ ref("int_roster_class") }} as class on class.class_key = enrollment.class_key
  left join class_dates on class_dates.class_key = enrollment.class_key
  cross join {{ source("config", "district") }} as district
  where enrollment.role = 'student'

)

select * from enrollment where starts_on <= ends_on
