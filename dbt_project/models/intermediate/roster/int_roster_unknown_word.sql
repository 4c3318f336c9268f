-- Words of rosters that nobody here knows (macros/roster_words.sql), each as often as a record says it.
with said as (

  {%- for vocabulary, column in [
    ("grade", "grade"), ("gender", "gender"), ("race", "race"), ("economic_disadvantage", "economic_disadvantage")
  ] %}

  select source, '{{ vocabulary }}' as vocabulary, {{ column }}_word as word
  from {{ ref("stg_clever__users") }}
  where not is_deleted

  union all
  {%- endfor %}

  select source, 'grade', grade_word
  from {{ ref("stg_edfi__student_school_associations") }}
  where not is_deleted
  {%- for staged in ["stg_edfi__student_education_organization_associations", "stg_edfi__student_demographics"] %}

  union all

  select source, 'gender', gender_word
  from {{ ref(staged) }}

  union all

  select source, 'english_learner', english_learner_word
  from {{ ref(staged) }}

  union all

  select source, 'race', {{ each_element("races") }}
  from {{ ref(staged) }}
  {%- endfor %}

  union all

  select source, 'economic_disadvantage', economic_disadvantage_word
  from {{ ref("stg_edfi__student_demographics") }}

  union all

  select source, 'attendance', attendance_word
  from {{ ref("stg_edfi__student_school_attendance_events") }}

)

select source, vocabulary, word
from said
where case vocabulary
  {%- for vocabulary in ["grade", "gender", "race", "english_learner", "economic_disadvantage", "attendance"] %}
  when '{{ vocabulary }}' then {{ is_unknown_word(vocabulary, "word") }}
  {%- endfor %}
end
