-- Which subgroup a student was in, when, in every dimension that rosters tell of. A dimension is written out here: a new
-- column of a source never becomes a subgroup by itself. Not known is no row, never 'no'.
with version as (

  select
    record.person_key as student_key,
    record.record_no,
    version.*
  from {{ ref("int_roster_demographic_version") }} as version
  inner join {{ ref("int_person_record") }} as record
    on record.source = version.source and record.record_key = version.record_key

),

{%- set dimensions = ["economic_disadvantage", "disability", "english_learner", "race_ethnicity", "gender"] %}
{%- for dimension in dimensions %}

{{ dimension }} as (

  {{ attribute_spans("version", ["student_key", "record_no"], dimension) }}

),
{%- endfor %}

record_span as (
  {% for dimension in dimensions %}
  select student_key, record_no, '{{ dimension }}' as dimension, {{ dimension }} as subgroup, starts_on, ends_on
  from {{ dimension }}
  {{- "

  union all
" if not loop.last }}
  {%- endfor %}

),

span as (

  {{ spans_of_records("record_span", ["student_key", "dimension"], "subgroup") }}

)

select student_key, dimension, subgroup, starts_on, ends_on
from span
where subgroup is not null
