{{ config(materialized="incremental", incremental_strategy="replace_summary_dates") }}
-- Use at the grain that an aggregate-only source gives it. Never mixed with fct_student_tool_day.
select
  district_id,
  case when lp_id is not null then {{ summary_tool_key("lp_id") }} end as tool_key,
  on_date,
  pct_access,
  engagement_index,
  source as usage_source
from {{ ref("stg_learnplatform__engagement") }}
where {{ is_touched_summary_date() }}
