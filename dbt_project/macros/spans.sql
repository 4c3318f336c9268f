{#-
  Spans of dates: both ends included, open end 9999-12-31, known from the start 1900-01-01.
-#}

{% macro open_end() -%}
  cast('9999-12-31' as date)
{%- endmacro %}

{% macro known_from_the_start() -%}
  cast('1900-01-01' as date)
{%- endmacro %}

{#-
  Joins spans of one key that overlap, touch, or are parted only by days without instruction: a break between terms is
  not a departure. `relation` needs the keys, starts_on and ends_on.
-#}
{% macro merged_spans(relation, keys) -%}
  {%- set by_keys = keys | join(", ") -%}
  with span as (
    -- each once: the windows below put spans in order twice, and equal ones might change places
    select distinct {{ by_keys }}, starts_on, ends_on
    from {{ relation }}
  ),
  ending as (
    select distinct ends_on from span
  ),
  resumption as (
    -- The latest first day of a span that continues one with this end: the next day with instruction, else the next day.
    select
      ending.ends_on,
      coalesce(
        min(calendar_day.on_date),
        case when ending.ends_on < {{ open_end() }} then {{ days_after("ending.ends_on", 1) }} else ending.ends_on end
      ) as resumes_by
    from ending
    left join {{ source("config", "calendar_day") }} as calendar_day
      on calendar_day.on_date > ending.ends_on and calendar_day.is_instructional
    group by ending.ends_on
  ),
  held as (
    select
      span.*,
      max(resumption.resumes_by) over (
        partition by {{ by_keys }} order by span.starts_on, span.ends_on
        rows between unbounded preceding and 1 preceding
      ) as resumes_by
    from span
    inner join resumption on resumption.ends_on = span.ends_on
  ),
  numbered as (
    select
      *,
      sum(case when starts_on <= resumes_by then 0 else 1 end) over (
        partition by {{ by_keys }} order by starts_on, ends_on rows between unbounded preceding and current row
      ) as span_no
    from held
  )
  select {{ by_keys }}, min(starts_on) as starts_on, max(ends_on) as ends_on
  from numbered
  group by {{ by_keys }}, span_no
{%- endmacro %}

{#-
  Spans of an attribute from the versions of a record, for vendors that give its value but not its dates.

  `relation` needs keys, value, date_last_modified, landed_at and as_of_at, one row for each landed version. A change counts
  from the local date of the vendor's change time, or of the pull where the vendor changed the value and not that time. A
  version older than one already landed (a replay) changes nothing. The first value known counts from the start.
-#}
{% macro attribute_spans(relation, keys, value) -%}
  {%- set by_keys = keys | join(", ") -%}
  with version as (
    select
      {{ by_keys }},
      {{ value }},
      date_last_modified,
      landed_at,
      as_of_at,
      max(date_last_modified) over (
        partition by {{ by_keys }} order by landed_at, date_last_modified, {{ value }}
        rows between unbounded preceding and 1 preceding
      ) as modified_before
    from {{ relation }}
  ),
  in_order as (
    select
      *,
      row_number() over versions as version_no,
      lag({{ value }}) over versions as value_before
    from version
    where modified_before is null or date_last_modified is null or date_last_modified >= modified_before
    window versions as (partition by {{ by_keys }} order by landed_at, date_last_modified, {{ value }})
  ),
  change as (
    select
      {%- for key in keys %}
      in_order.{{ key }},
      {%- endfor %}
      in_order.{{ value }},
      in_order.version_no,
      case
        when in_order.version_no = 1 then {{ known_from_the_start() }}
        when in_order.date_last_modified > in_order.modified_before
          then {{ local_date("in_order.date_last_modified", "district.time_zone") }}
        else {{ local_date("in_order.as_of_at", "district.time_zone") }}
      end as starts_on
    from in_order
    cross join {{ source("config", "district") }} as district
    where in_order.version_no = 1 or in_order.{{ value }} is distinct from in_order.value_before
  ),
  change_of_day as (
    {{ newest_per_key("change", keys + ["starts_on"], ["version_no"]) }}
  )
  select
    {{ by_keys }},
    {{ value }},
    starts_on,
    coalesce(
      {{ days_after("lead(starts_on) over (partition by " ~ by_keys ~ " order by starts_on)", -1) }}, {{ open_end() }}
    ) as ends_on
  from change_of_day
{%- endmacro %}

{#-
  Spans of an attribute of students from those of their records in several rosters, each date once. A date has the value of a
  roster that has the student enrolled on it, before one that only still knows them; then of the first of their rosters; a roster
  that knows no value leaves it to the next.

  `relation` needs the keys (student_key first), record_no, value, starts_on and ends_on, every date of a record once. Spans of
  students with one record are passed on as they are.
-#}
{% macro spans_of_records(relation, keys, value) -%}
  {%- set by_keys = keys | join(", ") -%}
  with several as (
    select {{ by_keys }}, count(distinct record_no) as records
    from {{ relation }}
    group by {{ by_keys }}
    having count(distinct record_no) > 1
  ),
  enrolled as (
    select student_key, record_no, min(starts_on) as starts_on, max(ends_on) as ends_on
    from {{ ref("int_enrollment") }}
    group by student_key, record_no
  ),
  boundary as (
    select {{ by_keys }}, starts_on from {{ relation }} inner join several using ({{ by_keys }})
    union
    select {{ by_keys }}, starts_on from enrolled inner join several using (student_key)
    union
    select {{ by_keys }}, {{ days_after("ends_on", 1) }} as starts_on
    from enrolled
    inner join several using (student_key)
    where ends_on < {{ open_end() }}
  ),
  stretch as (
    select
      {{ by_keys }},
      starts_on,
      coalesce(
        {{ days_after("lead(starts_on) over (partition by " ~ by_keys ~ " order by starts_on)", -1) }}, {{ open_end() }}
      ) as ends_on
    from boundary
  ),
  candidate as (
    select
      {%- for key in keys %}
      stretch.{{ key }},
      {%- endfor %}
      stretch.starts_on,
      stretch.ends_on,
      span.{{ value }},
      span.record_no,
      case when span.{{ value }} is null then 2 when enrolled.record_no is null then 1 else 0 end as doubt
    from stretch
    inner join {{ relation }} as span
      on span.starts_on <= stretch.starts_on
      and span.ends_on >= stretch.ends_on
      {%- for key in keys %}
      and span.{{ key }} = stretch.{{ key }}
      {%- endfor %}
    left join enrolled
      on enrolled.student_key = stretch.student_key
      and enrolled.record_no = span.record_no
      and enrolled.starts_on <= stretch.starts_on
      and enrolled.ends_on >= stretch.ends_on
  ),
  settled as (
    {{ first_per_key("candidate", keys + ["starts_on"], ["candidate.doubt", "candidate.record_no"]) }}
  ),
  change as (
    select * from (
      select
        *,
        starts_on = min(starts_on) over (partition by {{ by_keys }})
          or {{ value }} is distinct from lag({{ value }}) over (partition by {{ by_keys }} order by starts_on) as is_change
      from settled
    ) as compared
    where is_change
  )
  select {{ by_keys }}, {{ value }}, starts_on, ends_on
  from {{ relation }}
  left join several using ({{ by_keys }})
  where several.records is null
  union all
  select
    {{ by_keys }},
    {{ value }},
    starts_on,
    coalesce(
      {{ days_after("lead(starts_on) over (partition by " ~ by_keys ~ " order by starts_on)", -1) }}, {{ open_end() }}
    ) as ends_on
  from change
{%- endmacro %}
