-- How the people of each roster and the accounts of each platform were found, or were not. What is too small to be shown is
-- hidden together with the least of what could be, so that no total gives it away.
with found as (

  select
    source,
    case person_type when 'student' then 'students' when 'staff' then 'staff' else 'others' end as who,
    linked_by
  from {{ ref("int_person_record") }}
  where not is_deleted

  union all

  select source, 'accounts', linked_by
  from {{ ref("int_account") }}

),

counted as (

  select source, who, linked_by, count(*) as people
  from found
  group by source, who, linked_by

),

judged as (

  select
    district.district_id,
    district.minimum_n,
    counted.*,
    sum(counted.people) over (partition by counted.source, counted.who) as people_in_all,
    sum(case when counted.people < district.minimum_n then counted.people else 0 end)
      over (partition by counted.source, counted.who) as too_few,
    row_number() over (
      partition by counted.source, counted.who, counted.people < district.minimum_n
      order by counted.people, counted.linked_by
    ) as place
  from counted
  cross join {{ source("config", "district") }} as district

),

reasoned as (

  select
    *,
    case
      when people < minimum_n then 'fewer_than_n_students'
      when place = 1 and too_few between 1 and minimum_n - 1 then 'complementary'
    end as suppression_reason
  from judged

)

select
  district_id,
  source,
  who,
  linked_by,
  cast(case when suppression_reason is null then people end as bigint) as people,
  cast(case when people_in_all >= minimum_n then people_in_all end as bigint) as people_in_all,
  suppression_reason
from reasoned
