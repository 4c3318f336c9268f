{#-
  Parts a whole amount over rows by weight so that the parts add up to it: everybody is rounded down, and what is left
  goes one by one to the largest remainders (Hamilton's method), ties to the first in `order_by`. Whole numbers
  throughout, so the parts are exact. Needs a positive total weight for each key.
-#}
{% macro largest_remainder(relation, keys, amount, weight, order_by) -%}
  {%- set by_keys = keys | join(", ") -%}
  with weighed as (
    select *, sum({{ weight }}) over (partition by {{ by_keys }}) as total_weight
    from {{ relation }}
  ),
  floored as (
    select
      *,
      cast(({{ amount }} * {{ weight }}) // total_weight as bigint) as floor_part,
      ({{ amount }} * {{ weight }}) % total_weight as remainder
    from weighed
  )
  select
    * exclude (total_weight, floor_part, remainder),
    floor_part
    + case
      when row_number() over (partition by {{ by_keys }} order by remainder desc, {{ order_by }})
        <= {{ amount }} - sum(floor_part) over (partition by {{ by_keys }})
        then 1
      else 0
    end as part
  from floored
{%- endmacro %}
