-- What is taught, whatever roster knows it.
with course as (

  select
    source,
    sourced_id as course_key,
    title
  from {{ ref("stg_oneroster__courses") }}

)

{{ of_first_source("course", ["course_key"]) }}
