"""What every design gives back, and the regression that every design ends in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uptake.evidence import inference
from uptake.evidence.data import Sample
from uptake.evidence.linear import Fit, Spread, fit
from uptake.evidence.plan import StudyPlan


@dataclass(frozen=True)
class SecondOpinion:
    """The same effect by another way, for comparison: it decides nothing. Students and mean are of its own rows."""

    name: str
    effect: float
    spread: Spread
    students: tuple[int, int]
    mean_comparison: float


@dataclass(frozen=True)
class OnUsers:
    """Effect on those who used it because it was offered to them (treatment-on-treated, by instrument).

    first_stage: how much more use the offer made · interval: None where the data set no bound.
    """

    effect: float
    se: float
    first_stage: float
    first_stage_f: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Overlap:
    """share: of the treated with a comparison like them · logit_*: middle 98 % of each arm's propensity logit."""

    share: float
    logit_treated: tuple[float, float]
    logit_comparison: tuple[float, float]


@dataclass(frozen=True)
class Trend:
    """Difference in differences between two earlier terms, when nothing had happened yet: it ought to be nil."""

    effect: float
    g: float
    p: float


@dataclass(frozen=True)
class DesignResult:
    """sample: the analysed rows, with the weights of the design · before: the rows before matching · sd: pooled
    student-level standard deviation of the outcome · students: how many in each arm · logit: of the propensity, for
    each row before matching."""

    sample: Sample
    before: Sample
    fit: Fit
    spread: Spread
    sd: float
    mean_comparison: float
    students: tuple[int, int]
    second_opinions: tuple[SecondOpinion, ...] = ()
    on_users: OnUsers | None = None
    overlap: Overlap | None = None
    logit: np.ndarray | None = None
    trend: Trend | None = None

    @property
    def effect(self) -> float:
        return float(self.fit.estimate[0])


def regress(
    sample: Sample,
    *,
    outcome: np.ndarray | None = None,
    block: np.ndarray | None = None,
    cluster: np.ndarray | None = None,
    adjusted: bool = True,
) -> Fit:
    """The outcome on the treatment, the other arms, the covariates, and the means of the blocks."""
    columns = np.hstack([sample.other, sample.x]) if adjusted else sample.other
    return fit(
        sample.y if outcome is None else outcome,
        sample.t,
        columns if columns.shape[1] else None,
        block=sample.block if block is None else block,
        cluster=sample.cluster if cluster is None else cluster,
        weight=sample.weight,
    )


def finished(
    plan: StudyPlan,
    sample: Sample,
    of: Fit,
    *,
    before: Sample | None = None,
    second_opinions: tuple[SecondOpinion, ...] = (),
    on_users: OnUsers | None = None,
    overlap: Overlap | None = None,
) -> DesignResult:
    """With the figures that effect sizes need, from the two arms that are compared."""
    compared = sample.is_compared
    y, t = sample.y[compared], sample.t[compared]
    weight = None if sample.weight is None else sample.weight[compared]
    return DesignResult(
        sample=sample,
        before=before or sample,
        fit=of,
        spread=of.spread(plan.variance),
        sd=inference.pooled_sd(y, t, weight),
        mean_comparison=mean_comparison(sample),
        students=sample.counts,
        second_opinions=second_opinions,
        on_users=on_users,
        overlap=overlap,
    )


def mean_comparison(sample: Sample) -> float:
    """The outcome of those in the comparison."""
    aside = sample.is_compared & (sample.t == 0)
    return float(np.average(sample.y[aside], weights=None if sample.weight is None else sample.weight[aside]))


def opinion(name: str, of: Fit, sample: Sample, students: tuple[int, int] | None = None) -> SecondOpinion:
    """students: how many they are, where the sample's rows are not one for each."""
    return SecondOpinion(name, float(of.estimate[0]), of.spread(), students or sample.counts, mean_comparison(sample))
