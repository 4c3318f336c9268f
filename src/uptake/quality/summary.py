"""What a check run found. Kept beside the candidate, so that publishing can be another process on another day."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from uptake.errors import CheckError
from uptake.warehouse import durable

CHECKS_FILE = "checks.json"


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """One expectation that did not hold. `observed` names keys and counts, never a value that may identify a person."""

    check_id: str
    suite: str
    table: str
    column: str | None
    severity: str
    description: str
    observed: str
    remedy: str


@dataclass(frozen=True, slots=True)
class CheckSummary:
    """carried_over: how many of those that passed were not asked again, since nothing that they read has changed."""

    snapshot_id: str
    passed: int
    failed_critical: list[FailedCheck] = field(default_factory=list)
    failed_warning: list[FailedCheck] = field(default_factory=list)
    carried_over: int = 0

    @property
    def is_publishable(self) -> bool:
        return not self.failed_critical


def save(summary: CheckSummary, folder: Path) -> None:
    durable.write_json(folder / CHECKS_FILE, asdict(summary))


def load(folder: Path) -> CheckSummary:
    """Raises CheckError when the candidate in `folder` was not checked: what is unchecked is never published."""
    try:
        found = json.loads((folder / CHECKS_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckError("the candidate was not checked", remedy="run `uptake check`, then publish.") from error
    return CheckSummary(
        snapshot_id=found["snapshot_id"],
        passed=found["passed"],
        carried_over=found["carried_over"],
        failed_critical=[FailedCheck(**check) for check in found["failed_critical"]],
        failed_warning=[FailedCheck(**check) for check in found["failed_warning"]],
    )
