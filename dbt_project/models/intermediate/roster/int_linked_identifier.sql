-- Identifiers of the district's own list and the person to whom their link leads, where it is one.
with link_person as (

  select link.link_id, min(record.person_key) as person_key
  from {{ ref("int_identity_link") }} as link
  inner join ({{ identifiers_of(ref("int_person_record"), "person_key") }}) as record
    on record.identifier_kind = link.identifier_kind and record.identifier = link.identifier
  group by link.link_id
  having count(distinct record.person_key) = 1

)

select link.identifier_kind, link.identifier, min(link_person.person_key) as person_key
from {{ ref("int_identity_link") }} as link
inner join link_person on link_person.link_id = link.link_id
group by link.identifier_kind, link.identifier
having count(distinct link_person.person_key) = 1
