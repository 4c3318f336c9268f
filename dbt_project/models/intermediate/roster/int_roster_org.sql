-- Districts and schools, whatever roster knows them. An id that several rosters share is one organisation.
with org as (

  select
    source,
    sourced_id as org_key,
    name,
    type,
    identifier
  from {{ ref("stg_oneroster__orgs") }}

)

{{ of_first_source("org", ["org_key"]) }}
