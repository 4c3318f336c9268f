-- People of the roster. One who was deleted stays: what they did before is still theirs.
with held_role as (

  select
    user_sourced_id,
    {{ count_where("role = 'student'") }} as student_roles,
    {{ count_where("role not in ('student', 'parent', 'guardian', 'relative')") }} as staff_roles,
    min(case when role not in ('student', 'parent', 'guardian', 'relative') then role end) as staff_role,
    min(case when role_type = 'primary' then org_sourced_id end) as primary_role_org
  from {{ ref("stg_oneroster__user_roles") }}
  group by user_sourced_id

)

select
  users.sourced_id as person_key,
  case
    when held_role.student_roles > 0 then 'student'
    when held_role.staff_roles > 0 then 'staff'
    else 'other'
  end as person_type,
  held_role.staff_role,
  {{ element_at("users.grades", 1) }} as grade,
  coalesce(users.primary_org_sourced_id, held_role.primary_role_org) as primary_org_key,
  users.email,
  users.is_deleted
from {{ ref("stg_oneroster__users") }} as users
left join held_role on held_role.user_sourced_id = users.sourced_id
