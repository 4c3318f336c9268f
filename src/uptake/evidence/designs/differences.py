"""Difference in differences over terms: the change of those with the tool beside the change of those without.

Every student (or, without a `unit`, every cluster) has a level of its own and every term has one; the effect is what
the treated gained over that after the start. All treated start at once: with several starts the two-way regression
mixes early and late adopters (Goodman-Bacon 2021, doi 10.1016/j.jeconom.2021.03.014): give each start a study.
Students who were seen on one side of the start only have no change and stay out, so that the baseline is that of those
who are analysed (WWC).
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
    sample, after = _on_both_sides(sample, sample.after)
    main = _fit(sample, after)
    later, students = sample.take(after == 1), _students(sample, after)
    result = finished(plan, later, main)
    plain = fit(sample.y, sample.t * after, np.column_stack([sample.t, after]), cluster=_cluster(sample))
    return replace(
        result,
        sample=sample,
        before=sample.take(after == 0),
        students=students,
        second_opinions=(opinion("four means, no levels of students", plain, later, students),),
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
    level, period = _level(sample), sample.period
    size = np.bincount(level)
    treated = np.bincount(level, sample.t)
    if period is None or not ((treated > 0) & (treated < size)).any():
        return
    start = np.full(len(size), len(sample.t))
    np.minimum.at(start, level[sample.t == 1], period[sample.t == 1])
    starts = len(np.unique(start[treated > 0]))
    if starts > 1:
        raise PermanentError(
            f"some students (or clusters) change arms between terms, and not all at once: {starts} terms in which they "
            "start",
            remedy="plan one study for each start, with those who start then and those who never do as `population`, "
            "and a treatment column that says who ever has the tool.",
        )
    raise PermanentError(
        "some students (or clusters) change arms between terms",
        remedy="the treatment column must say who ever has the tool, the periods say since when.",
    )


def _on_both_sides(sample: Sample, after: np.ndarray) -> tuple[Sample, np.ndarray]:
    if sample.unit is None:
        return sample, after
    later = np.bincount(sample.unit, after)
    both = ((later > 0) & (later < np.bincount(sample.unit)))[sample.unit]
    kept = sample.take(both)
    if 0 in kept.counts:
        raise PermanentError(
            "one of the arms has no student who was seen both before the start and after it",
            remedy="look at `unit` and `period` in the plan, or leave `unit` out where each term has other students.",
        )
    return kept, after[both]


def _students(sample: Sample, after: np.ndarray) -> tuple[int, int]:
    """By their key; without one as many as the later term with the fewest has, since the same may be in each."""
    if sample.unit is None:
        later = sample.take(np.flatnonzero(after == 1))
        codes = np.zeros(0, dtype=np.int64) if later.period is None else later.period
        return (int(np.bincount(codes, later.t).min()), int(np.bincount(codes, 1 - later.t).min()))
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
