-- Which person an identifier belongs to. Never guessed: an identifier that points at two people points at nobody, unless
-- one of them is still on the roster and the other has left.
with identified as (

  select 'sis_user' as identifier_kind, sis_id as identifier, person_key, is_deleted
  from {{ ref("int_person_record") }}
  where sis_id is not null

  union all

  select 'email', email, person_key, is_deleted
  from {{ ref("int_person_record") }}
  where email is not null

  union all

  select 'username', username, person_key, is_deleted
  from {{ ref("int_person_record") }}
  where username is not null

  union all

  select 'sis_number', sis_number, person_key, is_deleted
  from {{ ref("int_person_record") }}
  where sis_number is not null

  union all

  select account_kind, record_key, person_key, is_deleted
  from {{ ref("int_person_record") }}
  where account_kind is not null

  union all

  select identifier_kind, identifier, person_key, false
  from {{ ref("int_account") }}
  where person_key is not null

),

identity as (

  select identifier_kind, identifier, {{ the_one("person_key", "not is_deleted") }} as person_key
  from identified
  group by identifier_kind, identifier

)

select
  identity.identifier_kind,
  identity.identifier,
  identity.person_key,
  person.person_type = 'student' as is_student
from identity
inner join {{ ref("int_person") }} as person on person.person_key = identity.person_key
