-- Which person a record of a roster is of. Records with one SIS id are one person. People of several rosters are one where
-- they share an address that in each roster is one person's, then where the district's crosswalk says so. Never guessed: an
-- address does not make one person of two whom a roster lists apart, nor of a student and an adult. What it would have joined
-- stays apart and is counted as ambiguous.
with recursive record as (

  select
    person.*,
    coalesce(person.sis_id, person.record_key) as sis_person
  from {{ ref("int_roster_person") }} as person

),

-- Whose an address is in a roster: the one who is still on it, else the one who had it; nobody's where they are several.
held_address as (

  select
    email,
    person_type,
    source,
    {{ the_one("sis_person", "not is_deleted") }} as sis_person
  from record
  where email is not null
  group by email, person_type, source

),

-- Addresses that several rosters know, and not for one person already.
shared_address as (

  select
    email,
    person_type,
    min(sis_person) as sis_person,
    bool_and(sis_person is not null) as is_one_persons
  from held_address
  group by email, person_type
  having count(*) > 1 and (count(distinct sis_person) > 1 or bool_or(sis_person is null))

),

address_link as (

  select distinct shared_address.sis_person, held_address.sis_person as other_person
  from shared_address
  inner join held_address
    on held_address.email = shared_address.email
    and held_address.person_type = shared_address.person_type
    and held_address.sis_person <> shared_address.sis_person
  where shared_address.is_one_persons

),

{{ connected("address", "address_link", "sis_person", "other_person") }},

-- Where a roster lists two of them apart, they are two people: then their addresses say nothing.
doubtful_group as (

  select distinct group_key
  from (
    select address_member.group_key, record.source
    from address_member
    inner join record on record.sis_person = address_member.member_key
    group by address_member.group_key, record.source
    having count(distinct record.sis_person) > 1
  ) as listed_apart

),

by_address as (

  select
    record.*,
    address_member.group_key is not null and doubtful_group.group_key is null as is_linked_by_address,
    doubtful_group.group_key is not null or coalesce(not shared_address.is_one_persons, false) as is_doubtful,
    case
      when doubtful_group.group_key is null then coalesce(address_member.group_key, record.sis_person)
      else record.sis_person
    end as address_person
  from record
  left join address_member on address_member.member_key = record.sis_person
  left join doubtful_group on doubtful_group.group_key = address_member.group_key
  left join shared_address on shared_address.email = record.email and shared_address.person_type = record.person_type

),

-- What the district's own list says, of people whom it can name: it may join whom nothing else does, two of one roster too.
link_person as (

  select link.link_id, {{ the_one("record.address_person", "not record.is_deleted") }} as address_person
  from {{ ref("int_identity_link") }} as link
  inner join ({{ identifiers_of("by_address", "address_person") }}) as record
    on record.identifier_kind = link.identifier_kind and record.identifier = link.identifier
  group by link.link_id, link.identifier_kind, link.identifier

),

crosswalk_link as (

  select distinct link_person.address_person, other.address_person as other_person
  from link_person
  inner join link_person as other
    on other.link_id = link_person.link_id and other.address_person > link_person.address_person

),

{{ connected("crosswalk", "crosswalk_link", "address_person", "other_person") }},

placed as (

  select
    by_address.*,
    coalesce(crosswalk_member.group_key, by_address.address_person) as person_group,
    crosswalk_member.group_key is not null as is_linked_by_crosswalk,
    known.position,
    min(by_address.source) over (partition by by_address.sis_person) as first_source,
    max(by_address.source) over (partition by by_address.sis_person) as last_source
  from by_address
  left join crosswalk_member on crosswalk_member.member_key = by_address.address_person
  left join {{ source("config", "source") }} as known on known.source = by_address.source

)

select
  source,
  record_key,
  sis_id,
  email,
  username,
  sis_number,
  account_kind,
  -- The SIS id that the first roster knows the person by; a roster without SIS ids gives a key only to whom no other one knows.
  first_value(sis_person) over (
    partition by person_group order by sis_id is null, position nulls last, source, sis_person
  ) as person_key,
  case
    when first_source <> last_source then 'sis_id'
    when is_linked_by_address then 'email'
    when is_linked_by_crosswalk then 'crosswalk'
    when is_doubtful then 'ambiguous'
    else 'one_roster'
  end as linked_by,
  person_type,
  staff_role,
  grade,
  primary_org_key,
  is_deleted,
  row_number() over (
    partition by person_group order by is_deleted, position nulls last, source, record_key
  ) as record_no
from placed
