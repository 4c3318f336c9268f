{#-
  Query: called, tool_key. A register's name of a tool is matched to the catalogue's names and ids as written, apart from
  case and outer blanks; a name of several tools is none's.
-#}
{% macro tool_called() -%}
  select called, min(tool_key) as tool_key
  from (
    select lower(trim(tool_name)) as called, tool_id as tool_key from {{ source("config", "tool") }}
    union
    select lower(trim(tool_id)), tool_id from {{ source("config", "tool") }}
  ) as named
  group by called
  having count(distinct tool_key) = 1
{%- endmacro %}
