"""What must hold of a candidate before anyone reads it. Suites are code: functions of facts, with no state.

Each suite function takes the candidate's `Facts` and gives expectations table by table. A mart that is empty is not an
error (a district need not have every kind of source); a mart that is missing is, and `marts.tables` says so.
"""

from __future__ import annotations

from expectations import landing, marts, privacy, reconciliation
from uptake.quality.suite import Facts, Suite


def suites(facts: Facts) -> list[Suite]:
    """Every suite that applies to the candidate."""
    return [suite for area in (landing, reconciliation, privacy, marts) for suite in area.suites(facts)]
