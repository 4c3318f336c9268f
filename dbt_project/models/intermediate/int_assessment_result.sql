{{ config(materialized="view") }}
-- Scores of assessments that vendors export or a roster tells, by the identifier that they give, with the window of the school
-- year in which they were taken. The windows are those of i-Ready's norms: fall is through November 15, winter through
-- February. Of Ed-Fi's scores those that are numbers count, each way of reporting by itself.
with edfi_score as (

  select
    assessment.student_unique_id,
    assessment.assessment_identifier,
    {{ local_date("assessment.administered_at", "district.time_zone") }} as completed_on,
    {{ each_element("assessment.scores") }} as score
  from {{ ref("stg_edfi__student_assessments") }} as assessment
  cross join {{ source("config", "district") }} as district

),

test as (

  select
    'i-Ready Diagnostic' as assessment,
    'reading' as subject,
    'sis_number' as identifier_kind,
    student as identifier,
    completed_on,
    overall_scale_score as score
  from {{ ref("stg_iready__diagnostic_results_ela") }}

  union all

  select 'i-Ready Diagnostic', 'mathematics', 'sis_number', student, completed_on, overall_scale_score
  from {{ ref("stg_iready__diagnostic_results_math") }}

  union all

  select
    assessment_identifier,
    {{ field_of("score", "method") }},
    'sis_user',
    student_unique_id,
    completed_on,
    {{ number_or_null(field_of("score", "result")) }}
  from edfi_score

),

dated as (

  select
    *,
    extract(year from completed_on) - case when extract(month from completed_on) < 8 then 1 else 0 end as first_year,
    extract(month from completed_on) * 100 + extract(day from completed_on) as month_day
  from test
  where score is not null

)

select
  assessment,
  subject,
  concat(first_year, '-', first_year + 1) as school_year,
  case
    when month_day between 801 and 1115 then 'fall'
    when month_day between 301 and 731 then 'spring'
    else 'winter'
  end as test_window,
  identifier_kind,
  identifier,
  score,
  completed_on as scored_on
from dated
