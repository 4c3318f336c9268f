{{ config(schema="intermediate", contract={"enforced": false}, meta={"is_always_made": true}) }}
-- depends_on: {{ ref("dim_contract") }}
-- depends_on: {{ ref("int_merged_subgroup") }}
-- Weeks that this build makes: complete ones that are not there yet, that data arrived for, whose look-back reaches into such
-- a week, that a contract now covers for which they have no row, or whose small subgroups are now merged otherwise.
{%- set built = adapter.get_relation(this.database, "marts", "mart_adoption") -%}
{%- set atoms = adapter.get_relation(this.database, "intermediate", "int_enrolled_atom") -%}
{%- set is_first = built is none or should_full_refresh() %}
with week as (

  select * from {{ ref("int_week") }} where is_complete

),

touched as (

  select week.school_year, week.week_number
  from week
  inner join {{ source("landing", "touched_week") }} as touched on touched.week_start_on = week.week_start_on

)

select week.week_start_on
from week
cross join {{ source("config", "district") }} as district
where {{ "true" if is_first else "false" }}
  or exists (
    select 1
    from touched
    where touched.school_year = week.school_year
      and week.week_number between touched.week_number and touched.week_number + district.consistent_window_weeks - 1
  )
  {%- if not is_first %}
  or week.week_start_on not in (select week_start_on from {{ built }})
  or exists (
    select 1
    from {{ ref("dim_contract") }} as contract
    where contract.starts_on <= week.last_day_on
      and contract.ends_on >= week.first_day_on
      and contract.tool_key in (select tool_key from {{ built }})
      and not exists (
        select 1 from {{ built }} as built
        where built.week_start_on = week.week_start_on and built.tool_key = contract.tool_key
      )
  )
  {%- endif %}
  {%- if not is_first and atoms is not none %}
  or exists (
    select 1
    from {{ ref("int_merged_subgroup") }} as merged
    left join (select distinct week_start_on, dimension, subgroup from {{ atoms }}) as built
      on built.week_start_on = week.week_start_on
      and built.dimension = merged.dimension
      and built.subgroup = merged.subgroup
    where merged.school_year = week.school_year
      and ((built.subgroup is null) = (merged.shown_as = merged.subgroup))
  )
  {%- endif %}
