with class_session as (

  select class_key, {{ each_element("session_keys") }} as session_key
  from {{ ref("int_roster_class") }}

),

term_name as (

  select class_session.class_key, {{ joined_text("session.title", "session.starts_on") }} as term_name
  from class_session
  inner join {{ ref("int_roster_session") }} as session on session.session_key = class_session.session_key
  group by class_session.class_key

)

select
  class.class_key,
  district.district_id,
  class.school_key,
  class.title as class_name,
  course.title as course_name,
  case when {{ list_length("class.grades") }} = 1 then {{ element_at("class.grades", 1) }} end as grade,
  term_name.term_name
from {{ ref("int_roster_class") }} as class
left join {{ ref("int_roster_course") }} as course on course.course_key = class.course_key
left join term_name on term_name.class_key = class.class_key
cross join {{ source("config", "district") }} as district
