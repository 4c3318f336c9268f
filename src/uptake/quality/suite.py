"""How an expectation is written down: what it is called, how bad it is, what it means, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
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

    @property
    def batch(self) -> str:
        """The query of the rows that the expectations look at."""
        return self.query or f'SELECT * FROM "{self.table}"'


@dataclass(frozen=True, slots=True)
class Result:
    """What one expectation found. `query` is its SQL where it has one: the rows that should not be there.

    checked_at: when it really ran; run_name: on which candidate. That may be an earlier one than the candidate in hand,
    where nothing that it reads has changed since (`uptake.quality.unchanged`).
    """

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
    checked_at: datetime
    run_name: str


def to_plain(result: Result) -> dict[str, Any]:
    """As JSON can hold it; `from_plain` reads it."""
    return asdict(result) | {"checked_at": result.checked_at.isoformat()}


def from_plain(plain: Mapping[str, Any]) -> Result:
    return Result(**{**plain, "checked_at": datetime.fromisoformat(plain["checked_at"])})


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
