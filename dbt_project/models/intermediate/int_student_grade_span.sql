-- When a student was in which grade. OneRoster gives the grade of today; changes are read from what was landed when.
with version as (

  select
    versions.sourced_id as student_key,
    versions.grade,
    versions.date_last_modified,
    versions.landed_at,
    versions.as_of_at
  from {{ ref("stg_oneroster__user_versions") }} as versions
  inner join {{ ref("int_person") }} as person
    on person.person_key = versions.sourced_id and person.person_type = 'student'

),

span as (

  {{ attribute_spans("version", "student_key", "grade") }}

)

select * from span
