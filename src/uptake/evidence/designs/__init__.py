"""The designs: each turns a plan and its sample into one `DesignResult`. `estimate` is the only way in."""

from __future__ import annotations

from collections.abc import Callable

from uptake.evidence.data import Sample
from uptake.evidence.designs import differences, matched, randomised, regression
from uptake.evidence.designs.common import DesignResult
from uptake.evidence.plan import Design, StudyPlan

DESIGNS: dict[Design, Callable[[StudyPlan, Sample], DesignResult]] = {
    "randomised": randomised.estimate,
    "matched": matched.estimate,
    "difference_in_differences": differences.estimate,
    "regression": regression.estimate,
    "dose_response": regression.estimate,  # its curve is descriptive, and so is its verdict
}


def estimate(plan: StudyPlan, sample: Sample) -> DesignResult:
    """The effect by the plan's design. Raises PermanentError where the design cannot give one."""
    return DESIGNS[plan.design](plan, sample)


__all__ = ["DESIGNS", "DesignResult", "estimate"]
