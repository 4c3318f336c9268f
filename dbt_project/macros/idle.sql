{#-
  Query: contract_key, last_used_on (of any student, on any day; NULL if never) and weeks_without_use of each contract: complete
  instructional weeks since the last use, or since the contract or the school year began. Contracts without such a week have no row.

  contracts: relation with contract_key, tool_key, period_starts_on, data_complete_through.
-#}
{% macro contract_idle(contracts) -%}
  select
    contract.contract_key,
    use.last_used_on,
    count(distinct day.week_start_on) as weeks_without_use
  from {{ contracts }} as contract
  left join (
    select tool_key, max(on_date) as last_used_on from {{ ref("fct_student_tool_day") }} group by tool_key
  ) as use on use.tool_key = contract.tool_key
  inner join {{ ref("dim_date") }} as day
    on day.is_instructional
    and day.on_date between contract.period_starts_on and contract.data_complete_through
    and day.week_start_on > coalesce(use.last_used_on, {{ days_after("contract.period_starts_on", -7) }})
    and {{ days_after("day.week_start_on", 4) }} <= contract.data_complete_through
  group by contract.contract_key, use.last_used_on
{%- endmacro %}
