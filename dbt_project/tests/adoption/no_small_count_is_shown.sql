{{ config(meta={"severity": "critical"}) }}
-- What is this test?
--   No mart of the leaders shows a count of fewer than n students, or of all but fewer than n.
-- When is it important to resolve?
--   At once: nothing is published while it fails. It tells what single children do.
-- How to resolve?
--   See which rule of macros/suppression.sql let it through; until it is mended, raise nothing and publish nothing.
select week_start_on, tool_key, org_level, org_key, dimension, subgroup
from {{ ref("int_use_cell") }}
where {{ is_week_to_build() }}
  and (
    (shown_eligible is not null and (is_eligible_hidden or eligible < minimum_n))
    or (
      shown_active is not null
      and (is_eligible_hidden or is_active_hidden or active < minimum_n or eligible - active < minimum_n)
    )
    or (
      shown_consistent is not null
      and (
        is_eligible_hidden or is_active_hidden or is_consistent_hidden
        or consistent < minimum_n or eligible - consistent < minimum_n
      )
    )
  )

union all

select mart.week_start_on, mart.tool_key, mart.org_level, mart.org_key, mart.dimension, mart.subgroup
from {{ ref("mart_adoption") }} as mart
left join {{ ref("int_use_cell") }} as cell
  using (week_start_on, tool_key, org_level, org_key, dimension, subgroup)
where {{ is_week_to_build("mart.week_start_on") }}
  and mart.org_level <> 'class'
  and (
    (mart.active_students is not null and mart.active_students is distinct from cell.shown_active)
    or (mart.consistent_students is not null and mart.consistent_students is distinct from cell.shown_consistent)
    or (
      coalesce(mart.adoption_rate, mart.minutes_per_active_student) is not null
      and coalesce(cell.is_active_hidden, true)
    )
    or (mart.consistent_rate is not null and coalesce(cell.is_consistent_hidden, true))
    or (mart.rate_low is not null and not coalesce(cell.is_active_hidden and cell.has_active_end, false))
  )
