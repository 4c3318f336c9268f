-- Which subgroup a student was in, when. The dimensions are those that the district listed (config.subgroup).
select
  district.district_id,
  spans.student_key,
  spans.dimension,
  spans.subgroup,
  spans.starts_on,
  spans.ends_on
from {{ ref("int_student_subgroup_span") }} as spans
inner join {{ source("config", "subgroup") }} as allowed on allowed.dimension = spans.dimension
inner join {{ ref("int_person") }} as person
  on person.person_key = spans.student_key and person.person_type = 'student'
cross join {{ source("config", "district") }} as district

union all

select
  district.district_id,
  person.person_key as student_key,
  'all_students' as dimension,
  'all_students' as subgroup,
  {{ known_from_the_start() }} as starts_on,
  {{ open_end() }} as ends_on
from {{ ref("int_person") }} as person
cross join {{ source("config", "district") }} as district
where person.person_type = 'student'
