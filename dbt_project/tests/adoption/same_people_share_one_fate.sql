{{ config(meta={"severity": "critical"}) }}
-- What is this test?
--   No group of students that stands in two places (a subgroup that is all of its school; the eligible students of two
--   tools with the same grades) is shown in one and hidden in the other.
-- When is it important to resolve?
--   At once: nothing is published while it fails.
-- How to resolve?
--   Find the two places below; the pass that gives the same people one fate (macros/suppression.sql) must come after the
--   one that hid the one.
select week_start_on, tool_key as among, identity, 'active' as measure
from {{ ref("int_use_cell") }}
where org_level in ('district', 'school') and {{ is_week_to_build() }}
group by week_start_on, tool_key, identity
having bool_or(is_active_hidden) and not bool_and(is_active_hidden)

union all

select week_start_on, tool_key, identity, 'consistent'
from {{ ref("int_use_cell") }}
where org_level in ('district', 'school') and consistent is not null and {{ is_week_to_build() }}
group by week_start_on, tool_key, identity
having bool_or(is_consistent_hidden) and not bool_and(is_consistent_hidden)

union all

select counted.week_start_on, 'sets of grades', counted.identity, 'eligible'
from {{ ref("int_eligible_count") }} as counted
inner join {{ ref("int_eligible_cell") }} as cell
  using (week_start_on, grade_set, org_level, org_key, dimension, subgroup)
where {{ is_week_to_build("counted.week_start_on") }}
group by counted.week_start_on, counted.identity
having bool_or(cell.is_hidden) and not bool_and(cell.is_hidden)
