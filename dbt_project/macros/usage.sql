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

{#- How minutes are measured, and why an event does not count as use: everything that int_usage_event can say. -#}
{% macro minutes_methods() -%}
  {{ return(["filter_sessionised", "lms_interaction", "hour_bucket", "event_sessionised"]) }}
{%- endmacro %}

{% macro exclusion_reasons() -%}
  {{ return(["blocked", "background", "voided"]) }}
{%- endmacro %}

{#-
  A person, date, method and reason in one number: person_no * 10^7 + days since 1970 * 100 + method * 10 + reason. A method
  or a reason that the lists above do not have is an error, not a lane of its own. Those after it read it back.
-#}
{% macro lane(person_no, on_date, minutes_method, exclusion_reason) -%}
  cast({{ person_no }} as bigint) * 10000000 + {{ days_since_1970(on_date) }} * 100
    + case {{ minutes_method }}
      {%- for method in minutes_methods() %} when '{{ method }}' then {{ loop.index * 10 }}{% endfor %} else {{ failure("'unknown method of minutes'") }} end
    + case when {{ exclusion_reason }} is null then 0
      {%- for reason in exclusion_reasons() %} when {{ exclusion_reason }} = '{{ reason }}' then {{ loop.index }}{% endfor %} else {{ failure("'unknown exclusion reason'") }} end
{%- endmacro %}

{#- Whether events of the lane are measured by that method. -#}
{% macro lane_is_of(lane, minutes_method) -%}
  ({{ lane }} // 10) % 10 = {{ minutes_methods().index(minutes_method) + 1 }}
{%- endmacro %}

{#-
  A place, its source (of at most 999) and the side of the school bell in one number. Places of hosts are negative numbers: all are
  moved above 0, since engines differ in how they divide the others. The three macros after it read it back.
-#}
{% macro spot(place_no, source_no, is_in_school) -%}
  ((cast({{ place_no }} as bigint) + 1000000000) * 1000 + {{ source_no }}) * 2 + case when {{ is_in_school }} then 1 else 0 end
{%- endmacro %}

{% macro place_no_of_spot(spot) -%}
  {{ spot }} // 2000 - 1000000000
{%- endmacro %}

{% macro source_no_of_spot(spot) -%}
  ({{ spot }} // 2) % 1000
{%- endmacro %}

{% macro is_in_school_of_spot(spot) -%}
  {{ spot }} % 2 = 1
{%- endmacro %}

{% macro person_no_of_lane(lane) -%}
  {{ lane }} // 10000000
{%- endmacro %}

{% macro date_of_lane(lane) -%}
  {{ days_after("cast('1970-01-01' as date)", "(" ~ lane ~ " // 100) % 100000") }}
{%- endmacro %}

{% macro method_of_lane(lane) -%}
  case ({{ lane }} // 10) % 10{% for method in minutes_methods() %} when {{ loop.index }} then '{{ method }}'{% endfor %} end
{%- endmacro %}

{% macro exclusion_of_lane(lane) -%}
  case {{ lane }} % 10{% for reason in exclusion_reasons() %} when {{ loop.index }} then '{{ reason }}'{% endfor %} end
{%- endmacro %}
