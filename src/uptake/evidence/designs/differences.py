"""Difference in differences over terms: the change of those with the tool beside the change of those without.

Every student (or, without a `unit`, every cluster) has a level of its own and every term has one; the effect is what
the treated gained over that after the start. All treated start at once: with several starts the two-way regression
mixes early and late adopters (Goodman-Bacon 2021, doi 10.1016/j.jeconom.2021.03.014): give each start a study.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from uptake.errors import PermanentError
from uptake.evidence import inference
from uptake.evidence.data import Sample
from uptake.evidence.designs.common import DesignResult, Trend, finished, opinion
from uptake.evidence.linear import Fit, fit
from uptake.evidence.plan import StudyPlan


def estimate(plan: StudyPlan, sample: Sample) -> DesignResult:
    if sample.after is None or sample.period is None:
        raise PermanentError("this design needs periods", remedy="name `period` in the plan.")
    _one_arm_each(sample)
    main = _fit(sample, sample.after)
    result = finished(plan, sample.take(sample.after == 1), main)
    plain = fit(sample.y, sample.t * sample.after, np.column_stack([sample.t, sample.after]), cluster=_cluster(sample))
    return replace(
        result,
        sample=sample,
        before=sample.take(sample.after == 0),
        students=_units(sample),
        second_opinions=(opinion("four means, no levels of students", plain),),
        trend=_trend(sample),
    )


def _level(sample: Sample) -> np.ndarray:
    if sample.unit is not None:
        return sample.unit
    return sample.t.astype(np.int64) if sample.cluster is None else sample.cluster


def _cluster(sample: Sample) -> np.ndarray | None:
    return sample.unit if sample.cluster is None else sample.cluster


def _fit(sample: Sample, after: np.ndarray) -> Fit:
    periods = np.eye(int(sample.period.max()) + 1)[sample.period][:, 1:]  # type: ignore[union-attr]
    return fit(
        sample.y,
        sample.t * after,
        np.hstack([sample.x, periods]),
        block=_level(sample),
        cluster=_cluster(sample),
        weight=sample.weight,
    )


def _one_arm_each(sample: Sample) -> None:
    level = _level(sample)
    size = np.bincount(level)
    treated = np.bincount(level, sample.t)
    if ((treated > 0) & (treated < size)).any():
        raise PermanentError(
            "some students (or clusters) change arms between terms",
            remedy="the treatment column must say who ever has the tool, the periods say since when.",
        )


def _units(sample: Sample) -> tuple[int, int]:
    if sample.unit is None:
        return sample.take(np.flatnonzero(sample.after == 1)).counts
    first = np.unique(sample.unit, return_index=True)[1]
    return int((sample.t[first] == 1).sum()), int((sample.t[first] == 0).sum())


def _trend(sample: Sample) -> Trend | None:
    """The same regression before the start, with the last earlier term in the place of the start."""
    early = sample.take(np.flatnonzero(sample.after == 0))
    if early.period is None or len(np.unique(early.period)) < 2:
        return None
    last = (early.period == early.period.max()).astype(float)
    of = _fit(early, last)
    spread = of.spread()
    if not spread.is_known:
        return None
    effect = float(of.estimate[0])
    sd = inference.pooled_sd(early.y, early.t)
    g = inference.hedges_g(effect, sd, len(early.y)) if sd > 0 else 0.0
    return Trend(effect, g, inference.p_value(effect, spread.se, spread.df))
