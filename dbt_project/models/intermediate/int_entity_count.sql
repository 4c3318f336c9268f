-- How many rows of each entity are held, how many records they are versions of, and how many of those are staged. Counted from
-- the lake's keys by themselves, so that a model that repeats or loses records shows.
{% for namespace, resource, key, staged, staged_key in staged_entities() %}
select
  '{{ resource }}' as resource,
  landed.source,
  landed.landed_rows,
  landed.records,
  coalesce(staged.staged_rows, 0) as staged_rows,
  landed.records - coalesce(staged.staged_records, 0) as deleted_records
from (
  select
    _source as source,
    {{ count_where("not _deleted") }} as landed_rows,
    count(distinct {{ whole_key(key) }}) as records
  from {{ source("landing", namespace ~ "__" ~ resource) }}
  group by _source
) as landed
left join (
  {%- if namespace in namespaces_by_source() %}
  select source, count(*) as staged_rows, count(distinct {{ whole_key(staged_key) }}) as staged_records
  from {{ ref(staged) }}
  group by source
  {%- else %}
  -- A record that two sources hold is staged once, and counted for each of them.
  select holder.source, count(*) as staged_rows, count(distinct {{ whole_key(staged_key, "staged") }}) as staged_records
  from {{ ref(staged) }} as staged
  inner join (
    select distinct _source as source, {{ whole_key(key) }} as record_key
    from {{ source("landing", namespace ~ "__" ~ resource) }}
  ) as holder on holder.record_key = {{ whole_key(staged_key, "staged") }}
  group by holder.source
  {%- endif %}
) as staged on staged.source = landed.source
{{ "union all" if not loop.last }}
{% endfor %}
