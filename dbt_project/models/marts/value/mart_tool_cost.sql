-- What each tool has cost this school year so far, all ingredients together and one by one, and for each of its users and
-- hours. Low and high are the ends of what the register's ranges allow (fct_cost_ingredient). Users and hours are those that
-- mart_value shows: where they are hidden there, nothing here is divided by them.
with through as (

  select data_complete_through from {{ ref("int_district_through") }}

),

year as (

  {{ school_year_so_far("through") }}

),

span as (

  select
    ingredient.*,
    greatest(ingredient.starts_on, year.year_starts_on) as period_starts_on,
    least(ingredient.ends_on, through.data_complete_through) as period_ends_on
  from {{ ref("fct_cost_ingredient") }} as ingredient
  cross join year
  cross join through
  where ingredient.ingredient <> 'licence'
    and ingredient.ends_on >= year.year_starts_on
    and ingredient.starts_on <= through.data_complete_through
    and ingredient.ends_on >= ingredient.starts_on

),

day as (

  select ingredient_key, starts_on, period_starts_on, period_ends_on, {{ each_date("starts_on", "ends_on") }} as on_date
  from span

),

-- As a contract's price (fct_contract_period): over years of twelve months by days, within one by days with instruction, or by
-- plain days in a year for which the calendar knows none.
part_of_year as (

  select
    day.ingredient_key,
    {{ whole_years_between("day.starts_on", "day.on_date") }} as year_number,
    count(*) as days,
    {{ count_where("day.on_date between day.period_starts_on and day.period_ends_on") }} as days_so_far,
    {{ count_where("calendar_day.is_instructional") }} as instructional_days,
    {{ count_where("calendar_day.is_instructional and day.on_date between day.period_starts_on and day.period_ends_on") }}
      as instructional_days_so_far
  from day
  left join {{ source("config", "calendar_day") }} as calendar_day on calendar_day.on_date = day.on_date
  group by day.ingredient_key, {{ whole_years_between("day.starts_on", "day.on_date") }}

),

share as (

  select
    ingredient_key,
    sum(
      days * case
        when instructional_days > 0 then instructional_days_so_far / cast(instructional_days as double)
        else days_so_far / cast(days as double)
      end
    ) / sum(days) as so_far
  from part_of_year
  group by ingredient_key

),

paid as (

  select
    span.tool_key,
    span.tool_name_on_register as tool_name,
    span.currency,
    span.ingredient,
    cast(span.cost_low * share.so_far as decimal(18, 2)) as cost_low,
    cast(span.cost_likely * share.so_far as decimal(18, 2)) as cost_likely,
    cast(span.cost_high * share.so_far as decimal(18, 2)) as cost_high
  from span
  inner join share on share.ingredient_key = span.ingredient_key

  union all

  select tool_key, tool_name, currency, 'licence', cost, cost, cost
  from {{ ref("mart_value") }}

),

named as (

  select paid.* exclude (tool_name), coalesce(tool.tool_name, paid.tool_name) as tool_name
  from paid
  left join {{ ref("dim_tool") }} as tool on tool.tool_key = paid.tool_key

),

summed as (

  select
    tool_key,
    tool_name,
    currency,
    ingredient,
    sum(cost_low) as cost_low,
    sum(cost_likely) as cost_likely,
    sum(cost_high) as cost_high
  from named
  group by tool_key, tool_name, currency, ingredient

  union all

  select tool_key, tool_name, currency, 'all', sum(cost_low), sum(cost_likely), sum(cost_high)
  from named
  group by tool_key, tool_name, currency

),

-- Contracts of one tool see the same users in the same days; of different days, the users of all of them are not known.
used as (

  select
    tool_key,
    min(period_starts_on) = max(period_starts_on) and min(period_ends_on) = max(period_ends_on) as is_one_period,
    max(suppression_reason) as suppression_reason,
    case when count(active_students) = count(*) then max(active_students) end as active_students,
    case when count(active_students) = count(*) then max(active_hours) end as active_hours
  from {{ ref("mart_value") }}
  where tool_key is not null
  group by tool_key

),

divided as (

  select
    summed.*,
    case when used.is_one_period then used.active_students end as active_students,
    case when used.is_one_period then used.active_hours end as active_hours,
    case
      when summed.tool_key is null then 'tool_not_in_catalogue'
      when used.tool_key is null then 'no_contract'
      when not used.is_one_period then 'contracts_of_different_days'
      when used.active_students is null then used.suppression_reason
      when used.active_students = 0 then 'no_use'
    end as undefined_reason
  from summed
  left join used on used.tool_key = summed.tool_key

)

select
  district.district_id,
  year.school_year,
  divided.tool_key,
  divided.tool_name,
  divided.currency,
  divided.ingredient,
  cast(divided.cost_low as decimal(18, 2)) as cost_low,
  cast(divided.cost_likely as decimal(18, 2)) as cost_likely,
  cast(divided.cost_high as decimal(18, 2)) as cost_high,
  cast(divided.active_students as bigint) as active_students,
  {%- for end in ["low", "likely", "high"] %}
  cast(case when divided.active_students > 0 then divided.cost_{{ end }} / divided.active_students end as decimal(18, 2))
    as cost_per_active_student_{{ end }},
  {%- endfor %}
  divided.active_hours,
  {%- for end in ["low", "likely", "high"] %}
  cast(case when divided.active_hours > 0 then divided.cost_{{ end }} / divided.active_hours end as decimal(18, 2))
    as cost_per_active_hour_{{ end }},
  {%- endfor %}
  divided.undefined_reason,
  through.data_complete_through
from divided
cross join {{ source("config", "district") }} as district
cross join year
cross join through
