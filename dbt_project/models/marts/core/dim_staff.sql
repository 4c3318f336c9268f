select
  person.person_key as staff_key,
  district.district_id,
  person.staff_role as role,
  person.primary_org_key as school_key
from {{ ref("int_person") }} as person
cross join {{ source("config", "district") }} as district
where person.person_type = 'staff' and not person.is_deleted
