-- People as each roster knows them, the removed ones too. Two rosters that know one person have a record of them each:
-- int_person_record says which records are one person.
with oneroster_role as (

  select
    source,
    user_sourced_id,
    {{ count_where("role = 'student'") }} as student_roles,
    {{ count_where("role not in ('student', 'parent', 'guardian', 'relative')") }} as staff_roles,
    min(case when role not in ('student', 'parent', 'guardian', 'relative') then role end) as staff_role,
    min(case when role_type = 'primary' then org_sourced_id end) as primary_role_org
  from {{ ref("stg_oneroster__user_roles") }}
  group by source, user_sourced_id

)

select
  users.source,
  users.sourced_id as record_key,
  users.sourced_id as sis_id,
  case
    when role.student_roles > 0 then 'student'
    when role.staff_roles > 0 then 'staff'
    else 'other'
  end as person_type,
  role.staff_role,
  {{ element_at("users.grades", 1) }} as grade,
  coalesce(users.primary_org_sourced_id, role.primary_role_org) as primary_org_key,
  users.email,
  users.username,
  users.identifier as sis_number,
  users.is_deleted
from {{ ref("stg_oneroster__users") }} as users
left join oneroster_role as role on role.source = users.source and role.user_sourced_id = users.sourced_id
