{#-
  How event facts are kept: the dates (or weeks) that a build touches are deleted and written again in one
  transaction. The cost of a build follows what arrived, a late row rebuilds its own date, and a rebuild gives the
  same rows whatever the order of arrival. `landing.touched_date` is written by uptake.warehouse.prepare.
-#}

{% macro get_incremental_replace_dates_sql(arg_dict) -%}
  {{ replace_touched(arg_dict, "on_date", source("landing", "touched_date"), "on_date") }}
{%- endmacro %}

{#- The same, of aggregates: dates of which only events came are left alone. -#}
{% macro get_incremental_replace_summary_dates_sql(arg_dict) -%}
  {{ replace_touched(arg_dict, "on_date", source("landing", "touched_summary_date"), "on_date") }}
{%- endmacro %}

{% macro get_incremental_replace_weeks_sql(arg_dict) -%}
  {{ replace_touched(arg_dict, "week_start_on", source("landing", "touched_week"), "week_start_on") }}
{%- endmacro %}

{% macro replace_touched(arg_dict, column, touched, touched_column) -%}
  {%- set columns = arg_dict["dest_columns"] | map(attribute="quoted") | join(", ") -%}
  delete from {{ arg_dict["target_relation"] }}
  where {{ column }} in (select {{ touched_column }} from {{ touched }});

  insert into {{ arg_dict["target_relation"] }} ({{ columns }})
  select {{ columns }} from {{ arg_dict["temp_relation"] }};
{%- endmacro %}

{#- Condition that keeps a model to the dates being rebuilt. A first build and a full refresh touch every date. -#}
{% macro is_touched_date(column="on_date") -%}
  {{ column }} in (select on_date from {{ source("landing", "touched_date") }})
{%- endmacro %}

{% macro is_touched_summary_date(column="on_date") -%}
  {{ column }} in (select on_date from {{ source("landing", "touched_summary_date") }})
{%- endmacro %}

{% macro is_touched_week(column="week_start_on") -%}
  {{ column }} in (select week_start_on from {{ source("landing", "touched_week") }})
{%- endmacro %}
