-- Scores of a student in a class's gradebook. A score that the student is exempt from does not count. Ed-Fi tells a grade for
-- each grading period, without an end of its scale: it is dated by the period's last day, else by its last change.
select
  result.source,
  result.student_sourced_id as record_key,
  coalesce(result.class_sourced_id, line_item.class_sourced_id) as class_key,
  result.line_item_sourced_id as line_item_key,
  category.title as category,
  result.score,
  line_item.score_max,
  cast(result.score_date as date) as scored_on
from {{ ref("stg_oneroster__results") }} as result
inner join {{ ref("stg_oneroster__line_items") }} as line_item
  on line_item.source = result.source and line_item.sourced_id = result.line_item_sourced_id
left join {{ ref("stg_oneroster__categories") }} as category
  on category.source = line_item.source and category.sourced_id = line_item.category_sourced_id
where result.score is not null and coalesce(result.score_status, '') <> 'exempt'

union all

select
  grade.source,
  grade.student_unique_id,
  {{ edfi_class_key("grade") }},
  concat({{ edfi_class_key("grade") }}, ' ', grade.grade_type, ' ', grade.grading_period, ' ', grade.grading_period_part),
  grade.grade_type,
  grade.numeric_grade,
  null,
  coalesce(period.ends_on, {{ local_date("grade.date_last_modified", "district.time_zone") }})
from {{ ref("stg_edfi__grades") }} as grade
cross join {{ source("config", "district") }} as district
left join (
  select source, school_id, school_year, grading_period, grading_period_part, max(ends_on) as ends_on
  from {{ ref("stg_edfi__grading_periods") }}
  group by source, school_id, school_year, grading_period, grading_period_part
) as period
  on period.source = grade.source
  and period.school_id = grade.school_id
  and period.school_year = grade.school_year
  and period.grading_period = grade.grading_period
  and period.grading_period_part = grade.grading_period_part
where grade.numeric_grade is not null
