-- Which person a record of a roster is of: records with one SIS id are one person.
with linked as (

  select
    person.*,
    coalesce(person.sis_id, person.record_key) as person_key
  from {{ ref("int_roster_person") }} as person

)

select
  linked.source,
  linked.record_key,
  linked.sis_id,
  linked.email,
  linked.person_key,
  linked.person_type,
  linked.staff_role,
  linked.grade,
  linked.primary_org_key,
  linked.is_deleted,
  row_number() over (
    partition by linked.person_key
    order by linked.is_deleted, known.position nulls last, linked.source, linked.record_key
  ) as record_no
from linked
left join {{ source("config", "source") }} as known on known.source = linked.source
