-- School years, terms and grading periods, whatever roster knows them.
with session as (

  select
    source,
    sourced_id as session_key,
    title,
    starts_on,
    ends_on
  from {{ ref("stg_oneroster__academic_sessions") }}

)

{{ of_first_source("session", ["session_key"]) }}
