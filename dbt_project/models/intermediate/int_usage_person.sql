-- Each identifier seen in the dates being rebuilt, and the person it belongs to, if it is known. `person_no` is one
-- number for each person however many identifiers they have, and a cheaper key than their text.
with seen as (

  select distinct identifier_kind, identifier from {{ ref("base_umbrella__activity") }}
  union
  select distinct 'canvas_user', user_identifier from {{ ref("base_canvas__page_views") }}
  union
  select distinct 'canvas_user', user_identifier from {{ ref("base_canvas__web_logs") }}
  union
  select distinct identifier_kind, identifier from {{ ref("base_caliper__event") }}
  union
  select distinct identifier_kind, identifier from {{ ref("base_logpush__request") }}
  union
  select distinct identifier_kind, identifier from {{ ref("base_xapi__statement") }}
  union
  select distinct identifier_kind, identifier from {{ ref("base_google_admin__app_usage") }}
  union
  select distinct 'sis_number', student from {{ ref("base_iready__lessons") }}

)

select
  seen.identifier_kind,
  seen.identifier,
  identity.person_key,
  coalesce(identity.is_student, false) as is_student,
  dense_rank() over (
    order by
      case when identity.person_key is null then seen.identifier_kind end nulls first,
      coalesce(identity.person_key, seen.identifier)
  ) as person_no
from seen
left join {{ ref("int_person_identity") }} as identity
  on identity.identifier_kind = seen.identifier_kind and identity.identifier = seen.identifier
