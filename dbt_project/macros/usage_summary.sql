{#-
  A measurement as a decimal with millionths. Sums of such numbers are the same in whatever order they are made, so that
  an increment and a full refresh agree to the last digit.
-#}
{% macro exact(measure) -%}
  cast({{ measure }} as decimal(38, 6))
{%- endmacro %}

{#- Quotient of an exact sum and its count; the sum of none is NULL, and so is its mean. -#}
{% macro mean_of_exact(total, n) -%}
  cast({{ total }} as double) / {{ n }}
{%- endmacro %}

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
