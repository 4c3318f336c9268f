{#-
  Small-cell suppression: which counts of people may be shown, so that none that is hidden can be worked out from the
  others. docs/privacy.md says the rules in words; tests/warehouse/attack.py tries to break them.

  A table of counts has the margins that readers see: for one tool and week, a district and its schools, each for all
  students and for the subgroups of every dimension. Schools add up to their district, subgroups to all students.

  1. Primary. A count is sensitive when it, or what is left of its group, is smaller than n (`minimum_n`).
  2. Complementary. Whatever is hidden in a family (the schools of a subgroup, the subgroups of an organisation) must, taken
     together, be large enough to be shown: at least two cells, at least n counted and n not counted.
  3. Certificate. Rule 2 looks at one family at a time, and two families together can still give a number away. So for each
     sensitive count the possible values are counted: how far it can rise and fall when hidden counts are exchanged over a
     rectangle (two rows, two columns), which changes no margin. Every such exchange is a table that the reader cannot tell
     from the true one, so the range is one that no method can narrow (of these margins). Fewer than w = ceil(n / 2)
     possible values: more is hidden, at worst the whole dimension.
  4. Ends. A hidden count is told to be low or high only where the certificate still holds with that said.

  Source of the terms: Hundepool et al., Statistical Disclosure Control (2012), ch. 4 (primary, secondary suppression,
  protection intervals); NCES 2011-603 (ends of the scale); the rectangle is Gusfield's mixed cycle of length four
  (A graph theoretic approach to statistical data security, SIAM J. Comput. 17, 1988).
-#}

{#- Fewest values that a hidden count must be able to have. -#}
{% macro least_possible_values(minimum_n) -%}
  cast(({{ minimum_n }} + 1) // 2 as bigint)
{%- endmacro %}

{#- Base to which counts of a grade are rounded: the first odd number from `least_possible_values` on, so that each shown
    count stands for that many values. -#}
{% macro rounding_base(minimum_n) -%}
  cast(2 * (({{ minimum_n }} + 1) // 4) + 1 as bigint)
{%- endmacro %}

{% macro rounded_count(value, minimum_n) -%}
  cast({{ rounding_base(minimum_n) }} * (({{ value }} + {{ rounding_base(minimum_n) }} // 2) // {{ rounding_base(minimum_n) }}) as bigint)
{%- endmacro %}

{#- A count without a ceiling of its own (how many there are) has no "rest": this stands for it. -#}
{% macro no_ceiling() -%}
  cast(1000000000 as bigint)
{%- endmacro %}

{#-
  One row for each row of `cells`, with: is_hidden; is_sensitive (hidden for its own sake); has_end (it may be told which
  end of the scale it lies at); low, high (what the reader may know of a hidden count).

  cells: relation with the columns of `context` (one table of counts for each combination) and
    org_level 'district' | 'school', org_key, dimension, subgroup ('all_students' twice for the margin),
    value  count of people,
    ceiling  the group that `value` is part of; NULL where value is the size of the group itself,
    is_small_group  the group itself is too small to show,
    is_forced  hidden already by another measure,
    identity, copy_of  see `same_people`,
    minimum_n
  identity_scope: columns within which cells with the same `identity` are the same number, and share one fate.
-#}
{% macro suppressed_counts(cells, context, identity_scope) -%}
{%- set by = context | join(", ") -%}
with suppression_cell as materialized (
  select
    {{ by }},
    {% for column in identity_scope if column not in context %}{{ column }}, {% endfor -%}
    org_level, org_key, dimension, subgroup, value,
    ceiling is not null as has_ceiling,
    case when ceiling is null then {{ no_ceiling() }} else ceiling - value end as rest,
    minimum_n, identity, copy_of, is_small_group, is_forced,
    is_small_group or value < minimum_n or (ceiling is not null and ceiling - value < minimum_n) as is_sensitive,
    is_small_group or is_forced or value < minimum_n or (ceiling is not null and ceiling - value < minimum_n) as is_hidden
  from {{ cells }}
  where coalesce(ceiling, value) > 0
),
{{ suppression_passes("suppression_cell", "first", context, identity_scope, passes=3) }},
{{ suppression_certificate("first", "first_certificate", context, ends=false) }},
-- Not certified: the two rows that can give most are hidden with the rows in need, so that exchanges are possible.
helper as (
  select
    {{ by }}, dimension, org_key, is_sensitive_row,
    row_number() over (partition by {{ by }}, dimension order by is_sensitive_row, most_to_give desc, org_key) as helper_no
  from (
    select
      {{ by }}, dimension, org_key,
      min(least(value, rest)) as most_to_give,
      bool_or(values_possible < values_needed) as is_sensitive_row
    from first_certificate
    where org_level = 'school' and copy_of is null
    group by {{ by }}, dimension, org_key
    having count(*) > 1
  ) as org_row
),
helped as materialized (
  select cell.* replace (
    cell.is_hidden or coalesce(
      need.is_in_need and cell.copy_of is null and (helper.is_sensitive_row or helper.helper_no <= 2), false
    ) as is_hidden
  )
  from first as cell
  left join (
    select {{ by }}, dimension, bool_or(values_possible < values_needed) as is_in_need
    from first_certificate group by {{ by }}, dimension
  ) as need using ({{ by }}, dimension)
  left join helper
    on {% for column in context %}helper.{{ column }} = cell.{{ column }} and {% endfor -%}
    helper.dimension = cell.dimension and helper.org_key = cell.org_key and cell.org_level = 'school'
),
{{ suppression_passes("helped", "second", context, identity_scope, passes=2) }},
{{ suppression_certificate("second", "second_certificate", context, ends=false) }},
-- Still not: no school shows this dimension.
{{ suppression_closure("second", "second_certificate", "closed_in_schools", context, levels=["school"]) }},
{{ suppression_passes("closed_in_schools", "third", context, identity_scope, passes=2) }},
{{ suppression_certificate("third", "third_certificate", context, ends=false) }},
-- Still not: nobody shows it.
{{ suppression_closure("third", "third_certificate", "closed_everywhere", context, levels=["school", "district"]) }},
{{ suppression_passes("closed_everywhere", "settled", context, identity_scope, passes=2) }},
{{ suppression_certificate("settled", "coded_certificate", context, ends=true) }},
-- Ends are told in a table only where every sensitive count of it stays certified with them.
{{ suppression_family_ranges("coded_certificate", "coded_family", context) }},
table_end as (
  select
    {{ by }}, org_level, dimension,
    bool_and(not is_sensitive or not is_hidden or family_values_possible >= values_needed)
    and not (dimension = 'all_students' and bool_or(has_untold_subgroup)) as is_end_told
  from (
    select
      *,
      -- The end of a school's total says as much of its subgroups.
      bool_or(is_sensitive and is_hidden and values_possible < values_needed)
        over (partition by {{ by }}, org_level, org_key) as has_untold_subgroup
    from coded_family
  ) as cell
  group by {{ by }}, org_level, dimension
),
end_told as (
  -- What is told in one place is told in every place where the same people stand.
  select
    coded_family.*,
    bool_and(table_end.is_end_told) over (partition by {{ identity_scope | join(", ") }}, identity) as is_end_told
  from coded_family
  inner join table_end using ({{ by }}, org_level, dimension)
)
select
  * exclude (
    low, high, up, down, values_possible, values_needed, family_values_possible, is_total_hidden, is_end_told, rest, is_forced
  ),
  is_hidden and is_sensitive and is_end_told and subgroup <> 'unknown' as has_end,
  case when not is_hidden then value when is_end_told then low else 0 end as low,
  case when not is_hidden then value when is_end_told then high when has_ceiling then value + rest end as high
from end_told
{%- endmacro %}

{#-
  Rounds of complementary suppression, as CTEs ending in one called `name`. A round extends what is hidden in each column
  (schools of a subgroup) and each row (subgroups of an organisation), gives the same fate to the same people, and closes
  from the top: what is hidden for all students of an organisation is hidden for its subgroups, and what is hidden for the
  district is hidden for its schools.
-#}
{% macro suppression_passes(cells, name, context, identity_scope, passes) -%}
{%- set by = context | join(", ") -%}
{%- for number in range(passes) -%}
{%- set before = cells if loop.first else name ~ "_" ~ (number - 1) -%}
{{ name }}_{{ number }}_column as materialized (
  select * replace ({{ extended_hiding() }} as is_hidden)
  from {{ before }}
  window
    family as (partition by {{ by }}, org_level, dimension, subgroup),
    before as (
      partition by {{ by }}, org_level, dimension, subgroup
      order by is_hidden desc, copy_of is not null, value, org_key rows between unbounded preceding and 1 preceding
    )
),
{{ name }}_{{ number }}_row as materialized (
  select * replace ({{ extended_hiding() }} as is_hidden)
  from {{ name }}_{{ number }}_column
  window
    family as (partition by {{ by }}, org_level, org_key, dimension),
    before as (
      partition by {{ by }}, org_level, org_key, dimension
      -- 'no' goes before the rest: a reader who asks about a group asks about 'yes'.
      order by is_hidden desc, copy_of is not null, subgroup <> 'no', value, subgroup rows between unbounded preceding and 1 preceding
    )
),
{{ name }}_{{ number }}_same as materialized (
  select * replace (bool_or(is_hidden) over (partition by {{ identity_scope | join(", ") }}, identity) as is_hidden)
  from {{ name }}_{{ number }}_row
),
{{ name if loop.last else name ~ "_" ~ number }} as materialized (
  select * replace (
    bool_or(is_hidden and dimension = 'all_students') over (partition by {{ by }}, org_level, org_key)
    -- (a subgroup that is all of its school is shown or hidden as the school is)
    or (
      bool_or(is_hidden and org_level = 'district') over (partition by {{ by }}, dimension, subgroup)
      and copy_of is distinct from 'all_students'
    )
    or bool_or(is_hidden and org_level = 'district' and dimension = 'all_students') over (partition by {{ by }})
    or is_hidden as is_hidden
  )
  from {{ name }}_{{ number }}_same
){{ ",
" if not loop.last }}
{%- endfor -%}
{%- endmacro %}

{#- A family with hidden cells takes further cells, smallest first, until all that it hides could be shown as one. -#}
{% macro extended_hiding() -%}
  is_hidden or (
    bool_or(is_hidden) over family
    and count(*) over family > 1
    and not coalesce(
      count(*) over before >= 2
      and sum(value) over before >= minimum_n
      and sum(rest) over before >= minimum_n
      and sum(value + rest) over before - max(value + rest) over before >= minimum_n,
      false
    )
  )
{%- endmacro %}

{#- Dimensions with a sensitive count that is not certified are hidden at the levels named. -#}
{% macro suppression_closure(cells, certificate, name, context, levels) -%}
{%- set by = context | join(", ") -%}
{{ name }} as materialized (
  select cell.* replace (
    cell.is_hidden
    or (need.is_in_need and cell.org_level in ('{{ levels | join("', '") }}') {%- if "district" not in levels %} and cell.copy_of is null{% endif %})
      as is_hidden
  )
  from {{ cells }} as cell
  inner join (
    select {{ by }}, dimension, bool_or(values_possible < values_needed and dimension <> 'all_students') as is_in_need
    from {{ certificate }} group by {{ by }}, dimension
  ) as need using ({{ by }}, dimension)
)
{%- endmacro %}

{% macro least_known() -%}
  case when has_ceiling then 0 when org_level = 'district' then greatest(is_listed::int, schools_listed) else is_listed::int end
{%- endmacro %}

{#-
  CTEs ending in one called `name`: the cells with low and high (what a reader knows of each by itself), up and down (how
  far a hidden one can move by exchanges that change no margin), values_possible and values_needed.
  ends: whether the reader is told at which end of the scale a sensitive count lies.
-#}
{% macro suppression_certificate(cells, name, context, ends) -%}
{%- set by = context | join(", ") -%}
{{ name }}_known as materialized (
  select
    * exclude (is_listed, schools_listed),
    {%- if ends %}
    case
      when not is_hidden or subgroup = 'unknown' or is_small_group or (is_forced and is_sensitive) then {{ least_known() }}
      when not is_sensitive then minimum_n
      when value + rest < 2 * minimum_n or value < minimum_n then {{ least_known() }}
      else value + rest - minimum_n + 1
    end as low,
    case
      when is_small_group and has_ceiling then minimum_n - 1
      when subgroup = 'unknown' or (is_forced and is_sensitive) then value + rest
      when not is_sensitive then case when has_ceiling then value + rest - minimum_n else {{ no_ceiling() }} end
      when value < minimum_n and (not has_ceiling or value + rest >= 2 * minimum_n) then minimum_n - 1
      else value + rest
    end as high
    {%- else %}
    {{ least_known() }} as low,
    -- The size of a small group is hidden too: all that is known is that it is smaller than n.
    case when is_small_group then minimum_n - 1 else value + rest end as high
    {%- endif %}
  from (
    select *, count(*) filter (where is_listed and org_level = 'school') over (partition by {{ by }}, dimension, subgroup) as schools_listed
    from (
      select
        *,
        -- A listed count is known to be there: nobody lists an empty group. 'unknown' is not listed, nor are the
        -- subgroups of an organisation too small to show.
        subgroup <> 'unknown' and (
          dimension = 'all_students'
          or not bool_or(is_hidden and dimension = 'all_students') over (partition by {{ by }}, org_level, org_key)
        ) as is_listed
      from {{ cells }}
    ) as cell
  ) as cell
),
-- What one row can give of one column while it takes as much in another.
{{ name }}_give as materialized (
  select
    {{ by }}, dimension, giver.org_level, giver.org_key,
    giver.subgroup as giver, taker.subgroup as taker,
    least(giver.value - giver.low, taker.high - taker.value) as gives
  from {{ name }}_known as giver
  inner join {{ name }}_known as taker using ({{ by }}, dimension, org_level, org_key)
  where giver.is_hidden and taker.is_hidden and giver.subgroup <> taker.subgroup
),
{{ name }}_exchange as materialized (
  select
    {{ by }}, dimension, one_row.org_key, one_row.giver, one_row.taker,
    least(
      one_row.gives,
      greatest(
        -- The other schools do the opposite ...
        coalesce(
          sum(one_back.gives) over (partition by {{ by }}, dimension, one_row.giver, one_row.taker), 0
        ) - one_back.gives,
        -- ... or the district's own two counts are hidden, and move with this row.
        coalesce(district.gives, 0)
      )
    ) as amount
  from {{ name }}_give as one_row
  inner join {{ name }}_give as one_back
    using ({{ by }}, dimension, org_level, org_key)
  left join {{ name }}_give as district
    on {% for column in context %}district.{{ column }} = one_row.{{ column }} and {% endfor -%}
    district.dimension = one_row.dimension and district.org_level = 'district'
    and district.giver = one_row.giver and district.taker = one_row.taker
  where one_row.org_level = 'school' and one_back.giver = one_row.taker and one_back.taker = one_row.giver
),
{{ name }}_move as (
  select {{ by }}, dimension, org_key, subgroup, max(up) as up, max(down) as down
  from (
    select {{ by }}, dimension, org_key, taker as subgroup, amount as up, 0 as down from {{ name }}_exchange
    union all
    select {{ by }}, dimension, org_key, giver as subgroup, 0 as up, amount as down from {{ name }}_exchange
  ) as one_move
  group by {{ by }}, dimension, org_key, subgroup
),
-- Schools whose totals are hidden can also exchange with one another within a column, as far as the totals may move.
{{ name }}_untotalled as (
  select
    {{ by }}, dimension, org_key, subgroup,
    least(high - value, total_up, sum(value - low) over same_column - (value - low)) as up,
    least(value - low, total_down, sum(high - value) over same_column - (high - value)) as down
  from (
    select
      *,
      bool_or(is_hidden and dimension = 'all_students') over (partition by {{ by }}, org_level, org_key) as is_total_hidden,
      max(high - value) filter (where dimension = 'all_students') over (partition by {{ by }}, org_level, org_key) as total_up,
      max(value - low) filter (where dimension = 'all_students') over (partition by {{ by }}, org_level, org_key) as total_down
    from {{ name }}_known
  ) as cell
  where is_total_hidden and org_level = 'school'
  window same_column as (partition by {{ by }}, dimension, subgroup)
),
{{ name }} as materialized (
  select
    cell.*,
    greatest(coalesce(one_move.up, 0), coalesce(untotalled.up, 0)) as up,
    greatest(coalesce(one_move.down, 0), coalesce(untotalled.down, 0)) as down,
    case
      when not (cell.is_hidden and cell.is_sensitive and cell.org_level = 'school' and cell.dimension <> 'all_students')
        then {{ no_ceiling() }}
      else 1
        + greatest(coalesce(one_move.up, 0), coalesce(untotalled.up, 0))
        + greatest(coalesce(one_move.down, 0), coalesce(untotalled.down, 0))
    end as values_possible,
    {{ least_possible_values("cell.minimum_n") }} as values_needed
  from {{ name }}_known as cell
  left join {{ name }}_move as one_move
    on {% for column in context %}one_move.{{ column }} = cell.{{ column }} and {% endfor -%}
    one_move.dimension = cell.dimension and one_move.org_key = cell.org_key and one_move.subgroup = cell.subgroup
    and cell.org_level = 'school'
  left join {{ name }}_untotalled as untotalled
    on {% for column in context %}untotalled.{{ column }} = cell.{{ column }} and {% endfor -%}
    untotalled.dimension = cell.dimension and untotalled.org_key = cell.org_key and untotalled.subgroup = cell.subgroup
    and cell.org_level = 'school'
)
{%- endmacro %}

{#-
  Adds family_values_possible: the certificate of a school's subgroups as it is, and for families that stand alone (schools
  for all students, the district's subgroups) the exact range that the family's known sum leaves to each hidden count.
-#}
{% macro suppression_family_ranges(certificate, name, context) -%}
{%- set by = context | join(", ") -%}
{{ name }} as materialized (
  select
    *,
    least(
      values_possible,
      case
        -- A hidden total leaves the family's sum open.
        when not is_hidden or is_total_hidden then {{ no_ceiling() }}
        when org_level = 'school' and dimension = 'all_students' then 1
          + least(high - value, sum(value - low) filter (where is_hidden) over column_family - (value - low))
          + least(value - low, sum(high - value) filter (where is_hidden) over column_family - (high - value))
        when org_level = 'district' and dimension <> 'all_students' then 1
          + least(high - value, sum(value - low) filter (where is_hidden) over row_family - (value - low))
          + least(value - low, sum(high - value) filter (where is_hidden) over row_family - (high - value))
        else {{ no_ceiling() }}
      end
    ) as family_values_possible
  from (
    select
      *,
      bool_or(is_hidden and org_level = 'district' and dimension = 'all_students') over (partition by {{ by }}) as is_total_hidden
    from {{ certificate }}
  ) as cell
  window
    column_family as (partition by {{ by }}, org_level, dimension, subgroup),
    row_family as (partition by {{ by }}, org_level, org_key, dimension)
)
{%- endmacro %}
