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
  One row for each row of `cells`: its keys, value, minimum_n and is_hidden; is_sensitive (hidden for its own sake); has_end
  (it may be told which end of the scale it lies at); low, high (what the reader may know of a hidden count).

  cells: relation with the columns of `context` (one table of counts for each combination) and
    org_level (only 'district' and 'school' are read), org_key, dimension, subgroup ('all_students' twice for the margin),
    value  count of people,
    ceiling  the group that `value` is part of; NULL where value is the size of the group itself,
    is_small_group  the group itself is too small to show,
    is_forced  hidden already by another measure,
    identity, copy_of  see `same_people`,
    minimum_n
  identity_scope: columns within which cells with the same `identity` are the same number, and share one fate.

  Keys are numbers within: the passes sort and join a great deal.
-#}
{% macro suppressed_counts(cells, context, identity_scope) -%}
{%- set by = context | join(", ") -%}
{%- set scope = identity_scope | join(", ") -%}
with numbered_cell as materialized (
  select
    *,
    cast(dense_rank() over (order by {{ by }}) as integer) as table_no,
    cast(dense_rank() over (order by org_level, org_key) as integer) as org_no,
    cast(dense_rank() over (order by dimension) as integer) as dimension_no,
    cast(dense_rank() over (order by dimension, subgroup) as integer) as group_no,
    cast(dense_rank() over (order by {{ scope }}, identity) as integer) as people_no
  from {{ cells }}
  where org_level in ('district', 'school') and coalesce(ceiling, value) > 0
),
numbered_table as materialized (
  select distinct table_no, {{ by }} from numbered_cell
),
numbered_org as materialized (
  select distinct org_no, org_level, org_key from numbered_cell
),
numbered_group as materialized (
  select distinct group_no, dimension, subgroup from numbered_cell
),
suppression_cell as materialized (
  select
    table_no, org_no, dimension_no, group_no, people_no,
    people_no in (select people_no from numbered_cell group by people_no having count(*) > 1) as is_shared,
    org_level = 'district' as is_district,
    dimension = 'all_students' as is_whole,
    subgroup = 'no' as is_no,
    subgroup = 'unknown' as is_unknown,
    coalesce(copy_of = 'all_students', false) as is_whole_copy,
    copy_of is not null as is_copy,
    value,
    ceiling is not null as has_ceiling,
    case when ceiling is null then {{ no_ceiling() }} else ceiling - value end as rest,
    minimum_n, is_small_group, is_forced,
    is_small_group or value < minimum_n or (ceiling is not null and ceiling - value < minimum_n) as is_sensitive,
    is_small_group or is_forced or value < minimum_n or (ceiling is not null and ceiling - value < minimum_n) as is_hidden
  from numbered_cell
),
{{ suppression_passes("suppression_cell", "first", passes=3) }},
{{ suppression_certificate("first", "first_certificate", ends=false) }},
-- Not certified: the rows in need are hidden, with the two that can give most, so that exchanges are possible.
first_need as materialized (
  select table_no, dimension_no, org_no, bool_or(values_possible < values_needed) as is_row_in_need
  from first_certificate
  where not is_district and (table_no, dimension_no) in (
    select table_no, dimension_no from first_certificate where values_possible < values_needed
  )
  group by table_no, dimension_no, org_no
),
helper as (
  select
    table_no, dimension_no, org_no, is_row_in_need,
    row_number() over (partition by table_no, dimension_no order by is_row_in_need, least_to_give desc, org_no) as helper_no
  from (
    select table_no, dimension_no, org_no, is_row_in_need, min(least(value, rest)) as least_to_give
    from first
    inner join first_need using (table_no, dimension_no, org_no)
    where not is_copy
    group by table_no, dimension_no, org_no, is_row_in_need
    having count(*) > 1
  ) as org_row
),
helped as materialized (
  select * replace (
    is_hidden or (
      not is_copy
      and (table_no, dimension_no, org_no) in (
        select table_no, dimension_no, org_no from helper where is_row_in_need or helper_no <= 2
      )
    ) as is_hidden
  )
  from first
),
{{ suppression_passes("helped", "second", passes=2) }},
{{ suppression_certificate("second", "second_certificate", ends=false) }},
-- Still not: no school shows this dimension.
closed_in_schools as materialized (
  select * replace (
    is_hidden or (
      not is_district and not is_copy
      and (table_no, dimension_no) in (
        select table_no, dimension_no from second_certificate where values_possible < values_needed
      )
    ) as is_hidden
  )
  from second
),
{{ suppression_passes("closed_in_schools", "third", passes=2) }},
{{ suppression_certificate("third", "third_certificate", ends=false) }},
-- Still not: nobody shows it.
closed_everywhere as materialized (
  select * replace (
    is_hidden
    or (table_no, dimension_no) in (select table_no, dimension_no from third_certificate where values_possible < values_needed)
      as is_hidden
  )
  from third
),
{{ suppression_passes("closed_everywhere", "settled", passes=3) }},
-- Ends are told in a table only where every sensitive count of it stays certified with them; then, with the ends that are left,
-- at the total of schools only where their subgroups stay certified too.
all_ends as materialized (
  select *, true as is_end_told from settled
),
{{ suppression_certificate("all_ends", "all_ends_certificate", ends=true) }},
{{ suppression_family_ranges("all_ends_certificate", "all_ends_family") }},
some_ends as materialized (
  {{ without_ends("all_ends", "all_ends_family", "select distinct table_no, is_district, dimension_no from all_ends_family where is_sensitive and is_hidden and family_values_possible < values_needed") }}
),
{{ suppression_certificate("some_ends", "some_ends_certificate", ends=true) }},
last_ends as (
  {{ without_ends("some_ends", "some_ends_certificate", "select distinct total.table_no, total.is_district, total.dimension_no from some_ends_certificate as total inner join some_ends_certificate as part using (table_no, org_no) where total.is_whole and part.values_possible < part.values_needed") }}
),
ended as (
  select one_cell.*, told.low, told.high
  from last_ends as one_cell
  inner join some_ends_certificate as told using (table_no, org_no, group_no)
)
select
  {% for column in context %}numbered_table.{{ column }}, {% endfor -%}
  numbered_org.org_level, numbered_org.org_key, numbered_group.dimension, numbered_group.subgroup,
  ended.value, ended.minimum_n, ended.is_hidden, ended.is_sensitive,
  ended.is_hidden and ended.is_sensitive and ended.is_end_told and not ended.is_unknown as has_end,
  case when not ended.is_hidden then ended.value when ended.is_end_told then ended.low else 0 end as low,
  case
    when not ended.is_hidden then ended.value
    when ended.is_end_told then ended.high
    when ended.has_ceiling then ended.value + ended.rest
  end as high
from ended
inner join numbered_table using (table_no)
inner join numbered_org using (org_no)
inner join numbered_group using (group_no)
{%- endmacro %}

{#- Cells, with the ends of the tables named taken back: what is told in one place is told wherever the same people stand. -#}
{% macro without_ends(cells, certificate, tables) -%}
  select * replace (
    is_end_told and people_no not in (
      select people_no from {{ certificate }} where (table_no, is_district, dimension_no) in ({{ tables }})
    ) as is_end_told
  )
  from {{ cells }}
{%- endmacro %}

{#-
  Rounds of complementary suppression, as CTEs ending in one called `name`. A round extends what is hidden in each column
  (schools of a subgroup) and each row (subgroups of an organisation), gives the same fate to the same people, and closes
  from the top: what is hidden for all students of an organisation is hidden for its subgroups, and what is hidden for the
  district is hidden for its schools (but for a subgroup that is all of its school: it is shown or hidden as the school is).
-#}
{% macro suppression_passes(cells, name, passes) -%}
{%- for number in range(passes) -%}
{%- set before = cells if loop.first else name ~ "_" ~ (number - 1) -%}
{{ name }}_{{ number }}_column as materialized (
  select * replace ({{ extended_hiding() }} as is_hidden)
  from {{ before }}
  window before as (
    partition by table_no, is_district, group_no
    order by is_hidden desc, is_copy, value, org_no rows between unbounded preceding and 1 preceding
  )
),
{{ name }}_{{ number }}_row as materialized (
  select * replace ({{ extended_hiding() }} as is_hidden)
  from {{ name }}_{{ number }}_column
  window before as (
    partition by table_no, org_no, dimension_no
    -- 'no' is hidden before the rest: a reader who asks about a group asks about 'yes'.
    order by is_hidden desc, is_copy, is_no desc, value, group_no rows between unbounded preceding and 1 preceding
  )
),
{{ name }}_{{ number }}_same as materialized (
  select * replace (
    is_hidden
    or (is_shared and people_no in (select people_no from {{ name }}_{{ number }}_row where is_hidden and is_shared)) as is_hidden
  )
  from {{ name }}_{{ number }}_row
),
{{ name if loop.last else name ~ "_" ~ number }} as materialized (
  select * replace (
    is_hidden
    or (table_no, org_no) in (select table_no, org_no from {{ name }}_{{ number }}_same where is_hidden and is_whole)
    or table_no in (select table_no from {{ name }}_{{ number }}_same where is_hidden and is_whole and is_district)
    or (
      not is_whole_copy
      and (table_no, group_no) in (select table_no, group_no from {{ name }}_{{ number }}_same where is_hidden and is_district)
    ) as is_hidden
  )
  from {{ name }}_{{ number }}_same
){{ ",
" if not loop.last }}
{%- endfor -%}
{%- endmacro %}

{#- A family with hidden cells takes further cells, smallest first, until all that it hides could be shown as one. -#}
{% macro extended_hiding() -%}
  is_hidden or (
    coalesce(bool_or(is_hidden) over before, false)
    and not (
      count(*) over before >= 2
      and sum(value) over before >= minimum_n
      and sum(rest) over before >= minimum_n
      and sum(value + rest) over before - max(value + rest) over before >= minimum_n
    )
  )
{%- endmacro %}

{#-
  Who is in the list of an organisation's groups. Nobody lists an empty group, so a listed one is known to be there; 'unknown'
  is not listed, nor is a dimension of which not one group can be shown.
-#}
{% macro is_listed(cells) -%}
  (
    is_whole
    or (not is_unknown and (table_no, org_no, dimension_no) in (select table_no, org_no, dimension_no from {{ cells }} where not is_hidden))
  )
{%- endmacro %}

{#- The least that a reader knows of a count of people: listed means there is somebody. -#}
{% macro least_known() -%}
  case when has_ceiling then 0 when is_district then greatest(cast(is_listed as integer), schools_listed) else cast(is_listed as integer) end
{%- endmacro %}

{#-
  CTEs ending in one called `name`: the cells with low and high (what a reader knows of each by itself), values_possible (of
  a sensitive count of a school's subgroup: how many it can have by exchanges that change no margin) and values_needed.
  ends: cells have `is_end_told`, whether the reader is told at which end of the scale a sensitive count lies; else none is.
-#}
{% macro suppression_certificate(cells, name, ends) -%}
{{ name }}_known as materialized (
  select
    *,
    -- The size of a small group is hidden too, so its use may be thought higher; but nothing is built on that.
    case when is_small_group and has_ceiling then least(high, value + rest) else high end as firm_high
  from (
    select
      listed.* exclude (is_listed),
      {%- if ends %}
      case
        when not is_end_told or not is_hidden or is_unknown or is_small_group or (is_forced and is_sensitive) then {{ least_known() }}
        when not is_sensitive then minimum_n
        when value + rest < 2 * minimum_n or value < minimum_n then {{ least_known() }}
        else value + rest - minimum_n + 1
      end as low,
      case
        when is_small_group and has_ceiling then minimum_n - 1
        when not is_end_told or is_unknown or (is_forced and is_sensitive) then value + rest
        when not is_sensitive then case when has_ceiling then value + rest - minimum_n else {{ no_ceiling() }} end
        when value < minimum_n and (not has_ceiling or value + rest >= 2 * minimum_n) then minimum_n - 1
        else value + rest
      end as high
      {%- else %}
      {{ least_known() }} as low,
      case when is_small_group then minimum_n - 1 else value + rest end as high
      {%- endif %}
    from (
      select
        *,
        (table_no, org_no) in (select table_no, org_no from {{ cells }} where is_hidden and is_whole) as is_org_hidden,
        {{ is_listed(cells) }} as is_listed
      from {{ cells }}
    ) as listed
    left join (
      select table_no, group_no, count(*) as schools_listed
      from {{ cells }}
      where not has_ceiling and not is_district and {{ is_listed(cells) }}
      group by table_no, group_no
    ) as column_listed using (table_no, group_no)
  ) as cell
),
-- What one row can give of one column while it takes as much in another.
{{ name }}_give as materialized (
  select
    table_no, org_no, giver.dimension_no, giver.is_district,
    giver.group_no as giver, taker.group_no as taker,
    least(giver.value - giver.low, taker.firm_high - taker.value) as gives,
    least(giver.value - giver.low, taker.high - taker.value) as gives_at_most
  from {{ name }}_known as giver
  inner join {{ name }}_known as taker using (table_no, org_no, dimension_no)
  where giver.is_hidden and taker.is_hidden and giver.group_no <> taker.group_no
),
{{ name }}_given as materialized (
  select table_no, giver, taker, sum(gives) as gives from {{ name }}_give where not is_district group by table_no, giver, taker
),
{{ name }}_exchange as materialized (
  select
    one_row.table_no, one_row.org_no, one_row.giver, one_row.taker,
    -- The other schools do the opposite ...
    least(one_row.gives_at_most, others.gives - one_back.gives) as up_by_others,
    least(one_row.gives, others.gives - one_back.gives) as down_by_others,
    -- ... or the district's own two counts are hidden and move with this row.
    least(one_row.gives_at_most, coalesce(district.gives, 0)) as up_by_district,
    least(one_row.gives, coalesce(district.gives, 0)) as down_by_district
  from {{ name }}_give as one_row
  inner join {{ name }}_give as one_back
    on one_back.table_no = one_row.table_no and one_back.org_no = one_row.org_no
    and one_back.giver = one_row.taker and one_back.taker = one_row.giver
  inner join {{ name }}_given as others
    on others.table_no = one_row.table_no and others.giver = one_row.taker and others.taker = one_row.giver
  left join {{ name }}_give as district
    on district.is_district and district.table_no = one_row.table_no
    and district.giver = one_row.giver and district.taker = one_row.taker
  where not one_row.is_district
),
{{ name }}_column as materialized (
  select table_no, group_no, sum(value - low) as can_fall, sum(firm_high - value) as can_rise
  from {{ name }}_known
  where is_org_hidden and not is_district
  group by table_no, group_no
),
{{ name }}_move as (
  select table_no, org_no, group_no, max(up) as up, max(down) as down
  from (
    select table_no, org_no, taker as group_no, up_by_others as up, 0 as down from {{ name }}_exchange
    union all
    select table_no, org_no, giver as group_no, 0 as up, down_by_others as down from {{ name }}_exchange
    union all
    -- With the district, a count can exchange with several others at once.
    select
      cell.table_no, cell.org_no, cell.group_no,
      least(cell.high - cell.value, whole_column.firm_high - whole_column.value, taken.by_district),
      least(cell.value - cell.low, whole_column.value - whole_column.low, given.by_district)
    from {{ name }}_known as cell
    inner join {{ name }}_known as whole_column
      on whole_column.is_district and whole_column.table_no = cell.table_no and whole_column.group_no = cell.group_no
    inner join (
      select table_no, org_no, taker as group_no, sum(up_by_district) as by_district
      from {{ name }}_exchange
      group by table_no, org_no, taker
    ) as taken
      on taken.table_no = cell.table_no and taken.org_no = cell.org_no and taken.group_no = cell.group_no
    inner join (
      select table_no, org_no, giver as group_no, sum(down_by_district) as by_district
      from {{ name }}_exchange
      group by table_no, org_no, giver
    ) as given
      on given.table_no = cell.table_no and given.org_no = cell.org_no and given.group_no = cell.group_no
    union all
    -- Schools whose totals are hidden can also exchange with one another within a column, as far as the totals may move.
    select
      cell.table_no, cell.org_no, cell.group_no,
      least(cell.high - cell.value, total.high - total.value, same_column.can_fall - (cell.value - cell.low)),
      least(cell.value - cell.low, total.value - total.low, same_column.can_rise - (cell.firm_high - cell.value))
    from {{ name }}_known as cell
    inner join {{ name }}_known as total
      on total.table_no = cell.table_no and total.org_no = cell.org_no and total.is_whole and total.is_hidden
    inner join {{ name }}_column as same_column
      on same_column.table_no = cell.table_no and same_column.group_no = cell.group_no
    where not cell.is_district and not cell.is_whole
    union all
    -- ... and so does one school's count with another column of other schools, where the district's two are hidden as well.
    select
      cell.table_no, cell.org_no, cell.group_no,
      least(
        cell.high - cell.value, total.high - total.value, district_back.gives, other_column.can_fall - (other.value - other.low)
      ),
      least(
        cell.value - cell.low, total.value - total.low, district.gives, other_column.can_rise - (other.firm_high - other.value)
      )
    from {{ name }}_known as cell
    inner join {{ name }}_known as total
      on total.table_no = cell.table_no and total.org_no = cell.org_no and total.is_whole and total.is_hidden
    inner join {{ name }}_give as district
      on district.is_district and district.table_no = cell.table_no and district.giver = cell.group_no
    inner join {{ name }}_give as district_back
      on district_back.is_district and district_back.table_no = cell.table_no
      and district_back.giver = district.taker and district_back.taker = cell.group_no
    inner join {{ name }}_known as other
      on other.table_no = cell.table_no and other.org_no = cell.org_no and other.group_no = district.taker
    inner join {{ name }}_column as other_column
      on other_column.table_no = cell.table_no and other_column.group_no = district.taker
    where not cell.is_district and not cell.is_whole
  ) as one_move
  group by table_no, org_no, group_no
),
{{ name }} as materialized (
  select
    cell.*,
    case
      when cell.is_hidden and cell.is_sensitive and not cell.is_district and not cell.is_whole
        then 1 + coalesce(one_move.up, 0) + coalesce(one_move.down, 0)
      else {{ no_ceiling() }}
    end as values_possible,
    {{ least_possible_values("cell.minimum_n") }} as values_needed
  from {{ name }}_known as cell
  left join {{ name }}_move as one_move
    on one_move.table_no = cell.table_no and one_move.org_no = cell.org_no and one_move.group_no = cell.group_no
)
{%- endmacro %}

{#-
  Adds family_values_possible: the certificate of a school's subgroups as it is, and for families that stand alone (schools
  for all students, the district's subgroups) the exact range that the family's known sum leaves to each hidden count.
-#}
{% macro suppression_family_ranges(certificate, name) -%}
{{ name }}_sum as (
  select table_no, is_district, dimension_no, sum(value - low) as can_fall, sum(firm_high - value) as can_rise
  from {{ certificate }}
  where is_hidden and is_district <> is_whole
  group by table_no, is_district, dimension_no
),
{{ name }} as materialized (
  select
    cell.*,
    least(
      cell.values_possible,
      case
        -- A hidden total leaves the family's sum open.
        when cell.is_hidden and cell.is_district <> cell.is_whole
          and cell.table_no not in (select table_no from {{ certificate }} where is_hidden and is_whole and is_district)
          then 1
            + least(cell.high - cell.value, family.can_fall - (cell.value - cell.low))
            + least(cell.value - cell.low, family.can_rise - (cell.firm_high - cell.value))
        else {{ no_ceiling() }}
      end
    ) as family_values_possible
  from {{ certificate }} as cell
  left join {{ name }}_sum as family
    on family.table_no = cell.table_no
    and family.is_district = cell.is_district
    and family.dimension_no = cell.dimension_no
)
{%- endmacro %}

{#-
  CTE `name`: the relation's columns, same_as and copy_of, for cells that are the same people as a total above them, by having
  as many: a subgroup that is all of its organisation (copy_of 'all_students'), a school that is all of its district's
  subgroup ('district'). The same people are shown or hidden everywhere.
-#}
{% macro same_people(relation, context, count, name) -%}
{%- set by = context | join(", ") -%}
{{ name }}_total as (
  select
    *,
    max({{ count }}) filter (where dimension = 'all_students') over (partition by {{ by }}, org_level, org_key) as of_org,
    max({{ count }}) filter (where org_level = 'district') over (partition by {{ by }}, dimension, subgroup) as of_subgroup,
    max({{ count }}) filter (where org_level = 'district' and dimension = 'all_students') over (partition by {{ by }}) as of_all,
    max(org_key) filter (where org_level = 'district') over (partition by {{ by }}) as district_key
  from {{ relation }}
),
{{ name }}_only_school as (
  select
    *,
    -- The school, if there is one, that this subgroup of the district is all of.
    max(org_key) filter (where org_level = 'school' and {{ count }} = of_org and {{ count }} = of_subgroup)
      over (partition by {{ by }}, dimension, subgroup) as only_school
  from {{ name }}_total
),
{{ name }} as (
  select
    * exclude (of_org, of_subgroup, of_all, district_key, only_school),
    case
      when {{ count }} = of_all then concat('district|', district_key, '|all_students|all_students')
      when {{ count }} = of_org then concat(org_level, '|', org_key, '|all_students|all_students')
      when org_level = 'district' and only_school is not null then concat('school|', only_school, '|all_students|all_students')
      when {{ count }} = of_subgroup then concat('district|', district_key, '|', dimension, '|', subgroup)
      else concat(org_level, '|', org_key, '|', dimension, '|', subgroup)
    end as same_as,
    case
      when dimension <> 'all_students' and {{ count }} = of_org then 'all_students'
      when org_level = 'school' and {{ count }} = of_subgroup then 'district'
    end as copy_of
  from {{ name }}_only_school
)
{%- endmacro %}

{#-
  CTE `name`: subgroups whose eligible students must be hidden because tools are licensed for different grades. Two tools
  give two counts of one subgroup, and their difference is the subgroup in the grades of one tool only. Grades that go
  together in every set form a block. A block with fewer than n is joined with another, so that both have n: of all such
  blocks the one that fewest sets part from it. A set with one of the two but not the other is not shown; from sets that
  have both or neither, no sum or difference is smaller than a joined block.

  Not for all students: how many children a grade of a school has is no secret.

  org_atoms: week_start_on, grade_set, org_level, org_key, dimension, subgroup, grade, students.
-#}
{% macro indistinct_grade_sets(org_atoms, name) -%}
{%- set cell = "week_start_on, org_level, org_key, dimension, subgroup" -%}
{{ name }}_grade as (
  select {{ cell }}, grade, {{ distinct_list("grade_set") }} as grade_sets, any_value(students) as students
  from (
    select {{ cell }}, grade, grade_set, sum(students) as students
    from {{ org_atoms }}
    where dimension <> 'all_students'
    group by {{ cell }}, grade, grade_set
  ) as one_grade
  group by {{ cell }}, grade
),
{{ name }}_block as (
  select {{ cell }}, grade_sets, sum(students) as students from {{ name }}_grade group by {{ cell }}, grade_sets
),
{{ name }}_pair as (
  select
    {{ cell }},
    small.grade_sets as one_sets,
    other.grade_sets as other_sets,
    row_number() over (
      partition by {{ cell }}, small.grade_sets
      order by
        small.students + other.students >= district.minimum_n desc,
        {{ list_length("small.grade_sets") }} + {{ list_length("other.grade_sets") }}
        - 2 * {{ list_length(shared_list("small.grade_sets", "other.grade_sets")) }},
        other.students desc,
        other.grade_sets
    ) as choice,
    max(small.students + other.students) over (partition by {{ cell }}, small.grade_sets) < district.minimum_n as is_never_enough
  from {{ name }}_block as small
  cross join {{ source("config", "district") }} as district
  inner join {{ name }}_block as other using ({{ cell }})
  where small.students < district.minimum_n and small.grade_sets <> other.grade_sets
),
{{ name }}_parted as (
  select {{ cell }}, one_sets, other_sets from {{ name }}_pair where choice = 1 or is_never_enough
),
{{ name }} as (
  select distinct {{ cell }}, grade_set
  from (
    select {{ cell }}, one_sets as has_sets, other_sets as lacks_sets, {{ each_element("one_sets") }} as grade_set from {{ name }}_parted
    union all
    select {{ cell }}, other_sets, one_sets, {{ each_element("other_sets") }} from {{ name }}_parted
  ) as one_set
  where not {{ list_has("lacks_sets", "grade_set") }}
)
{%- endmacro %}

{#-
  CTEs ending in one called `name`: which counts of a district's grades may be shown, for all students only, with value,
  shown_value (NULL where hidden), is_hidden, is_sensitive, has_end, low and high.

  A shown count is rounded, and stands for `rounding_base` values. Grades and schools are two ways to add up the same children:
  where some schools have some grades between them, their block (int_grade_block), the sum of its grades is the sum of its
  schools. So it is counted how far each sensitive count can rise and fall: others of its block do the opposite, or the block
  changes and another block the opposite, as far as the hidden schools and the rounded or hidden grades of both leave it
  open. Where a grade cannot take enough values, its block shows none; where a school cannot, no block does.

  cells: relation with week_start_on, tool_key, grade_set, org_level, org_key, dimension, value, ceiling, is_small_group,
    is_forced, minimum_n; suppressed: what `suppressed_counts` says of the schools and the district.
-#}
{% macro grade_counts(cells, suppressed, name) -%}
{{ name }}_cell as (
  select
    week_start_on, tool_key, org_key, block, value, ceiling, minimum_n, is_sensitive, is_total_hidden,
    -- Nor where the rounded count would seem to leave too few.
    is_sensitive or is_forced or is_total_hidden or ceiling - {{ rounded_count("value", "minimum_n") }} < minimum_n as is_hidden,
    -- Of a group of fewer than 2n the reason does not say which end it is.
    is_sensitive and not is_total_hidden and ceiling >= 2 * minimum_n as is_end,
    least({{ least_possible_values("minimum_n") }}, ceiling + 1) as values_needed
  from (
    select
      cell.week_start_on, cell.tool_key, cell.org_key, place.block, cell.value, cell.ceiling, cell.minimum_n, cell.is_forced,
      cell.is_small_group or cell.value < cell.minimum_n or cell.ceiling - cell.value < cell.minimum_n as is_sensitive,
      total.is_hidden as is_total_hidden
    from {{ cells }} as cell
    inner join {{ suppressed }} as total
      on total.week_start_on = cell.week_start_on
      and total.tool_key = cell.tool_key
      and total.org_level = 'district'
      and total.dimension = 'all_students'
    left join {{ ref("int_grade_block") }} as place
      on place.week_start_on = cell.week_start_on
      and place.grade_set = cell.grade_set
      and place.org_level = 'grade'
      and place.org_key = cell.org_key
    where cell.org_level = 'grade' and cell.ceiling > 0
  ) as cell
),
{{ name }}_known as materialized (
  select
    *,
    case when is_end and value >= minimum_n then ceiling - minimum_n + 1 else low end as end_low,
    case when is_end and value < minimum_n then minimum_n - 1 else high end as end_high
  from (
    select
      *,
      case when is_hidden then 0 else {{ rounded_count("value", "minimum_n") }} - {{ rounding_base("minimum_n") }} // 2 end as low,
      case when is_hidden then ceiling else {{ rounded_count("value", "minimum_n") }} + {{ rounding_base("minimum_n") }} // 2 end as high
    from {{ name }}_cell
  ) as cell
),
{{ name }}_school as materialized (
  select school.*, cell.ceiling, place.block
  from {{ suppressed }} as school
  inner join {{ cells }} as cell using (week_start_on, tool_key, org_level, org_key, dimension, subgroup)
  inner join {{ ref("int_grade_block") }} as place
    on place.week_start_on = school.week_start_on
    and place.grade_set = cell.grade_set
    and place.org_level = 'school'
    and place.org_key = school.org_key
  where school.org_level = 'school' and school.dimension = 'all_students' and school.is_hidden
),
-- How far the schools of a block, its grades, and the other blocks can fall and rise, taking all ends of grades as told.
{{ name }}_block as materialized (
  select
    *,
    sum(least(schools_fall, grades_fall)) over same_tool - least(schools_fall, grades_fall) as others_fall,
    sum(least(schools_rise, grades_rise)) over same_tool - least(schools_rise, grades_rise) as others_rise
  from (
    select
      grade.*,
      coalesce(school.schools_fall, 0) as schools_fall,
      coalesce(school.schools_rise, 0) as schools_rise
    from (
      select
        week_start_on, tool_key, block,
        sum(value - end_low) as grades_fall,
        sum(end_high - value) as grades_rise,
        sum(value - low) as grades_fall_without_ends,
        sum(high - value) as grades_rise_without_ends
      from {{ name }}_known
      group by week_start_on, tool_key, block
    ) as grade
    left join (
      select week_start_on, tool_key, block, sum(value - low) as schools_fall, sum(high - value) as schools_rise
      from {{ name }}_school
      group by week_start_on, tool_key, block
    ) as school using (week_start_on, tool_key, block)
  ) as one_block
  window same_tool as (partition by week_start_on, tool_key)
),
{{ name }}_told_by_schools as (
  select distinct week_start_on, tool_key
  from {{ name }}_school as school
  inner join {{ name }}_block as one_block using (week_start_on, tool_key, block)
  where is_sensitive
    and {{ values_possible("low", "high", "schools_fall", "schools_rise", "grades_rise", "grades_fall") }}
    < least({{ least_possible_values("minimum_n") }}, ceiling + 1)
),
{{ name }}_judged as (
  select
    grade.*,
    grade.is_total_hidden
    or grade.block is null
    or (grade.week_start_on, grade.tool_key) in (select week_start_on, tool_key from {{ name }}_told_by_schools)
    or bool_or(
      grade.is_sensitive
      and {{ values_possible("low", "high", "grades_fall_without_ends", "grades_rise_without_ends", "schools_rise", "schools_fall") }}
      < values_needed
    ) over same_block as is_closed,
    grade.is_end and bool_and(
      not grade.is_sensitive
      or {{ values_possible("end_low", "end_high", "grades_fall", "grades_rise", "schools_rise", "schools_fall") }} >= values_needed
    ) over same_block as is_end_told
  from (
    select
      grade.*, grades_fall, grades_rise, grades_fall_without_ends, grades_rise_without_ends,
      schools_fall, schools_rise, others_fall, others_rise
    from {{ name }}_known as grade
    left join {{ name }}_block as one_block
      on one_block.week_start_on = grade.week_start_on
      and one_block.tool_key = grade.tool_key
      and one_block.block = grade.block
  ) as grade
  window same_block as (partition by grade.week_start_on, grade.tool_key, grade.block)
),
{{ name }} as (
  select
    week_start_on, tool_key, org_key, 'all_students' as dimension, 'all_students' as subgroup, value, is_sensitive,
    is_hidden or is_closed as is_hidden,
    is_end_told and not is_closed as has_end,
    case when is_closed then 0 when is_end_told then end_low else low end as low,
    case when is_closed then ceiling when is_end_told then end_high else high end as high,
    case when not is_hidden and not is_closed then {{ rounded_count("value", "minimum_n") }} end as shown_value
  from {{ name }}_judged
)
{%- endmacro %}

{#-
  How many values a count of a block can have. low, high: of itself; family_fall, family_rise: how far all of its kind (schools
  or grades) in the block can change, itself included; kind_rise, kind_fall: of the other kind; others_fall, others_rise of
  the other blocks are columns.
-#}
{% macro values_possible(low, high, family_fall, family_rise, kind_rise, kind_fall) -%}
1
+ least({{ high }} - value, {{ family_fall }} - (value - {{ low }}) + least({{ kind_rise }}, others_fall))
+ least(value - {{ low }}, {{ family_rise }} - ({{ high }} - value) + least({{ kind_fall }}, others_rise))
{%- endmacro %}

{#-
  Query: the `key` of those counts of people over several weeks that would tell of a hidden one. Whoever used a tool in the
  period did in one of its weeks, so the count less what is known of the other weeks is the least that a hidden week can be.

  weeks: relation with one row for each count and week of its period: the columns of `key`, counted (people of the period),
  at_most (what a reader knows of the week), is_guarded (a hidden sensitive one), minimum_n.
-#}
{% macro telling_counts(weeks, key) -%}
  select distinct {{ key | join(", ") }}
  from (
    select *, sum(at_most) over (partition by {{ key | join(", ") }}) - at_most as others_at_most
    from {{ weeks }}
  ) as week
  where is_guarded
    and counted > others_at_most
    and at_most - (counted - others_at_most) + 1 < {{ least_possible_values("minimum_n") }}
{%- endmacro %}

{#- Columns of a cell of int_use_cell, for `telling_counts`: what a reader knows of the count of its week. -#}
{% macro known_of_week(cell) -%}
    {{ cell }}.minimum_n,
    {{ cell }}.is_active_hidden and {{ cell }}.is_active_sensitive as is_guarded,
    coalesce({{ cell }}.shown_active, {{ cell }}.active_high, {{ cell }}.eligible) as at_most
{%- endmacro %}

{#-
  CTEs ending in one called `name`: the `key` of those counts of a tool's users in the whole district that `telling_counts` finds
  beside the weeks that mart_adoption tells of the tool.

  users: relation with the columns of `key`, tool_key, counted, from_on, to_on (first and last day of the count).
-#}
{% macro telling_users(users, key, name) -%}
{{ name }}_week as (

  select
    {% for column in key %}users.{{ column }}, {% endfor -%}
    users.counted,
    {{ known_of_week("cell") }}
  from {{ users }} as users
  inner join {{ ref("int_use_cell") }} as cell
    on cell.tool_key = users.tool_key
    and cell.org_level = 'district'
    and cell.dimension = 'all_students'
    and cell.week_start_on between {{ days_after("users.from_on", -6) }} and users.to_on

),

{{ name }} as (

  {{ telling_counts(name ~ "_week", key) }}

)
{%- endmacro %}

{#-
  A class is never shown as a number: its list is known to everybody in it. Its use is told as one of up to four bands of
  equal width, each of at least n values; a small class has one band, which tells nothing.
-#}
{% macro class_bands(eligible, minimum_n) -%}
  least(greatest(({{ eligible }} + 1) // {{ minimum_n }}, 1), 4)
{%- endmacro %}

{% macro class_band_low(active, eligible, bands) -%}
  cast(ceil((({{ active }} * {{ bands }}) // ({{ eligible }} + 1)) * ({{ eligible }} + 1) / cast({{ bands }} as double)) as bigint)
{%- endmacro %}

{% macro class_band_high(active, eligible, bands) -%}
  cast(ceil((({{ active }} * {{ bands }}) // ({{ eligible }} + 1) + 1) * ({{ eligible }} + 1) / cast({{ bands }} as double)) - 1 as bigint)
{%- endmacro %}
