-- School years, terms and grading periods, whatever roster knows them.
with session as (

  select
    source,
    sourced_id as session_key,
    title,
    starts_on,
    ends_on
  from {{ ref("stg_oneroster__academic_sessions") }}

  union all

  select source, id, name, starts_on, ends_on
  from {{ ref("stg_clever__terms") }}

  union all

  select source, {{ edfi_session_key() }}, session_name, starts_on, ends_on
  from {{ ref("stg_edfi__sessions") }}

)

{{ of_first_source("session", ["session_key"]) }}
