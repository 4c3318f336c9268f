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

  union all

  select
    section.source,
    coalesce(section.sis_id, section.id),
    section.name,
    {{ list_of_known("section.grade") }},
    section.course_id,
    coalesce(school.sis_id, section.school_id),
    {{ list_of_known("section.term_id") }},
    section.is_deleted
  from {{ ref("stg_clever__sections") }} as section
  left join {{ ref("stg_clever__schools") }} as school
    on school.source = section.source and school.id = section.school_id

  union all

  select
    section.source,
    {{ edfi_class_key("section") }},
    coalesce(section.name, offering.title, section.section_identifier),
    coalesce({{ codes_of_words("grade", "course.grade_words") }}, {{ no_texts() }}),
    {{ edfi_course_key("offering") }},
    {{ own_or_shared("section.source", "section.school_id") }},
    {{ list_of_known(edfi_session_key("section")) }},
    section.is_deleted
  from {{ ref("stg_edfi__sections") }} as section
  left join {{ ref("stg_edfi__course_offerings") }} as offering
    on offering.source = section.source
    and offering.school_id = section.school_id
    and offering.school_year = section.school_year
    and offering.session_name = section.session_name
    and offering.local_course_code = section.local_course_code
  left join {{ ref("stg_edfi__courses") }} as course
    on course.source = offering.source
    and course.education_organization_id = offering.education_organization_id
    and course.course_code = offering.course_code

)

{{ of_first_source("class", ["class_key"], before=["candidate.is_deleted"]) }}
