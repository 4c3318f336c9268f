{{ config(schema="intermediate", contract={"enforced": false}) }}
-- From which week each tool's use could be seen: a tool that only one source sees cannot be called unused before that source
-- began. A tool that was never seen could be seen once every source had begun.
with seen as (

  select tool_key, minutes_method, min(week_start_on) as seen_from
  from {{ ref("int_student_tool_week") }}
  where minutes_method is not null
  group by tool_key, minutes_method

),

method as (

  select minutes_method, min(seen_from) as method_from from seen group by minutes_method

),

tool as (

  select seen.tool_key, min(method.method_from) as seen_from
  from seen
  inner join method on method.minutes_method = seen.minutes_method
  group by seen.tool_key

)

select
  grade_set.tool_key,
  case
    when grade_set.tool_key = {{ any_tool() }} then (select min(method_from) from method)
    else coalesce(tool.seen_from, (select max(method_from) from method))
  end as seen_from
from {{ ref("int_tool_grade_set") }} as grade_set
left join tool on tool.tool_key = grade_set.tool_key
