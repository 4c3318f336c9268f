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

),

edfi_person as (

  select source, student_unique_id as record_key, 'student' as person_type, is_deleted
  from {{ ref("stg_edfi__students") }}

  union all

  select source, staff_unique_id, 'staff', is_deleted
  from {{ ref("stg_edfi__staffs") }}

),

-- Several organisations may know a student, each with an address: the one that was changed last.
edfi_contact as (

  select source, student_unique_id as record_key, email, login_id, date_last_modified
  from {{ ref("stg_edfi__student_education_organization_associations") }}

  union all

  select source, student_unique_id, email, null, date_last_modified
  from {{ ref("stg_edfi__student_directories") }}

  union all

  select source, staff_unique_id, email, login_id, date_last_modified
  from {{ ref("stg_edfi__staffs") }}

  union all

  select source, staff_unique_id, email, null, date_last_modified
  from {{ ref("stg_edfi__staff_directories") }}

),

edfi_email as (

  {{ newest_per_key("edfi_contact", ["source", "record_key"], ["date_last_modified", "email"], where="email is not null") }}

),

edfi_login as (

  {{ newest_per_key("edfi_contact", ["source", "record_key"], ["date_last_modified", "login_id"], where="login_id is not null") }}

),

edfi_school as (

  {{ first_per_key(
      ref("stg_edfi__student_school_associations"),
      ["source", "student_unique_id"],
      ["candidate.is_deleted", "candidate.starts_on desc", "candidate.is_primary desc", "candidate.school_id"]
  ) }}

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
  cast(null as varchar) as account_kind,
  users.is_deleted
from {{ ref("stg_oneroster__users") }} as users
left join oneroster_role as role on role.source = users.source and role.user_sourced_id = users.sourced_id

union all

select
  users.source,
  users.id,
  users.sis_id,
  case
    when {{ list_has("users.roles", "'student'") }} then 'student'
    when {{ lists_overlap("users.roles", ["teacher", "staff", "district_admin", "school_admin"]) }} then 'staff'
    else 'other'
  end,
  case
    when {{ list_has("users.roles", "'teacher'") }} then 'teacher'
    when {{ lists_overlap("users.roles", ["district_admin", "school_admin"]) }} then 'administrator'
    when {{ list_has("users.roles", "'staff'") }} then 'staff'
  end,
  users.grade,
  coalesce(school.sis_id, users.school_id),
  users.email,
  cast(null as varchar),
  users.student_number,
  'clever_user',
  users.is_deleted
from {{ ref("stg_clever__users") }} as users
left join {{ ref("stg_clever__schools") }} as school on school.source = users.source and school.id = users.school_id

union all

-- Who was deleted and entered again has two records of one id; a member of staff whose number is a student's is that student.
select
  person.source,
  person.record_key,
  person.record_key,
  person.person_type,
  cast(null as varchar),
  school.grade,
  {{ own_or_shared("school.source", "school.school_id") }},
  edfi_email.email,
  edfi_login.login_id,
  cast(null as varchar),
  cast(null as varchar),
  person.is_deleted
from (
  {{ first_per_key("edfi_person", ["source", "record_key"], ["candidate.is_deleted", "candidate.person_type desc"]) }}
) as person
left join edfi_school as school on school.source = person.source and school.student_unique_id = person.record_key
left join edfi_email on edfi_email.source = person.source and edfi_email.record_key = person.record_key
left join edfi_login on edfi_login.source = person.source and edfi_login.record_key = person.record_key
