"""From an estimate to what may be said of it: interval, effect size, probability, smallest effect that could be seen.

Effect sizes follow the WWC Procedures and Standards Handbook 5.0, appendix E: Hedges g with the small-sample
correction, Cox index for binary outcomes, improvement index in percentile points.
"""

from __future__ import annotations

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

from uptake.evidence.plan import Prior

COX = 1.65  # Cox 1970: a logit in standard deviations


def small_sample(df: float) -> float:
    """omega = 1 - 3 / (4 df - 1), df = N - 2 (Hedges 1981)."""
    return 1 - 3 / (4 * df - 1)


def hedges_g(difference: float, sd: float, n: int) -> float:
    """omega * difference / pooled SD, with N = `n` students in both arms."""
    return small_sample(n - 2) * difference / sd


def pooled_sd(y: np.ndarray, t: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Student-level standard deviation within the arms, each with n - 1."""
    squares, degrees = 0.0, 0.0
    for arm in (0, 1):
        part = t == arm
        w = np.ones(part.sum()) if weight is None else weight[part] / weight[part].mean()
        values = y[part]
        squares += float(w @ (values - np.average(values, weights=w)) ** 2)
        degrees += len(values) - 1
    return float(np.sqrt(squares / degrees))


def cox_index(share_treated: float, share_comparison: float, n: int) -> float:
    """omega * (logit p_T - logit p_C) / 1.65; NaN where a share is 0 or 1 or beyond."""
    if not (0 < share_treated < 1 and 0 < share_comparison < 1):
        return float("nan")
    logits = np.log(share_treated / (1 - share_treated)) - np.log(share_comparison / (1 - share_comparison))
    return float(small_sample(n - 2) * logits / COX)


def percentile_points(g: float) -> float:
    """WWC improvement index: how far the average comparison student would move, in percentile points."""
    return float(100 * (stats.norm.cdf(g) - 0.5))


def interval(estimate: float, se: float, df: float, confidence: float) -> tuple[float, float]:
    reach = float(stats.t.ppf(0.5 + confidence / 2, df)) * se
    return estimate - reach, estimate + reach


def p_value(estimate: float, se: float, df: float) -> float:
    return float(2 * stats.t.sf(abs(estimate) / se, df)) if se > 0 else float("nan")


def probability_above(threshold: float, g: float, se: float, df: float, prior: Prior) -> float:
    """Posterior probability of an effect above `threshold`: normal prior, normal likelihood.

    With few clusters the likelihood's spread is widened so that its central 95 % are those of the t distribution.
    """
    wide = se * float(stats.t.ppf(0.975, df) / stats.norm.ppf(0.975))
    precision = 1 / prior.sd**2 + 1 / wide**2
    mean = (prior.mean / prior.sd**2 + g / wide**2) / precision
    return float(stats.norm.sf(threshold, mean, precision**-0.5))


def minimum_detectable(se: float, df: float, confidence: float, power: float) -> float:
    """Smallest effect that a study like this finds with that power: (t_(1-a/2) + t_power) SE (Bloom 1995)."""
    return float((stats.t.ppf(0.5 + confidence / 2, df) + stats.t.ppf(power, df)) * se)


def times_as_large(se: float, df: float, target: float, confidence: float, power: float) -> float:
    """By how much a study like this must grow (clusters, or students where there are none) to detect `target`.

    The squared standard error falls as the study grows, and its degrees of freedom grow with it. At least 1.
    """
    factor = 1.0
    for _ in range(60):  # settles in a few rounds: each takes the t quantiles of the size that the last one found
        found = (minimum_detectable(se, max(df * factor, 1.0), confidence, power) / target) ** 2
        if abs(found - factor) < 1e-3 * factor:
            break
        factor = found
    return max(factor, 1.0)


def benjamini_hochberg(p: list[float]) -> list[float]:
    """Adjusted p values: below 0.05 for discoveries of which 5 % are false (Benjamini & Hochberg 1995)."""
    return [] if not p else [float(value) for value in multipletests(p, method="fdr_bh")[1]]


def ratio_interval(
    estimate: np.ndarray, covariance: np.ndarray, df: float, confidence: float
) -> tuple[float, float] | None:
    """Interval of estimate[0] / estimate[1], an effect per use: all b for which `reduced form - b * first stage` is not
    told from zero (Anderson & Rubin 1949; Fieller 1954). Sound with a weak instrument. None where it has no end."""
    reach = float(stats.t.ppf(0.5 + confidence / 2, df)) ** 2
    a = estimate[1] ** 2 - reach * covariance[1, 1]
    b = -2 * (estimate[0] * estimate[1] - reach * covariance[0, 1])
    c = estimate[0] ** 2 - reach * covariance[0, 0]
    root = b**2 - 4 * a * c
    if a <= 0 or root < 0:
        return None
    return float((-b - np.sqrt(root)) / (2 * a)), float((-b + np.sqrt(root)) / (2 * a))
