{#- Resources of pushed events, as text for an `in`. -#}
{% macro pushed_event_resources() -%}
  'event', 'statement', 'gateway_http', 'gateway_dns', 'zscaler_web'
{%- endmacro %}

{#- Use that leaders' numbers count: instructional days, and school hours unless the district widened that. -#}
{% macro counts_for_leaders(is_in_school, count_out_of_school) -%}
  ({{ is_in_school }} or {{ count_out_of_school }})
{%- endmacro %}

{#-
  A measurement as a decimal with millionths. Sums of such numbers are the same in whatever order they are made, so that
  an increment and a full refresh agree to the last digit.
-#}
{% macro exact(measure) -%}
  cast({{ measure }} as decimal(38, 6))
{%- endmacro %}

{#- Quotient of an exact sum and its count; the sum of none is NULL, and so is its mean. -#}
{% macro mean_of_exact(total, n) -%}
  cast({{ total }} as double) / {{ n }}
{%- endmacro %}

{#- First date that mart_unknown_tool looks at: four weeks, and the four before. -#}
{% macro unknown_tool_from(data_complete_through) -%}
  {{ days_after(data_complete_through, -55) }}
{%- endmacro %}

{#- Idle gaps, in minutes, for which the minutes of a filter are published beside those of the district's own gap: how much
    an answer hangs on that choice. -#}
{% macro published_idle_gaps() -%}
  {{ return([5, 10, 30]) }}
{%- endmacro %}

{#- How far back the report is looked for that a tool's cumulative measure is held against: longer than any holidays but
    the summer's, and short enough that the cost of a date does not grow with the history. -#}
{% macro report_lookback_days() -%}
  {{ return(30) }}
{%- endmacro %}
