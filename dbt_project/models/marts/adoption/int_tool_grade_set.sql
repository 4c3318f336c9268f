{{ config(materialized="view", schema="intermediate", contract={"enforced": false}) }}
-- The grades that each tool is meant for. Tools with the same set of grades have the same eligible students. No grades
-- named: every student. Tools that nobody has decided on and nobody pays for are not asked after: mart_unknown_tool shows them.
select
  tool_key,
  tool_name,
  licensed_grades,
  case
    when coalesce({{ list_length("licensed_grades") }}, 0) = 0 then 'all'
    else {{ joined_list(sorted_list("licensed_grades"), ";") }}
  end as grade_set
from {{ ref("dim_tool") }}
where tool_source = 'catalogue'
  and (approval_status <> 'known' or tool_key in (select tool_key from {{ ref("dim_contract") }}))

union all

select {{ any_tool() }}, 'Any tool', cast([] as {{ text_array() }}), 'all'
