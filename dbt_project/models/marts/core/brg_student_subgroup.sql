-- Which subgroup a student was in, when. The dimensions are those that the district listed (config.subgroup), each
-- written out here: a new column of the source never becomes a subgroup by itself. Not known is no row, never 'no'.
with version as (

  select
    demographics.sourced_id as student_key,
    demographics.date_last_modified,
    demographics.landed_at,
    demographics.as_of_at,
    {{ yes_no("is_economic_disadvantage") }} as economic_disadvantage,
    {{ yes_no("is_disability") }} as disability,
    {{ yes_no("is_english_learner") }} as english_learner,
    {{ race_ethnicity() }} as race_ethnicity,
    case when sex in ('female', 'male', 'other') then sex end as gender
  from {{ ref("stg_oneroster__demographic_versions") }} as demographics

),

{%- set dimensions = ["economic_disadvantage", "disability", "english_learner", "race_ethnicity", "gender"] %}
{%- for dimension in dimensions %}

{{ dimension }} as (

  {{ attribute_spans("version", "student_key", dimension) }}

),
{%- endfor %}

spans as (
  {% for dimension in dimensions %}
  select student_key, '{{ dimension }}' as dimension, {{ dimension }} as subgroup, starts_on, ends_on
  from {{ dimension }}
  where {{ dimension }} is not null
  {{- "

  union all
" if not loop.last }}
  {%- endfor %}

)

select
  district.district_id,
  spans.student_key,
  spans.dimension,
  spans.subgroup,
  spans.starts_on,
  spans.ends_on
from spans
inner join {{ source("config", "subgroup") }} as allowed on allowed.dimension = spans.dimension
inner join {{ ref("int_person") }} as person
  on person.person_key = spans.student_key and person.person_type = 'student'
cross join {{ source("config", "district") }} as district

union all

select
  district.district_id,
  person.person_key as student_key,
  'all_students' as dimension,
  'all_students' as subgroup,
  {{ known_from_the_start() }} as starts_on,
  {{ open_end() }} as ends_on
from {{ ref("int_person") }} as person
cross join {{ source("config", "district") }} as district
where person.person_type = 'student'
