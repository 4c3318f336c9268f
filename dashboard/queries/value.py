"""What tools cost, what is used of them and what a gain costs: reads mart_value and the marts of cost beside it."""

from __future__ import annotations

import pandas as pd

from queries.reader import Reader


def school_years(reader: Reader) -> list[str]:
    """Newest first."""
    reader.require("value")
    found = reader.frame("select distinct school_year from mart_value where school_year is not null order by 1 desc")
    return [str(year) for year in found["school_year"]]


def contracts(reader: Reader, *, school_year: str | None) -> pd.DataFrame:
    """One row a contract, the most wasted first.

    `today` is the day that days_to_renewal counts from; `is_unused` says that nobody used it for so many weeks. What a
    user and an hour cost is the tool's total cost in the contract's currency, with its ends.
    """
    reader.require("value")
    return reader.frame(
        """
        select value.contract_key, value.tool_key, value.tool_name, value.vendor_name, value.school_year,
               value.currency, value.cost, value.price, value.price_basis, value.seats, value.seats_used,
               value.utilisation_rate, value.active_students, value.active_hours, value.wasted, value.waste_method,
               total.cost_per_active_student_low, total.cost_per_active_student_likely,
               total.cost_per_active_student_high, total.cost_per_active_hour_low, total.cost_per_active_hour_likely,
               total.cost_per_active_hour_high, contract.ends_on, value.renewal_on, value.notice_days,
               value.notice_basis, value.auto_renews, value.decide_by_on, value.days_to_renewal,
               value.suppression_reason,
               value.renewal_on - value.days_to_renewal::integer as today,
               value.days_to_renewal - (value.renewal_on - value.decide_by_on) as days_to_decision,
               unused.contract_key is not null as is_unused, unused.last_used_on, unused.weeks_without_use
        from mart_value as value
        left join mart_unused_tool as unused on unused.contract_key = value.contract_key
        left join dim_contract as contract on contract.contract_key = value.contract_key
        left join mart_tool_cost as total
          on total.tool_key = value.tool_key and total.currency = value.currency and total.ingredient = 'all'
        where value.school_year = $school_year or $school_year is null
        order by value.wasted desc nulls last, value.cost desc, value.tool_name
        """,
        school_year=school_year,
    )


def tool_costs(reader: Reader) -> pd.DataFrame:
    """One row a tool, currency and ingredient (`all` for all of them), the dearest tool first."""
    reader.require("value")
    return reader.frame(
        """
        select cost.tool_key, cost.tool_name, cost.currency, cost.ingredient, cost.school_year, cost.cost_low,
               cost.cost_likely, cost.cost_high, cost.active_students, cost.cost_per_active_student_low,
               cost.cost_per_active_student_likely, cost.cost_per_active_student_high, cost.cost_per_active_hour_low,
               cost.cost_per_active_hour_likely, cost.cost_per_active_hour_high, cost.undefined_reason
        from mart_tool_cost as cost
        inner join mart_tool_cost as whole
          on whole.tool_name = cost.tool_name and whole.tool_key is not distinct from cost.tool_key
          and whole.currency = cost.currency and whole.ingredient = 'all'
        order by whole.cost_likely desc, cost.tool_name, cost.currency, cost.ingredient = 'all' desc,
                 cost.cost_likely desc
        """
    )


def effects(reader: Reader) -> pd.DataFrame:
    """One row a tool whose study has run: the newest that may claim a cause and passed its checks, else the newest.

    Which study speaks for a tool never depends on what it found.
    """
    reader.require("value")
    return reader.frame(
        """
        select tool_key, tool_name, plan_hash, outcome, design, verdict, meaningful_g, confidence, planned_at,
               use_starts_on, use_ends_on, g, g_low, g_high, currency, cost_per_active_student_low,
               cost_per_active_student_likely, cost_per_active_student_high, cost_per_tenth_low,
               cost_per_tenth_likely, cost_per_tenth_high, undefined_reason
        from mart_cost_effectiveness
        where is_first_outcome
        qualify row_number() over (
            partition by tool_key order by g is not null desc, planned_at desc, plan_hash
        ) = 1
        order by tool_name
        """
    )


def forecast(reader: Reader) -> pd.DataFrame:
    """One row a tool, currency and budget year, the running year first."""
    reader.require("value")
    return reader.frame(
        """
        select tool_key, tool_name, currency, year_starts_on, year_ends_on, sum(cost_low) as cost_low,
               sum(cost_likely) as cost_likely, sum(cost_high) as cost_high, sum(signed_cost) as signed_cost
        from mart_cost_forecast
        group by tool_key, tool_name, currency, year_starts_on, year_ends_on
        order by year_starts_on, cost_likely desc, tool_name
        """
    )
