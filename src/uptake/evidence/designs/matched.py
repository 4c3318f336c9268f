"""Matched comparison: for each student who used the tool one (or more) who did not and looked the same before.

The effect is that on the treated who found a match. The regression on the matched sample mends what imbalance is left
(Ho, Imai, King & Stuart 2007, doi 10.1093/pan/mpl013). Spread: by the plan's cluster; without one by matched pair
(Abadie & Spiess 2022, doi 10.1080/01621459.2020.1840383); with replacement robust to unequal spread. Second opinion:
weighting by the odds of the propensity, in the whole sample.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from uptake.evidence.data import Sample
from uptake.evidence.designs.common import DesignResult, Overlap, finished, opinion, regress
from uptake.evidence.matching import Matched, balancing_weights, coordinates, match, propensity_logit
from uptake.evidence.plan import StudyPlan


def estimate(plan: StudyPlan, sample: Sample) -> DesignResult:
    logit = propensity_logit(sample.t, sample.x, sample.exact)
    pairing = pair_up(plan, sample, logit, plan.matching.caliper)
    result = on_pairs(plan, sample, pairing)
    weighted = _weighted(sample, balancing_weights(sample.t, logit))
    block = weighted.block if plan.block else weighted.exact
    second = opinion("weighting by propensity", regress(weighted, block=block), weighted)
    share = float(((sample.t == 1) & pairing.is_used).sum() / (sample.t == 1).sum())
    return replace(
        result,
        before=sample,
        second_opinions=(second,),
        overlap=overlap(sample.t, logit, share),
        logit=logit,
    )


def pair_up(plan: StudyPlan, sample: Sample, logit: np.ndarray, caliper: float | None) -> Matched:
    at = coordinates(plan.matching.method, sample.t, sample.x, logit, sample.exact)
    return match(sample.t, at, plan.matching, sample.exact, plan.seed, caliper)


def on_pairs(plan: StudyPlan, sample: Sample, pairing: Matched) -> DesignResult:
    """The regression on the matched rows."""
    matched = _weighted(sample, pairing.weight)
    cluster = None
    if matched.cluster is None and not plan.matching.with_replacement:
        of_pair = np.zeros(len(sample.t), dtype=np.int64)
        of_pair[pairing.pairs[:, 1]] = pairing.pairs[:, 0]
        of_pair[pairing.pairs[:, 0]] = pairing.pairs[:, 0]
        cluster = np.unique(of_pair[pairing.is_used], return_inverse=True)[1]
    block = matched.block if plan.block else matched.exact
    return finished(plan, matched, regress(matched, block=block, cluster=cluster))


def _weighted(sample: Sample, weight: np.ndarray) -> Sample:
    used = weight > 0
    total = weight if sample.weight is None else weight * sample.weight
    return replace(sample.take(used), weight=total[used])


def overlap(t: np.ndarray, logit: np.ndarray, share: float | None = None) -> Overlap:
    """How far the arms' propensities cover each other. Without a matched share: treated rows between the 1st and 99th
    percentile of the comparison's."""
    known = np.isfinite(logit)
    treated, comparison = logit[known & (t == 1)], logit[known & (t == 0)]
    if not (len(treated) and len(comparison)):
        return Overlap(0.0, (np.nan, np.nan), (np.nan, np.nan))
    low, high = np.quantile(comparison, [0.01, 0.99])
    if share is None:
        share = float(((treated >= low - 1e-9) & (treated <= high + 1e-9)).sum() / (t == 1).sum())
    a, b = np.quantile(treated, [0.01, 0.99])
    return Overlap(share, (float(a), float(b)), (float(low), float(high)))
