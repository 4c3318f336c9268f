-- What is taught, whatever roster knows it.
with course as (

  select
    source,
    sourced_id as course_key,
    title
  from {{ ref("stg_oneroster__courses") }}

  union all

  select source, id, name
  from {{ ref("stg_clever__courses") }}

  union all

  select source, {{ edfi_course_key() }}, title
  from {{ ref("stg_edfi__courses") }}

)

{{ of_first_source("course", ["course_key"]) }}
