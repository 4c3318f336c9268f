-- Which person an identifier belongs to. Never guessed: an identifier that points at two people points at nobody, unless
-- one of them is still on the roster and the other has left.
with roster_email as (

  select
    email as identifier,
    case
      when count(distinct case when not is_deleted then person_key end) = 1
        then min(case when not is_deleted then person_key end)
      when {{ count_where("not is_deleted") }} = 0 and count(distinct person_key) = 1 then min(person_key)
    end as person_key
  from {{ ref("int_person_record") }}
  where email is not null
  group by email

),

sis_user as (

  select distinct sis_id as identifier, person_key
  from {{ ref("int_person_record") }}
  where sis_id is not null

),

canvas_user as (

  -- The SIS id that the LMS holds comes first; the login e-mail only where there is no such person.
  select
    users.id as identifier,
    coalesce(by_sis_id.person_key, by_email.person_key) as person_key
  from {{ ref("stg_canvas__users") }} as users
  left join sis_user as by_sis_id on by_sis_id.identifier = users.sis_user_id
  left join roster_email as by_email on by_email.identifier = users.login_id

),

identity as (

  select 'sis_user' as identifier_kind, identifier, person_key from sis_user
  union all
  select 'email', identifier, person_key from roster_email where person_key is not null
  union all
  select 'canvas_user', identifier, person_key from canvas_user where person_key is not null

)

select
  identity.identifier_kind,
  identity.identifier,
  identity.person_key,
  person.person_type = 'student' as is_student
from identity
inner join {{ ref("int_person") }} as person on person.person_key = identity.person_key
