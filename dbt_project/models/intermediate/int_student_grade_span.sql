-- When a student was in which grade. Rosters give the grade of today; changes are read from what was landed when.
with version as (

  select
    record.person_key as student_key,
    record.record_no,
    version.grade,
    version.date_last_modified,
    version.landed_at,
    version.as_of_at
  from {{ ref("int_roster_person_version") }} as version
  inner join {{ ref("int_person_record") }} as record
    on record.source = version.source and record.record_key = version.record_key
  inner join {{ ref("int_person") }} as person
    on person.person_key = record.person_key and person.person_type = 'student'

),

record_span as (

  {{ attribute_spans("version", ["student_key", "record_no"], "grade") }}

),

span as (

  {{ spans_of_records("record_span", ["student_key"], "grade") }}

)

select * from span
