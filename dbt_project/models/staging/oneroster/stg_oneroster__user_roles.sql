-- One row for each role that a user has in an organisation.
with exploded as (

  select source, sourced_id as user_sourced_id, {{ each_element("roles") }} as user_role
  from {{ ref("stg_oneroster__users") }}

)

select
  source,
  user_sourced_id,
  {{ field_of("user_role", "role") }} as role,
  {{ field_of("user_role", "roleType") }} as role_type,
  {{ field_of("user_role", "org_sourcedId") }} as org_sourced_id
from exploded
