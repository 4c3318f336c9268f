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
from uptake.evidence.linear import Fit
from uptake.evidence.plan import StudyPlan


def estimate(plan: StudyPlan, sample: Sample) -> DesignResult:
    if sample.received is None:
        main = regress(sample)
        users = None
    else:
        main = regress(sample, outcome=np.column_stack([sample.y, sample.received]))
        users = on_users(plan, main)
    second = (opinion("without covariates", regress(sample, adjusted=False)),) if sample.x.shape[1] else ()
    return finished(plan, sample, main, second_opinions=second, on_users=users)


def on_users(plan: StudyPlan, of: Fit) -> OnUsers | None:
    """Two-stage least squares from the two regressions on the offer. None where the offer changed nobody's use."""
    spread = of.spread(plan.variance)
    if not spread.is_known:
        return None
    covariance = of.covariance(spread.variance)
    offer, use = of.estimate
    if covariance[1, 1] == 0 or use == 0:
        return None
    ratio = offer / use
    gradient = np.array([1.0, -ratio]) / use
    return OnUsers(
        effect=float(ratio),
        se=float(np.sqrt(gradient @ covariance @ gradient)),
        first_stage=float(use),
        first_stage_f=float(use**2 / covariance[1, 1]),
        interval=inference.ratio_interval(of.estimate, covariance, spread.df, plan.confidence),
    )
