-- A student's enrolment in a class as one span of dates, both included. Dates that the enrolment leaves blank are those
-- of the class's terms. An enrolment that was removed ends on the day before its removal: what a past week counted stays.
with class_term as (

  select class.sourced_id as class_key, {{ each_element("class.term_sourced_ids") }} as term_sourced_id
  from {{ ref("stg_oneroster__classes") }} as class

),

class_dates as (

  select
    class_term.class_key,
    min(term.starts_on) as starts_on,
    max(term.ends_on) as ends_on
  from class_term
  inner join {{ ref("stg_oneroster__academic_sessions") }} as term on term.sourced_id = class_term.term_sourced_id
  group by class_term.class_key

),

enrollment as (

  select
    enrollment.sourced_id as enrollment_key,
    enrollment.user_sourced_id as student_key,
    enrollment.class_sourced_id as class_key,
    coalesce(enrollment.school_sourced_id, class.school_sourced_id) as school_key,
    enrollment.is_primary,
    coalesce(enrollment.starts_on, class_dates.starts_on, cast('1900-01-01' as date)) as starts_on,
    least(
      coalesce(enrollment.ends_on, class_dates.ends_on, cast('9999-12-31' as date)),
      coalesce(
        {{ days_after(local_date("enrollment.deleted_at", "district.time_zone"), -1) }}, cast('9999-12-31' as date)
      )
    ) as ends_on
  from {{ ref("stg_oneroster__enrollments") }} as enrollment
  left join {{ ref("stg_oneroster__classes") }} as class on class.sourced_id = enrollment.class_sourced_id
  left join class_dates on class_dates.class_key = enrollment.class_sourced_id
  cross join {{ source("config", "district") }} as district
  where enrollment.role = 'student'

)

select * from enrollment where starts_on <= ends_on
