{#- The key is unique. `only_touched_dates` keeps a large fact's test to the dates that a build made. -#}
{% test unique_key(model, columns, only_touched_dates=false) %}
select {{ columns | join(", ") }}, count(*) as rows_of_key
from {{ model }}
{%- if only_touched_dates %}
where {{ is_touched_date() }}
{%- endif %}
group by {{ columns | join(", ") }}
having count(*) > 1
{% endtest %}
