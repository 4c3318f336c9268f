-- Accounts of learning platforms, and the person behind each: the SIS id that the platform holds comes first, the e-mail only
-- where there is no such person, and the district's own list last. A platform is one select here, and nothing else is needed to know its people.
with account as (

  select source, 'canvas_user' as identifier_kind, id as identifier, sis_user_id as sis_id, login_id as email
  from {{ ref("stg_canvas__users") }}

  union all

  select source, 'moodle_user', id, sis_user_id, email
  from {{ ref("stg_moodle__users") }}

  union all

  -- An account is known by its courses; where they name two addresses for it, the one that is still in use.
  select source, 'google_user', user_id, cast(null as varchar), {{ the_one("email", "not is_deleted") }}
  from (
    select source, user_id, email, is_deleted from {{ ref("stg_google_classroom__students") }}
    union all
    select source, user_id, email, is_deleted from {{ ref("stg_google_classroom__teachers") }}
  ) as member
  group by source, user_id

),

sis_user as (

  select sis_id, min(person_key) as person_key
  from {{ ref("int_person_record") }}
  where sis_id is not null
  group by sis_id

),

address as (

  select
    email,
    {{ the_one("person_key", "not is_deleted") }} as person_key
  from {{ ref("int_person_record") }}
  where email is not null
  group by email

)

select
  account.source,
  account.identifier_kind,
  account.identifier,
  coalesce(by_sis_id.person_key, by_email.person_key, linked.person_key) as person_key,
  case
    when by_sis_id.person_key is not null then 'sis_id'
    when by_email.person_key is not null then 'email'
    when linked.person_key is not null then 'crosswalk'
    when by_email.email is not null then 'ambiguous'
    else 'unknown'
  end as linked_by
from account
left join sis_user as by_sis_id on by_sis_id.sis_id = account.sis_id
left join address as by_email on by_email.email = account.email
left join {{ ref("int_linked_identifier") }} as linked
  on linked.identifier_kind = account.identifier_kind and linked.identifier = account.identifier
