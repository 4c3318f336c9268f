-- What each contract cost this school year so far, and the use that it bought. Cost and use are of the same days: the cost is
-- the contract's monthly costs, the last month by its instructional days so far.
with district as (

  select * from {{ source("config", "district") }}

),

through as (

  select data_complete_through from {{ ref("int_district_through") }}

),

year as (

  {{ school_year_so_far("through") }}

),

contract as (

  select
    contract.*,
    year.school_year,
    greatest(contract.starts_on, year.year_starts_on) as period_starts_on,
    least(contract.ends_on, through.data_complete_through) as period_ends_on
  from {{ ref("dim_contract") }} as contract
  cross join year
  cross join through
  where contract.ends_on >= year.year_starts_on and contract.starts_on <= through.data_complete_through

),

month_day as (

  -- Of each month of a contract: how much of it lies in the period, by days with instruction, or by days where there are none.
  select
    contract.contract_key,
    {{ month_start("day.on_date") }} as month_starts_on,
    {{ count_where("day.is_instructional and day.on_date between contract.period_starts_on and contract.period_ends_on") }}
      as instructional_days_so_far,
    {{ count_where("day.is_instructional") }} as instructional_days,
    {{ count_where("day.on_date between contract.period_starts_on and contract.period_ends_on") }} as days_so_far,
    count(*) as days
  from contract
  inner join {{ source("config", "calendar_day") }} as day
    on day.on_date between contract.starts_on and contract.ends_on and day.school_year = contract.school_year
  group by contract.contract_key, {{ month_start("day.on_date") }}

),

cost as (

  select
    month_day.contract_key,
    cast(
      sum(
        period.cost * case
          when month_day.instructional_days > 0
            then month_day.instructional_days_so_far / cast(month_day.instructional_days as double)
          else month_day.days_so_far / cast(month_day.days as double)
        end
      ) as decimal(18, 2)
    ) as cost
  from month_day
  inner join {{ ref("fct_contract_period") }} as period
    on period.contract_key = month_day.contract_key and period.month_starts_on = month_day.month_starts_on
  group by month_day.contract_key

),

student_use as (

  select
    contract.contract_key,
    fact.student_key,
    fact.minutes_method,
    sum({{ exact("fact.active_minutes") }}) as active_minutes
  from contract
  cross join district
  inner join {{ ref("fct_student_tool_day") }} as fact
    on fact.tool_key = contract.tool_key
    and fact.on_date between contract.period_starts_on and contract.period_ends_on
    and {{ counts_for_leaders("fact.is_in_school", "district.count_out_of_school") }}
  group by contract.contract_key, fact.student_key, fact.minutes_method

),

active as (

  select contract_key, count(distinct student_key) as active_students
  from student_use
  group by contract_key

),

-- Minutes of different methods are never added: the method with the most minutes speaks for the tool.
hours as (

  select
    contract_key,
    max_by(minutes_method, active_minutes) as minutes_method,
    cast(max(active_minutes) as double) / 60.0 as active_hours
  from (
    select contract_key, minutes_method, sum(active_minutes) as active_minutes
    from student_use
    where active_minutes is not null
    group by contract_key, minutes_method
  ) as by_method
  group by contract_key

),

eligible as (

  select contract.contract_key, count(distinct span.student_key) as eligible_students
  from contract
  inner join {{ ref("int_student_school_span") }} as span
    on contract.period_ends_on between span.starts_on and span.ends_on
  left join {{ ref("dim_tool") }} as tool on tool.tool_key = contract.tool_key
  where coalesce({{ list_length("tool.licensed_grades") }}, 0) = 0
    or {{ list_has("tool.licensed_grades", "span.grade") }}
  group by contract.contract_key

),

has_usage_source as (

  select count(*) > 0 as is_there from {{ ref("int_data_through") }} where is_usage

),

dated as (

  select contract.*, through.data_complete_through from contract cross join through

),

idle as (

  {{ contract_idle("dated") }}

),

users as (

  select
    contract.contract_key,
    contract.tool_key,
    active.active_students as counted,
    contract.period_starts_on as from_on,
    contract.period_ends_on as to_on
  from contract
  inner join active on active.contract_key = contract.contract_key

),

{{ telling_users("users", ["contract_key"], "telling") }},

measured as (

  select
    contract.*,
    coalesce(cost.cost, 0) as cost,
    coalesce(active.active_students, 0) as active_students,
    coalesce(eligible.eligible_students, 0) as eligible_students,
    hours.minutes_method,
    hours.active_hours,
    case
      when contract.tool_key is null then 'tool_not_in_catalogue'
      when not has_usage_source.is_there then 'no_usage_source'
      -- Nobody on any day of the period, and for so long that mart_unused_tool says so: 0 tells of no single child.
      when active.active_students is null
        and idle.weeks_without_use >= district.unused_weeks
        and (idle.last_used_on is null or idle.last_used_on < contract.period_starts_on)
        and (contract.seats > 0 or contract.price > 0)
        then null
      when coalesce(active.active_students, 0) < district.minimum_n then 'small_count_low'
      when contract.price_basis = 'site'
        and coalesce(eligible.eligible_students, 0) - coalesce(active.active_students, 0) < district.minimum_n
        then 'small_count_high'
      -- Seats say nothing of who is meant to use them, but mart_adoption does. More users than those: others use it too.
      when coalesce(eligible.eligible_students, 0) - active.active_students between 0 and district.minimum_n - 1
        then 'small_count_high'
      when telling.contract_key is not null then 'complementary'
    end as suppression_reason,
    contract.price_basis = 'per_seat' and contract.seats > 0 as has_seats
  from contract
  cross join district
  cross join has_usage_source
  left join cost on cost.contract_key = contract.contract_key
  left join active on active.contract_key = contract.contract_key
  left join hours on hours.contract_key = contract.contract_key
  left join idle on idle.contract_key = contract.contract_key
  left join telling on telling.contract_key = contract.contract_key
  left join eligible on eligible.contract_key = contract.contract_key

),

shown as (

  select
    *,
    suppression_reason is null as is_shown,
    -- What is known of a small count is its end: of so few, waste is at least what it would be were they n - 1; of nearly all
    -- that seats are for, what it would be were they all.
    case
      when suppression_reason = 'small_count_low' then (select minimum_n - 1 from district)
      when suppression_reason = 'small_count_high' and has_seats then eligible_students
      when suppression_reason is null then active_students
    end as active_at_most
  from measured

),

priced as (

  select
    *,
    currency = 'USD' as is_usd,
    cast(
      case
        when has_seats and active_at_most is not null
          then cast(cost as double) * greatest(seats - active_at_most, 0) / seats
        when not has_seats and active_at_most is not null and eligible_students > 0
          then cast(cost as double) * greatest(eligible_students - active_at_most, 0) / eligible_students
      end as decimal(18, 2)
    ) as wasted
  from shown

)

select
  priced.district_id,
  priced.contract_key,
  priced.tool_key,
  coalesce(tool.tool_name, priced.tool_name_on_contract) as tool_name,
  priced.vendor_name,
  priced.school_year,
  priced.period_starts_on,
  priced.period_ends_on,
  priced.currency,
  priced.cost,
  case when priced.is_usd then priced.cost end as cost_usd,
  cast(priced.price as decimal(18, 2)) as price,
  cast(case when priced.is_usd then priced.price end as decimal(18, 2)) as price_usd,
  priced.price_basis,
  cast(priced.seats as bigint) as seats,
  cast(case when priced.is_shown and priced.has_seats then priced.active_students end as bigint) as seats_used,
  case when priced.is_shown and priced.has_seats then priced.active_students / cast(priced.seats as double) end
    as utilisation_rate,
  cast(case when priced.is_shown then priced.active_students end as bigint) as active_students,
  case when priced.is_shown and priced.is_usd and priced.active_students > 0 then cast(priced.cost as double) / priced.active_students end
    as cost_per_active_student_usd,
  case when priced.is_shown then priced.active_hours end as active_hours,
  case when priced.is_shown then priced.minutes_method end as minutes_method,
  case when priced.is_shown and priced.is_usd and priced.active_hours > 0 then cast(priced.cost as double) / priced.active_hours end
    as cost_per_active_hour_usd,
  priced.wasted,
  case when priced.is_usd then priced.wasted end as wasted_usd,
  case
    when priced.active_at_most is null then null
    when priced.has_seats then 'unused_seats'
    when priced.eligible_students > 0 then 'estimated_from_adoption'
  end as waste_method,
  priced.renewal_on,
  cast(coalesce(priced.notice_days, district.renewal_notice_days) as bigint) as notice_days,
  case when priced.notice_days is null then 'district' else 'contract' end as notice_basis,
  priced.auto_renews,
  {{ days_after("priced.renewal_on", "-coalesce(priced.notice_days, district.renewal_notice_days)") }} as decide_by_on,
  cast({{ days_between("today.today_on", "priced.renewal_on") }} as bigint)
    as days_to_renewal,
  priced.suppression_reason,
  through.data_complete_through
from priced
cross join district
cross join {{ source("config", "today") }} as today
cross join through
left join {{ ref("dim_tool") }} as tool on tool.tool_key = priced.tool_key
