"""How an expectation is written down: what it is called, how bad it is, what it means, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from uptake.warehouse.snapshot import Audience

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation

Severity = Literal["critical", "warning"]
Columns = Mapping[str, str]  # column name -> DuckDB type, in the table's order


@dataclass(frozen=True, slots=True)
class Facts:
    """What suites may know of a candidate: its tables, and the district's settings. No rows."""

    district: str
    sources: tuple[str, ...]
    minimum_n: int
    tables: Mapping[Audience, Mapping[str, Columns]]
    keys: Mapping[str, Sequence[str]]  # as the models declare them: columns that name one row
    refused: Mapping[str, Sequence[str]]

    def has(self, audience: Audience, table: str) -> bool:
        return table in self.tables[audience]


@dataclass(frozen=True, slots=True)
class Suite:
    """Expectations on one table of one file; with `query`, on its rows instead (`table` then only names it)."""

    area: str  # landing, marts, reconciliation, privacy
    audience: Audience
    table: str
    expectations: Sequence[Expectation]
    query: str | None = None

    @property
    def name(self) -> str:
        return f"{self.area}.{self.audience}.{self.table}"


@dataclass(frozen=True, slots=True)
class Result:
    """What one expectation found. `query` is its SQL where it has one: the rows that should not be there."""

    check_id: str
    area: str
    audience: Audience
    table: str
    column: str | None
    severity: str
    description: str
    remedy: str
    is_success: bool
    observed: str
    unexpected_rows: int | None
    query: str | None
    batch: str  # what `{batch}` stands for in `query`


def check(
    expectation: Callable[..., Expectation],
    check_id: str,
    description: str,
    remedy: str,
    *,
    severity: Severity = "critical",
    **arguments: Any,
) -> Expectation:
    """An expectation with its papers. `check_id` never changes once released: an auditor reads its history by it."""
    return expectation(
        description=description,
        severity=severity,
        meta={"check_id": check_id, "remedy": remedy},
        **arguments,
    )
