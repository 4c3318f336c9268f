"""What is paid for and not used: reads mart_value."""

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

    `today` is the day that days_to_renewal counts from; `is_unused` says that nobody used it for so many weeks.
    """
    reader.require("value")
    return reader.frame(
        """
        select value.contract_key, value.tool_key, value.tool_name, value.vendor_name, value.school_year,
               value.cost_usd, value.price_usd, value.price_basis, value.seats, value.seats_used,
               value.utilisation_rate, value.active_students, value.cost_per_active_student_usd,
               value.active_hours, value.cost_per_active_hour_usd, value.wasted_usd, value.waste_method,
               value.renewal_on, value.decide_by_on, value.days_to_renewal, value.suppression_reason,
               value.renewal_on - value.days_to_renewal::integer as today,
               value.days_to_renewal - (value.renewal_on - value.decide_by_on) as days_to_decision,
               unused.contract_key is not null as is_unused, unused.last_used_on, unused.weeks_without_use
        from mart_value as value
        left join mart_unused_tool as unused on unused.contract_key = value.contract_key
        where value.school_year = $school_year or $school_year is null
        order by value.wasted_usd desc nulls last, value.cost_usd desc, value.tool_name
        """,
        school_year=school_year,
    )
