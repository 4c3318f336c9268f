{#- Schemas are named exactly as configured (staging, intermediate, marts): each district has a file of its own. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
  {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
