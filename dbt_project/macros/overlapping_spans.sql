{#- Pairs of spans of one key that hold a date in common. -#}
{% macro overlapping_spans(relation, keys) -%}
  select *
  from (
    select
      {{ keys | join(", ") }},
      starts_on,
      ends_on,
      lead(starts_on) over (partition by {{ keys | join(", ") }} order by starts_on, ends_on) as next_starts_on
    from {{ relation }}
  ) as ordered
  where next_starts_on <= ends_on or ends_on < starts_on
{%- endmacro %}
