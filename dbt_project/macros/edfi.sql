{#- One text for what Ed-Fi knows by several values: its natural key. NULL where a part is not known. -#}
{% macro edfi_key(relation, columns) -%}
  {%- set prefix = relation ~ "." if relation else "" -%}
  {{ own_or_shared(prefix ~ "source", prefix ~ columns | join(" || ':' || " ~ prefix)) }}
{%- endmacro %}

{% macro edfi_session_key(relation=none) -%}
  {{ edfi_key(relation, ["school_id", "school_year", "session_name"]) }}
{%- endmacro %}

{% macro edfi_course_key(relation=none) -%}
  {{ edfi_key(relation, ["education_organization_id", "course_code"]) }}
{%- endmacro %}

{% macro edfi_class_key(relation=none) -%}
  {{ edfi_key(relation, ["school_id", "school_year", "session_name", "local_course_code", "section_identifier"]) }}
{%- endmacro %}
