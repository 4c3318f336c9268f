{#-
  The one place where versions of a record become the record, and where deletion is decided.

  Of the versions landed for a key, the newest by the vendor's own change time counts, then by when it was landed; of two
  in one file (a walk that was overtaken by a change) always the same one.
  A record is deleted when the vendor says so (`deleted_when`, such as "status = 'tobedeleted'") or when a full sync marked it vanished
  (`_deleted`) later than it was last seen; seen again after that, it is back. Files are ordered by the machine's time of
  landing (`_landed_at`); when something happened is told by the district's clock (`_as_of_at`).

  keep_deleted: deleted records stay, with `is_deleted` and `deleted_at`, for models that keep history. Elsewhere they
  are dropped here, and no later model has to think of them.
-#}
{% macro current_records(relation, keys, version=none, deleted_when=none, keep_deleted=false) -%}
with seen as (

  {{ newest_per_key(
      relation, keys, ([version] if version else []) + ["_landed_at", "_window", hash_of("candidate")], where="not _deleted"
  ) }}

),

last_seen as (

  select {{ keys | join(", ") }}, max(_landed_at) as last_seen_at
  from {{ relation }}
  where not _deleted
  group by {{ keys | join(", ") }}

),

vanished as (

  select {{ keys | join(", ") }}, max(_landed_at) as vanished_at, max(_as_of_at) as vanished_as_of_at
  from {{ relation }}
  where _deleted
  group by {{ keys | join(", ") }}

),

current_record as (

  select
    seen.*,
    case
      {%- if deleted_when %}
      when seen.{{ deleted_when }} then {{ "coalesce(seen." ~ version ~ ", seen._as_of_at)" if version else "seen._as_of_at" }}
      {%- endif %}
      when vanished.vanished_at > last_seen.last_seen_at then vanished.vanished_as_of_at
    end as deleted_at
  from seen
  inner join last_seen using ({{ keys | join(", ") }})
  left join vanished using ({{ keys | join(", ") }})

)
{%- if keep_deleted %},

record as (select *, deleted_at is not null as is_deleted from current_record)
{%- else %},

record as (select * from current_record where deleted_at is null)
{%- endif %}
{%- endmacro %}

{#- Text with the vendor's ways of saying "not known" made NULL. -#}
{% macro known_text(column) -%}
  case when lower(trim({{ column }})) not in ('', 'nan', 'null', 'n/a') then trim({{ column }}) end
{%- endmacro %}

{#- Key of a product of a summary source, apart from the keys of the district's own catalogue. -#}
{% macro summary_tool_key(product_id) -%}
  concat('product-', cast({{ product_id }} as varchar))
{%- endmacro %}
