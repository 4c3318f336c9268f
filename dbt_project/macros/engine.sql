{#-
  Everything that only DuckDB spells this way. A second engine overrides these macros and nothing else.
-#}

{#- The row with the largest `order_by` for each key, as a relation. Ties are broken by the order given. -#}
{% macro newest_per_key(relation, keys, order_by, where="true") -%}
  select *
  from {{ relation }} as candidate
  where {{ where }}
  qualify row_number() over (partition by {{ keys | join(", ") }} order by {{ order_by | join(" desc nulls last, ") }} desc nulls last) = 1
{%- endmacro %}

{#- The row with the smallest `order_by` for each key, as a relation: what is known comes before what is not. -#}
{% macro first_per_key(relation, keys, order_by) -%}
  select candidate.*
  from {{ relation }} as candidate
  qualify row_number() over (
    partition by candidate.{{ keys | join(", candidate.") }} order by {{ order_by | join(" nulls last, ") }} nulls last
  ) = 1
{%- endmacro %}

{#- The same, of rows that several sources have: as the first of them in uptake.yaml has it. -#}
{% macro of_first_source(relation, keys, before=[]) -%}
  select candidate.*
  from {{ relation }} as candidate
  left join {{ source("config", "source") }} as known on known.source = candidate.source
  qualify row_number() over (
    partition by candidate.{{ keys | join(", candidate.") }}
    order by {{ (before + ["known.position", "candidate.source"]) | join(" nulls last, ") }} nulls last
  ) = 1
{%- endmacro %}

{#- The value of the row with the smallest `order_by` of those rows of a group for which the condition holds. -#}
{% macro first_where(value, order_by, condition) -%}
  min_by({{ value }}, {{ order_by }}) filter (where {{ condition }})
{%- endmacro %}

{#-
  As newest_per_key, for many rows of which few are repeated: only rows whose key's hash comes more than once are put in
  order (equal hashes of different keys do no harm), all others are passed on as they are read.
-#}
{% macro newest_of_repeated(relation, keys, order_by) -%}
  with repeated as materialized (
    {{ repeated_hashes(relation, keys) }}
  )
  select *
  from {{ relation }}
  where {{ hash_of(keys | join(", ")) }} not in (select key_hash from repeated)
  union all
  {{ newest_per_key(
      relation, keys, order_by, where=hash_of(keys | join(", ")) ~ " in (select key_hash from repeated)"
  ) }}
{%- endmacro %}

{#- Query: key_hash, of keys that more than one row may have. -#}
{% macro repeated_hashes(relation, keys) -%}
  select {{ hash_of(keys | join(", ")) }} as key_hash
  from {{ relation }}
  group by key_hash
  having count(*) > 1
{%- endmacro %}

{#- District-local date of a UTC time. -#}
{% macro local_date(at, time_zone) -%}
  cast(timezone({{ time_zone }}, {{ at }}) as date)
{%- endmacro %}

{#- District-local time of the day of a UTC time. -#}
{% macro local_time(at, time_zone) -%}
  cast(timezone({{ time_zone }}, {{ at }}) as time)
{%- endmacro %}

{#- A number that differs where what is given differs: columns, or the name of a relation for its whole rows. -#}
{% macro hash_of(values) -%}
  hash({{ values }})
{%- endmacro %}

{#- UTC time of a district-local date's midnight. -#}
{% macro local_midnight(on_date, time_zone) -%}
  timezone({{ time_zone }}, cast({{ on_date }} as timestamp))
{%- endmacro %}

{#- UTC time of a district-local date's noon. -#}
{% macro local_noon(on_date, time_zone) -%}
  timezone({{ time_zone }}, cast({{ on_date }} as timestamp) + interval 12 hour)
{%- endmacro %}

{#- Whole quarter hours since 1970 UTC. Every time zone's offset is a multiple of a quarter hour. -#}
{% macro quarter_hour(at) -%}
  (epoch_us({{ at }}) // 900000000)
{%- endmacro %}

{% macro epoch_micros(at) -%}
  epoch_us({{ at }})
{%- endmacro %}

{#- UTC time from whole seconds since 1970. -#}
{% macro from_epoch_seconds(seconds) -%}
  to_timestamp({{ seconds }})
{%- endmacro %}

{#- Seconds by which local time is ahead of UTC at a UTC time. -#}
{% macro utc_offset_seconds(at, time_zone) -%}
  cast((epoch_us(timezone({{ time_zone }}, {{ at }})) - epoch_us({{ at }})) // 1000000 as integer)
{%- endmacro %}

{% macro second_of_day(time) -%}
  cast(date_part('epoch', {{ time }}) as integer)
{%- endmacro %}

{#- Whole numbers from `first` up to, without, `end`: a set-returning expression for a select list. -#}
{% macro whole_numbers(first, end) -%}
  unnest(range({{ first }}, {{ end }}))
{%- endmacro %}

{#- One row for each element of a list. -#}
{% macro each_element(list) -%}
  unnest({{ list }})
{%- endmacro %}

{#- One row for each date from first to last, both included. -#}
{% macro each_date(first, last) -%}
  cast(unnest(generate_series(cast({{ first }} as timestamp), cast({{ last }} as timestamp), interval 1 day)) as date)
{%- endmacro %}

{% macro days_after(on_date, days) -%}
  cast({{ on_date }} + cast({{ days }} as integer) as date)
{%- endmacro %}

{#- The same day of another year; of a leap day, the 28th of February. -#}
{% macro years_after(on_date, years) -%}
  cast({{ on_date }} + to_years(cast({{ years }} as integer)) as date)
{%- endmacro %}

{% macro date_of(year, month, day) -%}
  make_date(cast({{ year }} as integer), cast({{ month }} as integer), cast({{ day }} as integer))
{%- endmacro %}

{% macro days_since_1970(on_date) -%}
  date_diff('day', date '1970-01-01', {{ on_date }})
{%- endmacro %}

{#- An expression that ends the query with that text, where it is reached. -#}
{% macro failure(text) -%}
  error({{ text }})
{%- endmacro %}

{% macro days_between(first, last) -%}
  date_diff('day', {{ first }}, {{ last }})
{%- endmacro %}

{% macro month_start(on_date) -%}
  cast(date_trunc('month', {{ on_date }}) as date)
{%- endmacro %}

{% macro list_of_text(column) -%}
  cast({{ column }} as varchar[])
{%- endmacro %}

{% macro text_array() -%}
  varchar[]
{%- endmacro %}

{% macro split_to_list(text, separator) -%}
  string_split({{ text }}, {{ separator }})
{%- endmacro %}

{% macro list_length(list) -%}
  len({{ list }})
{%- endmacro %}

{#- The last `n` parts of a host name. -#}
{% macro last_labels(host, n) -%}
  array_to_string(list_slice(string_split({{ host }}, '.'), -cast({{ n }} as bigint), -1), '.')
{%- endmacro %}

{% macro count_where(condition) -%}
  count(*) filter (where {{ condition }})
{%- endmacro %}

{% macro element_at(list, position) -%}
  list_extract({{ list }}, {{ position }})
{%- endmacro %}

{% macro field_of(row, name) -%}
  ({{ row }}).{{ name }}
{%- endmacro %}

{#- Different texts of a group in one text, in an order. -#}
{% macro joined_text(text, order_by) -%}
  string_agg({{ text }}, ', ' order by {{ order_by }}, {{ text }})
{%- endmacro %}

{#- Full years from one date to a later one. -#}
{% macro whole_years_between(first, last) -%}
  date_sub('year', {{ first }}, {{ last }})
{%- endmacro %}

{% macro seconds_between(first, last) -%}
  date_diff('second', {{ first }}, {{ last }})
{%- endmacro %}

{% macro list_has(list, value) -%}
  list_contains({{ list }}, {{ value }})
{%- endmacro %}

{% macro lists_overlap(list, texts) -%}
  ({% for text in texts %}{{ " or " if not loop.first }}list_contains({{ list }}, '{{ text }}'){% endfor %})
{%- endmacro %}

{% macro list_of(value, order_by) -%}
  list({{ value }} order by {{ order_by }})
{%- endmacro %}

{% macro concatenated_lists(first, second) -%}
  list_concat({{ first }}, {{ second }})
{%- endmacro %}

{% macro sorted_list(list) -%}
  list_sort({{ list }})
{%- endmacro %}

{% macro joined_list(list, separator) -%}
  array_to_string({{ list }}, '{{ separator }}')
{%- endmacro %}

{% macro text_before(text, separator) -%}
  split_part({{ text }}, {{ separator }}, 1)
{%- endmacro %}

{% macro text_after(text, separator) -%}
  split_part({{ text }}, {{ separator }}, 2)
{%- endmacro %}

{% macro any_value_of(column) -%}
  any_value({{ column }})
{%- endmacro %}

{#- A list of one value; without any where it is not known. -#}
{% macro list_of_known(value) -%}
  case when {{ value }} is null then {{ no_texts() }} else [{{ value }}] end
{%- endmacro %}

{% macro no_texts() -%}
  cast([] as varchar[])
{%- endmacro %}

{#- A list of those of several values that are known. -#}
{% macro list_of_those_known(values) -%}
  list_filter([{{ values | join(", ") }}], lambda one: one is not null)
{%- endmacro %}

{#- Different values of a group, in order. -#}
{% macro distinct_list(value) -%}
  list(distinct {{ value }} order by {{ value }})
{%- endmacro %}

{#- What two lists have in common. -#}
{% macro shared_list(first, second) -%}
  list_intersect({{ first }}, {{ second }})
{%- endmacro %}

{#- No measures of a Caliper event, as the type that its list of measures has. -#}
{% macro no_reported_measures() -%}
  cast(null as struct(
    metric varchar, "metricValue" double, "maxMetricValue" double,
    "startedAtTime" timestamp with time zone, "endedAtTime" timestamp with time zone
  )[])
{%- endmacro %}

{#- The smaller, or the larger, of two numbers; NULL where one is. -#}
{% macro smaller_of(first, second) -%}
  case when {{ first }} < {{ second }} then {{ first }} when {{ second }} <= {{ first }} then {{ second }} end
{%- endmacro %}

{% macro larger_of(first, second) -%}
  case when {{ first }} > {{ second }} then {{ first }} when {{ second }} >= {{ first }} then {{ second }} end
{%- endmacro %}

{#- Two digests of the rows of a relation, whatever their order; a row that is there twice counts twice. -#}
{% macro digest_of_rows(relation) -%}
  cast(sum(hash({{ relation }})) as varchar), cast(bit_xor(hash({{ relation }})) as varchar)
{%- endmacro %}

{#- All rows of a table as one JSON text, a list of objects; NULL of a table without rows. -#}
{% macro rows_as_json(relation) -%}
  select cast(to_json(list(one)) as varchar) from {{ relation }} as one
{%- endmacro %}

{#- The number that a text is; NULL for any other text. -#}
{% macro number_or_null(text) -%}
  try_cast({{ text }} as double)
{%- endmacro %}

{% macro random_text() -%}
  cast(gen_random_uuid() as varchar)
{%- endmacro %}

{#- Small letters and digits of a text, without anything between them. -#}
{% macro bare_word(text) -%}
  regexp_replace(lower({{ text }}), '[^a-z0-9]', '', 'g')
{%- endmacro %}

{#- The same of a list of texts, with a bar before and after each. -#}
{% macro bare_words(list) -%}
  concat('|', regexp_replace(lower(array_to_string({{ list }}, '|')), '[^a-z0-9|]', '', 'g'), '|')
{%- endmacro %}

{#- Whether a list of periods (beginDate, endDate; either may be open) has one that holds the date; NULL without a list. -#}
{% macro has_period_on(list, on_date) -%}
  len(list_filter(
    {{ list }},
    lambda period: coalesce(period."beginDate" <= {{ on_date }}, true) and coalesce(period."endDate" >= {{ on_date }}, true)
  )) > 0
{%- endmacro %}
