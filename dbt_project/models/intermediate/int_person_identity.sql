-- Which person an identifier belongs to. Never guessed: an identifier that points at two people points at nobody, unless
-- one of them is still on the roster and the other has left.
with identified as (

  {{ identifiers_of(ref("int_person_record"), "person_key") }}

  union all

  select identifier_kind, identifier, person_key, false
  from {{ ref("int_account") }}
  where person_key is not null

),

known as (

  select identifier_kind, identifier, {{ the_one("person_key", "not is_deleted") }} as person_key
  from identified
  group by identifier_kind, identifier

),

-- The district's own list comes last: it names whom nothing else does.
identity as (

  select
    identifier_kind,
    identifier,
    coalesce(known.person_key, linked.person_key) as person_key
  from known
  full join {{ ref("int_linked_identifier") }} as linked using (identifier_kind, identifier)

)

select
  identity.identifier_kind,
  identity.identifier,
  identity.person_key,
  person.person_type = 'student' as is_student
from identity
inner join {{ ref("int_person") }} as person on person.person_key = identity.person_key
