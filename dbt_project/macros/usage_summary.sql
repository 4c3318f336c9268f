{#- Which kind of districts a row of `grouping sets ((), (free_reduced_band), (black_hispanic_band), (locale))` is of. -#}
{% macro district_group() -%}
case
      when grouping(free_reduced_band) = 0 then 'free_reduced_band'
      when grouping(black_hispanic_band) = 0 then 'black_hispanic_band'
      when grouping(locale) = 0 then 'locale'
      else 'all'
    end as group_dimension,
    case
      when grouping(free_reduced_band) = 0 then free_reduced_band
      when grouping(black_hispanic_band) = 0 then black_hispanic_band
      when grouping(locale) = 0 then locale
      else 'all'
    end as group_value
{%- endmacro %}
