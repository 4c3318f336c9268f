"""Short forms of the expectations that the suites use most."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import great_expectations.expectations as gxe

from uptake.quality.suite import Severity, check


def no_rows(check_id: str, query: str, description: str, remedy: str, severity: Severity = "critical") -> Any:
    """No row may come back. `{batch}` is the table; other braces are doubled.

    The first rows are shown to whoever mends it: select keys and counts, and in a privacy check never the value itself.
    """
    return check(
        gxe.UnexpectedRowsExpectation, check_id, description, remedy, severity=severity, unexpected_rows_query=query
    )


def key_is_whole_and_unique(
    area: str, table: str, columns: Sequence[str], nullable: Collection[str], remedy: str
) -> list[Any]:
    """Two expectations: the columns name one row, and none of them is null unless it may be."""
    missing = " OR ".join(f"{column} IS NULL" for column in columns if column not in nullable)
    named = ", ".join(columns)
    unique = (
        check(
            gxe.ExpectCompoundColumnsToBeUnique,
            f"{area}.{table}.key_unique",
            f"Each combination of {named} stands once: no number is counted twice.",
            remedy,
            column_list=list(columns),
            ignore_row_if="never",
        )
        if len(columns) > 1
        else check(
            gxe.ExpectColumnValuesToBeUnique,
            f"{area}.{table}.key_unique",
            f"Each {named} stands once: no number is counted twice.",
            remedy,
            column=columns[0],
        )
    )
    whole = no_rows(
        f"{area}.{table}.key_not_null",
        f"SELECT {named} FROM {{batch}} WHERE {missing}",
        f"Every row has {named}.",
        remedy,
    )
    return [unique, whole]


def between(
    check_id: str,
    column: str,
    description: str,
    remedy: str,
    *,
    low: float | None = None,
    high: float | None = None,
    severity: Severity = "critical",
) -> Any:
    """Where the column is not null, it lies within the limits, ends included."""
    return check(
        gxe.ExpectColumnValuesToBeBetween,
        check_id,
        description,
        remedy,
        severity=severity,
        column=column,
        min_value=low,
        max_value=high,
    )
