{#-
  How weekly marts are kept. A week is made once it is complete, and again when data of it, or of a week that its windows
  look back to, arrives. `int_week_to_build` says which; they are deleted and written again in one transaction.
-#}
{% macro get_incremental_replace_built_weeks_sql(arg_dict) -%}
  {%- set columns = arg_dict["dest_columns"] | map(attribute="quoted") | join(", ") -%}
  delete from {{ arg_dict["target_relation"] }}
  where week_start_on in (select week_start_on from {{ ref("int_week_to_build") }})
    or week_start_on not in (select week_start_on from {{ ref("int_week") }} where is_complete);

  insert into {{ arg_dict["target_relation"] }} ({{ columns }})
  select {{ columns }} from {{ arg_dict["temp_relation"] }};
{%- endmacro %}

{% macro is_week_to_build(column="week_start_on") -%}
  {%- do ref("int_week") -%} {#- the strategy reads it, which dbt cannot see -#}
  {{ column }} in (select week_start_on from {{ ref("int_week_to_build") }})
{%- endmacro %}

{#- Stands where a tool's key stands, for use of any tool of the catalogue. -#}
{% macro any_tool() -%}
  '__any_tool__'
{%- endmacro %}

{#- 'Grade 4' for the code '04'; other codes as they are known. -#}
{% macro grade_name(grade) -%}
  case {{ grade }}
    when 'IT' then 'Infant and toddler'
    when 'PR' then 'Preschool'
    when 'PK' then 'Prekindergarten'
    when 'TK' then 'Transitional kindergarten'
    when 'KG' then 'Kindergarten'
    else concat('Grade ', coalesce(cast(try_cast({{ grade }} as integer) as varchar), {{ grade }}))
  end
{%- endmacro %}

{#-
  Query: school_year and year_starts_on of the last complete day; between two years, of the one that ended.

  through: relation of one row with data_complete_through.
-#}
{% macro school_year_so_far(through) -%}
  select school_year, min(on_date) as year_starts_on
  from {{ source("config", "calendar_day") }}
  where school_year = (
    select max_by(calendar_day.school_year, calendar_day.on_date)
    from {{ source("config", "calendar_day") }} as calendar_day
    cross join {{ through }} as through
    where calendar_day.on_date <= through.data_complete_through
  )
  group by school_year
{%- endmacro %}
