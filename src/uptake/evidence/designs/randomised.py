"""Randomised: students, or whole clusters, within blocks or not. Everyone counts in the arm they were assigned to.

The covariates only sharpen the estimate (intention to treat). Where the tool was offered and not everybody took it, the
offer is an instrument for use: effect on users = effect of the offer / difference in use (Bloom 1984; Angrist, Imbens &
Rubin 1996).
"""

from __future__ import annotations

import numpy as np

from uptake.evidence import inference
from uptake.evidence.data import Sample
from uptake.evidence.designs.common import DesignResult, OnUsers, finished, opinion, regress
from uptake.evidence.linear import ROUNDING, Fit
from uptake.evidence.plan import StudyPlan

STRONGEST = 1e6  # first-stage F where everybody did as was offered, and nothing varies


def estimate(plan: StudyPlan, sample: Sample) -> DesignResult:
    second = (opinion("without covariates", regress(sample, adjusted=False), sample),) if sample.x.shape[1] else ()
    return finished(plan, sample, regress(sample), second_opinions=second, on_users=_users(plan, sample))


def _users(plan: StudyPlan, sample: Sample) -> OnUsers | None:
    """Among those whose use is known; the effect of the offer itself is of everybody."""
    if sample.received is None:
        return None
    is_known = ~np.isnan(sample.received)
    known = sample.take(is_known)
    if min(known.counts) < plan.minimum_n:
        return None
    return on_users(plan, regress(known, outcome=np.column_stack([known.y, sample.received[is_known]])))


def on_users(plan: StudyPlan, of: Fit) -> OnUsers | None:
    """Two-stage least squares from the two regressions on the offer. None where the offer changed nobody's use."""
    spread = of.spread(plan.variance)
    if not spread.is_known:
        return None
    covariance = of.covariance(spread.variance)
    offer, use = of.estimate
    if abs(use) <= ROUNDING * of.size[1]:
        return None
    ratio = offer / use
    gradient = np.array([1.0, -ratio]) / use
    return OnUsers(
        effect=float(ratio),
        se=float(np.sqrt(gradient @ covariance @ gradient)),
        first_stage=float(use),
        first_stage_f=float(use**2 / max(covariance[1, 1], use**2 / STRONGEST)),
        interval=inference.ratio_interval(of.estimate, covariance, spread.df, plan.confidence),
    )
