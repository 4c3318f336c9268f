-- How many rows of each entity are held, how many records they are versions of, and how many of those are staged. Counted from
-- the lake's keys by themselves, so that a model that repeats or loses records shows. All entities are counted together: to plan
-- a join for each of them took longer than to count them.
with landed as (

  {% for namespace, resource, key, staged, staged_key in staged_entities() -%}
  select {{ loop.index }} as entity_no, _source as source, _deleted as is_deleted, {{ hash_of(whole_key(key)) }} as key_hash
  from {{ source("landing", namespace ~ "__" ~ resource) }}
  {{ "union all" if not loop.last }}
  {% endfor %}

),

record as (

  select entity_no, source, key_hash, {{ count_where("not is_deleted") }} as landed_rows
  from landed
  group by entity_no, source, key_hash

),

staged as (

  {% for namespace, resource, key, staged, staged_key in staged_entities() -%}
  select
    {{ loop.index }} as entity_no,
    {{ "source" if namespace in namespaces_by_source() else "cast(null as varchar)" }} as source,
    {{ hash_of(whole_key(staged_key)) }} as key_hash
  from {{ ref(staged) }}
  {{ "union all" if not loop.last }}
  {% endfor %}

),

staged_record as (

  select entity_no, source, key_hash, count(*) as staged_rows
  from staged
  group by entity_no, source, key_hash

)

-- What is not staged for each source apart is staged once where two sources hold it, and counted for each of them.
select
  case record.entity_no
    {%- for namespace, resource, key, staged, staged_key in staged_entities() %}
    when {{ loop.index }} then '{{ resource }}'
    {%- endfor %}
  end as resource,
  record.source,
  cast(sum(record.landed_rows) as bigint) as landed_rows,
  count(*) as records,
  cast(coalesce(sum(staged_record.staged_rows), 0) as bigint) as staged_rows,
  count(*) - count(staged_record.key_hash) as deleted_records
from record
left join staged_record
  on staged_record.entity_no = record.entity_no
  and staged_record.key_hash = record.key_hash
  and coalesce(staged_record.source, record.source) = record.source
group by record.entity_no, record.source
