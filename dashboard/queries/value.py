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
    """One row a contract, the most wasted first; `today` is the day that days_to_renewal counts from."""
    reader.require("value")
    return reader.frame(
        """
        select contract_key, tool_key, tool_name, vendor_name, school_year, cost_usd, seats, seats_used,
               utilisation_rate, active_students, cost_per_active_student_usd, active_hours,
               cost_per_active_hour_usd, wasted_usd, waste_method, renewal_on, decide_by_on, days_to_renewal,
               suppression_reason, renewal_on - days_to_renewal::integer as today
        from mart_value
        where school_year = $school_year or $school_year is null
        order by wasted_usd desc nulls last, cost_usd desc, tool_name
        """,
        school_year=school_year,
    )


def unused_contracts(reader: Reader) -> pd.DataFrame:
    """Contracts that nobody has used: contract_key, tool_name, cost_usd, seats, renewal_on."""
    reader.require("value")
    return reader.frame(
        """
        select contract_key, tool_name, cost_usd, seats, weeks_without_use, last_used_on, renewal_on
        from mart_unused_tool
        order by cost_usd desc nulls last, tool_name
        """
    )
