"""How the answer moves when what was chosen, or what nobody could see, were otherwise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uptake.evidence.data import Sample
from uptake.evidence.designs.common import DesignResult
from uptake.evidence.linear import Fit, centred_on_blocks


@dataclass(frozen=True, slots=True)
class WithoutOneSite:
    """Smallest and largest estimate when each site is left out in turn; no site is named."""

    low: float
    high: float
    sites: int


def without_one_site(result: DesignResult) -> WithoutOneSite | None:
    """Exact, without running the regression again; matches and weights stay as they are."""
    site = result.sample.site
    if site is None or min(result.sample.per_arm(site)) < 2:
        return None
    left = result.fit.without_each(result.fit.groups(site))
    return WithoutOneSite(float(left.min()), float(left.max()), len(left))


@dataclass(frozen=True, slots=True)
class Unseen:
    """What an unobserved cause of both use and outcome would have to be, to explain all of the estimate away.

    robustness: share of what is left unexplained of both treatment and outcome that it would have to explain ·
    e_value: how often more likely it would have to make both use and a good outcome · as_strong_as: the observed
    covariate that says most, and what the estimate would be if the unseen one were as strong.
    """

    robustness: float
    e_value: float
    as_strong_as: str | None
    effect_then: float | None


def robustness_value(t: float, df: float) -> float:
    """Cinelli & Hazlett 2020, doi 10.1111/rssb.12348, eq. 12, for bringing the estimate to nil."""
    f2 = t**2 / df
    return float(0.5 * (np.sqrt(f2**2 + 4 * f2) - f2))


def e_value(g: float) -> float:
    """VanderWeele & Ding 2017, doi 10.7326/M16-2607: risk ratio by exp(0.91 g), then RR + sqrt(RR (RR - 1))."""
    ratio = float(np.exp(0.91 * abs(g)))
    return ratio + float(np.sqrt(ratio * (ratio - 1)))


def bias_bound(se: float, df: float, r2_treatment: float, r2_outcome: float) -> float:
    """Largest bias of a confounder that explains those shares of the residual treatment and outcome (ibid., eq. 6)."""
    return float(se * np.sqrt(df * r2_outcome * r2_treatment / (1 - r2_treatment)))


def unseen(result: DesignResult, g: float) -> Unseen | None:
    """None where the regression leaves no degree of freedom."""
    of = result.fit
    df = of.n - of.columns - 1
    if df < 1:
        return None
    se = _classical_se(of.residual[:, 0], of.r, df)
    name, then = None, None
    strongest = _strongest(result.sample, of)
    if strongest is not None:
        name, r2_treatment, r2_outcome = strongest
        bias = bias_bound(se, df, r2_treatment, r2_outcome)
        then = result.effect - float(np.sign(result.effect)) * bias
    return Unseen(robustness_value(result.effect / se, df), e_value(g), name, then)


def _classical_se(residual: np.ndarray, r: float, df: float) -> float:
    return float(np.sqrt(residual @ residual / df) / r)


def _strongest(sample: Sample, of: Fit) -> tuple[str, float, float] | None:
    """The covariate that would bias most if an unseen one were like it: bounds on the shares that it would explain of
    treatment and outcome (Cinelli & Hazlett 2020, section 4.4, with k = 1).

    Partial correlations come from inverses of correlation matrices (Whittaker 1990, section 5.8), so that the rows are
    gone through once, however many covariates there are.
    """
    if sample.after is not None or not sample.names:
        return None  # over terms, levels of students are absorbed: nothing observed is left to compare with
    skipped = sample.other.shape[1] + (of.block is None)
    covariates = [i - skipped for i in of.kept[:-1] if i >= skipped]
    columns = np.column_stack([sample.other, sample.x[:, covariates], sample.t, sample.y])
    centred = centred_on_blocks(columns, of.block, sample.weight)
    cross = centred.T @ centred
    size = np.sqrt(np.diag(cross))
    cross = cross / np.where(size > 0, np.outer(size, size), 1.0)
    with_treatment, with_outcome = _partial(cross[:-1, :-1]), _partial(cross)
    best: tuple[float, str, float, float] | None = None
    for place, i in enumerate(covariates, start=sample.other.shape[1]):
        r2_treatment, r2_outcome = float(with_treatment[place] ** 2), float(with_outcome[place] ** 2)
        if r2_treatment >= 0.5 or r2_outcome >= 1:
            continue  # beside it there is no room for another one like it
        share = r2_treatment / (1 - r2_treatment)
        link = share**2
        of_outcome = min(1.0, ((1 + np.sqrt(link)) / np.sqrt(1 - link)) ** 2 * r2_outcome / (1 - r2_outcome))
        bias = of_outcome * share / (1 - share)
        if best is None or bias > best[0]:
            best = (bias, sample.names[i], share, of_outcome)
    return None if best is None else best[1:]


def _partial(correlation: np.ndarray) -> np.ndarray:
    """Partial correlation of each column with the last, given all the others."""
    inverse = np.linalg.pinv(correlation, hermitian=True)
    partial: np.ndarray = -inverse[:-1, -1] / np.sqrt(np.diag(inverse)[:-1] * inverse[-1, -1])
    return partial
