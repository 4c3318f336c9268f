{#-
  Categories of a web filter whose requests no person asks for, as Cisco Talos names them
  (https://talosintelligence.com/categories): updates, advertisements and what pages load from elsewhere.
-#}
{% macro background_categories() -%}
  {{ return(["Software Updates", "Advertisements", "Infrastructure and Content Delivery Networks"]) }}
{%- endmacro %}
