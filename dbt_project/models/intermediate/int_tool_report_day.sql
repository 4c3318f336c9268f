{{ config(materialized="incremental", incremental_strategy="replace_dates") }}
-- The last report of each date and span: what the first one of a later date is held against.
{{ newest_per_key(
    ref("int_tool_report"), ["on_date", "person_key", "tool_key", "started_micros"], ["at_micros"], where=is_touched_date()
) }}
