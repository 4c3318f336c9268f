{#- Of the people of a group the one for whom the condition holds, else the only one that there is; NULL where they are several. -#}
{% macro the_one(person, condition) -%}
  case
    when count(distinct case when {{ condition }} then {{ person }} end) = 1
      then min(case when {{ condition }} then {{ person }} end)
    when {{ count_where(condition) }} = 0 and count(distinct {{ person }}) = 1 then min({{ person }})
  end
{%- endmacro %}

{#- Query: identifier_kind, identifier, the person and is_deleted, of every identifier that records of rosters have. -#}
{% macro identifiers_of(records, person) -%}
  {%- for identifier_kind, column in [
    ("sis_user", "sis_id"), ("email", "email"), ("username", "username"), ("sis_number", "sis_number")
  ] %}
  select '{{ identifier_kind }}' as identifier_kind, {{ column }} as identifier, {{ person }}, is_deleted
  from {{ records }}
  where {{ column }} is not null

  union all
  {%- endfor %}

  select account_kind, record_key, {{ person }}, is_deleted
  from {{ records }}
  where account_kind is not null
{%- endmacro %}

{#-
  Common table expressions of a `with recursive`: <name>_member (member_key, group_key), everything that hangs together by the
  links of a relation, through however many others. Members without a link have no row. What hangs together must be little (the
  records of one person): each pair of it is a row.
-#}
{% macro connected(name, relation, one, other) -%}
{{ name }}_edge as (

  select {{ one }} as near_key, {{ other }} as far_key from {{ relation }}
  union
  select {{ other }}, {{ one }} from {{ relation }}

),

{{ name }}_reach as (

  select near_key as member_key, far_key as reached_key from {{ name }}_edge
  union
  select reach.member_key, edge.far_key
  from {{ name }}_reach as reach
  inner join {{ name }}_edge as edge on edge.near_key = reach.reached_key

),

{{ name }}_member as (

  -- each reaches itself by way of another one
  select member_key, min(reached_key) as group_key from {{ name }}_reach group by member_key

)
{%- endmacro %}

{#- A key that is of no person: other sources' too, unless the source's ids are its own (`ids: own`). -#}
{% macro own_or_shared(source_column, key) -%}
  case
    when {{ source_column }} in (select source from {{ source("config", "source") }} where has_own_ids)
      then concat({{ source_column }}, ':', {{ key }})
    else {{ key }}
  end
{%- endmacro %}
