-- Scores of a student in a class's gradebook. A score that the student is exempt from does not count.
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
