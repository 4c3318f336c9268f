-- What each tool will cost in the budget year that is running and the three after it, if everything is kept. What is signed
-- counts as signed, by days. After that a licence or a yearly ingredient comes again, each year for a rise of the price above
-- the year before; low, likely and high rise as the district's setting says. What ended before today, or has a successor in the
-- register (the same ingredient of the tool, from its last day on), does not come again.
with district as (

  select * from {{ source("config", "district") }}

),

today as (

  select today_on from {{ source("config", "today") }}

),

running as (

  select
    case
      when {{ date_of("extract(year from today.today_on)", "district.fiscal_year_starts_in", "1") }} <= today.today_on
        then {{ date_of("extract(year from today.today_on)", "district.fiscal_year_starts_in", "1") }}
      else {{ date_of("extract(year from today.today_on) - 1", "district.fiscal_year_starts_in", "1") }}
    end as starts_on
  from today
  cross join district

),

budget_year as (

  select
    number,
    {{ years_after("running.starts_on", "number") }} as starts_on,
    {{ days_after(years_after("running.starts_on", "number + 1"), -1) }} as ends_on
  from running
  cross join (select {{ whole_numbers(0, 4) }} as number) as numbers

),

item as (

  select
    ingredient.*,
    {{ days_between("ingredient.starts_on", "ingredient.ends_on") }} + 1 as days,
    -- Twelve months, or a whole number of them: a year of it costs that part of the price, whether or not it is a leap year.
    {{ whole_years_between("ingredient.starts_on", days_after("ingredient.ends_on", 1)) }} as whole_years,
    ingredient.is_recurring
      and ingredient.ends_on >= today.today_on
      and not exists (
        select 1
        from {{ ref("fct_cost_ingredient") }} as later
        where coalesce(later.tool_key, lower(later.tool_name_on_register))
            = coalesce(ingredient.tool_key, lower(ingredient.tool_name_on_register))
          and later.ingredient = ingredient.ingredient
          and later.ingredient_key <> ingredient.ingredient_key
          and later.starts_on >= ingredient.ends_on
      ) as comes_again
  from {{ ref("fct_cost_ingredient") }} as ingredient
  cross join today
  where ingredient.ends_on >= ingredient.starts_on

),

-- rises: how often the price has risen since it was signed. share: of the signed amount, for the whole stretch.
stretch as (

  select item.*, 0 as rises, item.starts_on as from_on, item.ends_on as to_on, cast(1 as double) as share
  from item

  union all

  select
    again.*,
    case
      when {{ years_after("starts_on", "whole_years") }} = {{ days_after("ends_on", 1) }} then 1 / cast(whole_years as double)
      else ({{ days_between("from_on", "to_on") }} + 1) / cast(days as double)
    end as share
  from (
    select
      item.*,
      numbers.number as rises,
      {{ years_after(days_after("item.ends_on", 1), "numbers.number - 1") }} as from_on,
      {{ days_after(years_after(days_after("item.ends_on", 1), "numbers.number"), -1) }} as to_on
    from item
    cross join (select {{ whole_numbers(1, 5) }} as number) as numbers
    where item.comes_again
  ) as again

),

part as (

  select
    stretch.*,
    budget_year.starts_on as year_starts_on,
    budget_year.ends_on as year_ends_on,
    stretch.share
      * ({{ days_between("greatest(stretch.from_on, budget_year.starts_on)", "least(stretch.to_on, budget_year.ends_on)") }} + 1)
      / ({{ days_between("stretch.from_on", "stretch.to_on") }} + 1) as part
  from stretch
  inner join budget_year on stretch.from_on <= budget_year.ends_on and stretch.to_on >= budget_year.starts_on

)

select
  district.district_id,
  part.tool_key,
  coalesce(tool.tool_name, part.tool_name_on_register) as tool_name,
  part.currency,
  part.ingredient,
  part.year_starts_on,
  part.year_ends_on,
  {%- for end in ["low", "likely", "high"] %}
  cast(
    sum(part.cost_{{ end }} * part.part * power(cast(1 + district.price_rise_{{ end }} as double), part.rises)) as decimal(18, 2)
  ) as cost_{{ end }},
  {%- endfor %}
  cast(sum(case when part.rises = 0 then part.cost_likely * part.part else 0 end) as decimal(18, 2)) as signed_cost
from part
cross join district
left join {{ ref("dim_tool") }} as tool on tool.tool_key = part.tool_key
group by
  district.district_id, part.tool_key, coalesce(tool.tool_name, part.tool_name_on_register), part.currency, part.ingredient,
  part.year_starts_on, part.year_ends_on
