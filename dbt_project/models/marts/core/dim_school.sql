with grade as (

  select school_key, {{ each_element("grades") }} as grade
  from {{ ref("int_roster_class") }}
  where not is_deleted

  union all

  select org_key, {{ each_element("grades") }}
  from {{ ref("int_roster_org") }}

),

taught as (

  select
    school_key,
    bool_or(grade in ('IT', 'PR', 'PK', 'TK', 'KG', '01', '02', '03', '04', '05')) as has_elementary,
    bool_or(grade in ('06', '07', '08')) as has_middle,
    bool_or(grade in ('09', '10', '11', '12', '13')) as has_high
  from grade
  group by school_key

)

-- The level follows from the grades of the school and its classes: rosters have no field for it.
select
  school.org_key as school_key,
  district.district_id,
  school.name as school_name,
  case
    when taught.has_elementary and not taught.has_high then 'elementary'
    when taught.has_middle and not taught.has_elementary and not taught.has_high then 'middle'
    when taught.has_high and not taught.has_elementary then 'high'
    when taught.has_elementary and taught.has_high then 'all_grades'
  end as school_level
from {{ ref("int_roster_org") }} as school
left join taught on taught.school_key = school.org_key
cross join {{ source("config", "district") }} as district
where school.type = 'school'
