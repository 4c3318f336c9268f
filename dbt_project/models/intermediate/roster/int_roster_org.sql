-- Districts and schools, whatever roster knows them. An id that several rosters share is one organisation.
with org as (

  select
    source,
    sourced_id as org_key,
    name,
    type,
    identifier,
    cast(null as varchar[]) as grades
  from {{ ref("stg_oneroster__orgs") }}

  union all

  -- The SIS's own id of a school is that of the other rosters, where the source's ids are shared.
  select source, coalesce(sis_id, id), name, 'school', cast(null as varchar), null
  from {{ ref("stg_clever__schools") }}

  union all

  select source, {{ own_or_shared("source", "local_education_agency_id") }}, name, 'district', local_education_agency_id, null
  from {{ ref("stg_edfi__local_education_agencies") }}

  union all

  select source, {{ own_or_shared("source", "school_id") }}, name, 'school', school_id, {{ codes_of_words("grade", "grade_words") }}
  from {{ ref("stg_edfi__schools") }}

)

{{ of_first_source("org", ["org_key"]) }}
