-- Classes, the removed ones too, whatever roster knows them.
with class as (

  select
    source,
    sourced_id as class_key,
    title,
    grades,
    course_sourced_id as course_key,
    school_sourced_id as school_key,
    term_sourced_ids as session_keys,
    is_deleted
  from {{ ref("stg_oneroster__classes") }}

)

{{ of_first_source("class", ["class_key"], before=["candidate.is_deleted"]) }}
