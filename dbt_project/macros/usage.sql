{#- Use that leaders' numbers count: instructional days, and school hours unless the district widened that. -#}
{% macro counts_for_leaders(is_in_school, count_out_of_school) -%}
  ({{ is_in_school }} or {{ count_out_of_school }})
{%- endmacro %}
