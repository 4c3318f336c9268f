{{ config(materialized="view") }}
-- Scores of assessments that vendors export, by the identifier that they give, with the window of the school year in which
-- they were taken. i-Ready's windows are those of its norms: fall is through November 15, winter through February.
with diagnostic as (

  select 'reading' as subject, student, completed_on, overall_scale_score as score
  from {{ ref("stg_iready__diagnostic_results_ela") }}
  union all
  select 'mathematics', student, completed_on, overall_scale_score
  from {{ ref("stg_iready__diagnostic_results_math") }}

),

dated as (

  select
    *,
    extract(year from completed_on) - case when extract(month from completed_on) < 8 then 1 else 0 end as first_year,
    extract(month from completed_on) * 100 + extract(day from completed_on) as month_day
  from diagnostic

)

select
  'i-Ready Diagnostic' as assessment,
  subject,
  concat(first_year, '-', first_year + 1) as school_year,
  case
    when month_day between 801 and 1115 then 'fall'
    when month_day between 301 and 731 then 'spring'
    else 'winter'
  end as test_window,
  'sis_number' as identifier_kind,
  student as identifier,
  score,
  completed_on as scored_on
from dated
