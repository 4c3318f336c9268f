with class_term as (

  select class.sourced_id as class_key, {{ each_element("class.term_sourced_ids") }} as term_sourced_id
  from {{ ref("stg_oneroster__classes") }} as class

),

term_name as (

  select class_term.class_key, {{ joined_text("term.title", "term.starts_on") }} as term_name
  from class_term
  inner join {{ ref("stg_oneroster__academic_sessions") }} as term on term.sourced_id = class_term.term_sourced_id
  group by class_term.class_key

)

select
  class.sourced_id as class_key,
  district.district_id,
  class.school_sourced_id as school_key,
  class.title as class_name,
  course.title as course_name,
  case when {{ list_length("class.grades") }} = 1 then {{ element_at("class.grades", 1) }} end as grade,
  term_name.term_name
from {{ ref("stg_oneroster__classes") }} as class
left join {{ ref("stg_oneroster__courses") }} as course on course.sourced_id = class.course_sourced_id
left join term_name on term_name.class_key = class.sourced_id
cross join {{ source("config", "district") }} as district
