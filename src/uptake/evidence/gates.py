"""Gates: may the estimate be believed? Each says passed, adjusted or failed, with its figure and its limit.

Limits are those of the What Works Clearinghouse Procedures and Standards Handbook 5.0 where it has one: baseline
equivalence 0.05 / 0.25 (chapter II), attrition boundary (table of `wwc_attrition.csv`: MIT licence beside it), a unit
of one in either arm is a confound, 350 students and two sites for ESSA's upper tiers. Our own are marked so.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from uptake.evidence import inference
from uptake.evidence.data import Eligible, Sample
from uptake.evidence.designs.common import DesignResult
from uptake.evidence.linear import FEW_CLUSTERS, fit
from uptake.evidence.plan import StudyPlan

Status = Literal["passed", "adjusted", "failed", "not_applicable"]

EQUIVALENT, ADJUSTABLE = 0.05, 0.25
LARGE_SAMPLE, SITES = 350, 2
SMALLEST_DF = 4.0  # below it the t test is not to be trusted even with CR2: Tipton 2015, doi 10.1037/met0000011
GOOD_OVERLAP, LEAST_OVERLAP = 0.90, 0.50  # ours
UNLIKELY_LOTS = 0.001  # ours
STRONG_INSTRUMENT = 10.0  # first-stage F: Staiger & Stock 1997


class Gate(BaseModel):
    """figure: what was found, None where it cannot be computed · limit: what passes · meaning: in a sentence."""

    model_config = ConfigDict(frozen=True)

    name: str
    status: Status
    figure: float | None
    limit: str
    meaning: str


class Balance(BaseModel):
    """A covariate in both arms, in standard deviations of the students; ratio of variances, treated to comparison."""

    model_config = ConfigDict(frozen=True)

    covariate: str
    is_baseline: bool
    g_before: float | None
    g: float | None
    variance_ratio: float | None


def judge(plan: StudyPlan, rows: Eligible, result: DesignResult, balance: list[Balance]) -> list[Gate]:
    """Every gate of the plan's design, most telling first."""
    gates = [_students(plan, result), _sites(plan, result), _clusters(result)]
    if wrong := _unit(plan, result):
        gates.append(wrong)
    if plan.design == "randomised":
        gates.append(_attrition(plan, rows, result))
        if result.sample.n_baseline:
            gates.append(_lots(result))
    gates.append(_equivalence(plan, balance))
    if result.overlap is not None:
        gates.append(_overlap(result))
    if plan.design == "difference_in_differences":
        gates.append(_trend(result))
    if plan.design == "randomised" and plan.treatment.received is not None:
        gates.append(_instrument(result))
    return gates


def _students(plan: StudyPlan, result: DesignResult) -> Gate:
    total, fewest = sum(result.students), min(result.students)
    status: Status = "failed" if fewest < plan.minimum_n else "passed" if total >= LARGE_SAMPLE else "adjusted"
    meaning = {
        "failed": f"One arm has fewer than {plan.minimum_n} students: nothing is shown of so few.",
        "adjusted": f"{total:,} students: fewer than the {LARGE_SAMPLE} that ESSA's tiers 1 and 2 ask for.",
        "passed": f"{total:,} students, {result.students[0]:,} of them with the tool.",
    }[status]
    figure = None if status == "failed" else float(total)
    limit = f"{plan.minimum_n} in each arm; {LARGE_SAMPLE} in all for tiers 1 and 2"
    return Gate(name="students", status=status, figure=figure, limit=limit, meaning=meaning)


def _sites(plan: StudyPlan, result: DesignResult) -> Gate:
    limit = f"at least {SITES} in each arm"
    if result.sample.site is None:
        meaning = "The plan names no site: whether one school's own year explains the difference cannot be told."
        return Gate(name="sites", status="adjusted", figure=None, limit=limit, meaning=meaning)
    treated, comparison = result.sample.per_arm(result.sample.site)
    fewest = min(treated, comparison)
    meaning = f"{plan.site_column}: {treated} with the tool, {comparison} in the comparison."
    if fewest < SITES:
        meaning += " An arm that is one site cannot be told from that site's own year (a confound)."
    return Gate(
        name="sites",
        status="passed" if fewest >= SITES else "failed",
        figure=float(fewest),
        limit=limit,
        meaning=meaning,
    )


def _clusters(result: DesignResult) -> Gate:
    df = result.spread.df
    limit = f"at least {SMALLEST_DF:g} degrees of freedom; from {FEW_CLUSTERS} clusters on no second test"
    if result.fit.is_exact():
        meaning = "The outcome leaves nothing over by which a test could be made."
        return Gate(name="clusters", status="not_applicable", figure=None, limit=limit, meaning=meaning)
    if result.sample.cluster is None and df >= SMALLEST_DF:
        meaning = "No cluster is named: right only where students themselves were assigned or chose."
        return Gate(name="clusters", status="passed", figure=df, limit=limit, meaning=meaning)
    if result.sample.cluster is None:
        meaning = (
            f"The estimate leaves {df:.1f} degrees of freedom: too many covariates and blocks for so few students."
        )
        return Gate(name="clusters", status="failed", figure=df, limit=limit, meaning=meaning)
    treated, comparison = result.sample.per_arm(result.sample.cluster)
    count = result.fit.n_clusters
    worth = f"{count} clusters ({treated} with the tool, {comparison} without) are worth {df:.1f} degrees of freedom."
    if df < SMALLEST_DF:
        return Gate(
            name="clusters", status="failed", figure=df, limit=limit, meaning=f"{worth} No test can be trusted on that."
        )
    if count < FEW_CLUSTERS:
        meaning = f"{worth} The interval allows for it; a wild bootstrap stands beside it."
        return Gate(name="clusters", status="adjusted", figure=df, limit=limit, meaning=meaning)
    return Gate(name="clusters", status="passed", figure=df, limit=limit, meaning=worth)


def _unit(plan: StudyPlan, result: DesignResult) -> Gate | None:
    """Whole sites with the tool or without it, and errors by a smaller unit: as if a school's students had drawn lots
    one by one. None where that is not so."""
    rows = result.sample
    if rows.site is None or plan.site_column == plan.cluster or rows.site.max() < SITES:
        return None
    compared = rows.is_compared
    size = np.bincount(rows.site[compared], minlength=int(rows.site.max()) + 1)
    treated = np.bincount(rows.site[compared], rows.t[compared], minlength=len(size))
    if ((treated > 0) & (treated < size)).any():
        return None
    meaning = f"Whole groups ({plan.site_column}) have the tool or not, but the errors are taken by "
    meaning += f"{plan.cluster or 'student'}: plan it with cluster {plan.site_column}."
    limit = "the cluster is what was assigned or chose"
    return Gate(name="unit", status="failed", figure=None, limit=limit, meaning=meaning)


@cache
def _boundary() -> pd.DataFrame:
    with (files("uptake.evidence") / "wwc_attrition.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file)


def attrition_limit(overall: float, boundary: Literal["cautious", "optimistic"]) -> float | None:
    """Highest differential attrition, in percentage points, that goes with an overall attrition in percent; between the
    table's whole percents by a straight line. None where no differential is low enough."""
    table = _boundary().dropna(subset=[boundary])
    if overall > table["overall"].max():
        return None
    return float(np.interp(overall, table["overall"], table[boundary]))


def _attrition(plan: StudyPlan, rows: Eligible, result: DesignResult) -> Gate:
    """Students lost after assignment, mostly for want of an outcome. Where whole clusters were assigned, clusters that
    were lost whole take all their students with them, so that both of WWC's steps are in the one figure, on the careful
    side."""
    compared = ~rows.other.any(axis=1)
    assigned = np.array([((rows.t == arm) & compared).sum() for arm in (1, 0)], dtype=float)
    lost = 100 * (1 - np.array(result.sample.counts) / assigned)
    overall = 100 * (1 - sum(result.sample.counts) / assigned.sum())
    differential = float(abs(lost[0] - lost[1]))
    cautious, optimistic = attrition_limit(overall, "cautious"), attrition_limit(overall, "optimistic")
    found = f"{overall:.1f} % of those assigned could not be analysed; the arms differ by {differential:.1f} points"
    if cautious is not None and differential <= cautious:
        status, meaning = "passed", f"{found}: low by the cautious boundary ({cautious:.1f})."
    elif optimistic is not None and differential <= optimistic:
        status = "adjusted"
        meaning = f"{found}: low by the optimistic boundary only ({optimistic:.1f}), right where loss has other causes."
    else:
        status = "failed"
        meaning = f"{found}: high. The draw of lots no longer makes the arms alike; only their baseline can show it."
    limit = "WWC boundary: " + (f"{cautious:.1f} / {optimistic:.1f} points" if cautious and optimistic else "none left")
    return Gate(name="attrition", status=status, figure=round(differential, 3), limit=limit, meaning=meaning)  # type: ignore[arg-type]


def _lots(result: DesignResult) -> Gate:
    """Would lots have dealt so unequal a baseline? The test is the estimate's own, of the baseline as outcome, allowing
    for how many baselines there are. A study that fails it was hardly randomised (limit ours)."""
    rows, p = result.sample, 1.0
    for i in range(rows.n_baseline):
        if np.ptp(rows.x[:, i]) > 0:
            other = rows.other if rows.other.shape[1] else None
            of = fit(rows.x[:, i], rows.t, other, block=rows.block, cluster=rows.cluster, weight=rows.weight)
            spread = of.spread()
            if not spread.is_known:
                continue
            p = min(p, inference.p_value(float(of.estimate[0]), spread.se, spread.df) * rows.n_baseline)
    is_plausible = p >= UNLIKELY_LOTS
    meaning = f"Lots would deal a baseline as unequal as this with probability {p:.2g}"
    meaning += "." if is_plausible else ": these groups were hardly drawn by lot. Plan a matched comparison instead."
    status: Status = "passed" if is_plausible else "failed"
    return Gate(name="lots", status=status, figure=p, limit=f"{UNLIKELY_LOTS} (ours)", meaning=meaning)


def _equivalence(plan: StudyPlan, balance: list[Balance]) -> Gate:
    limit = f"|g| up to {EQUIVALENT} · up to {ADJUSTABLE} with adjustment"
    measured = [row for row in balance if row.is_baseline and row.g is not None]
    if not measured:
        is_needed = plan.design != "randomised"
        meaning = "No baseline of the outcome: that the arms were alike before cannot be shown."
        status: Status = "failed" if is_needed else "not_applicable"
        return Gate(name="baseline", status=status, figure=None, limit=limit, meaning=meaning)
    worst = max(measured, key=lambda row: abs(row.g or 0.0))
    g = abs(worst.g or 0.0)
    side = "ahead of" if (worst.g or 0) > 0 else "behind"
    status = "passed" if g <= EQUIVALENT else "adjusted" if g <= ADJUSTABLE else "failed"
    meaning = {
        "passed": f"Before the start the arms were alike ({worst.covariate}: g {worst.g:+.3f}).",
        "adjusted": f"Those with the tool were {side} the others by g {g:.3f} ({worst.covariate}): adjusted for.",
        "failed": f"Those with the tool were {side} the others by g {g:.3f} before the start ({worst.covariate}): "
        "too far apart for any adjustment.",
    }[status]
    if plan.design == "randomised" and status == "failed":
        meaning = f"The lots fell unevenly: g {g:.3f} ({worst.covariate}). It would count if many students were lost."
    return Gate(name="baseline", status=status, figure=round(g, 4), limit=limit, meaning=meaning)


def _overlap(result: DesignResult) -> Gate:
    share = result.overlap.share if result.overlap else 0.0
    status: Status = "passed" if share >= GOOD_OVERLAP else "adjusted" if share >= LEAST_OVERLAP else "failed"
    meaning = f"{share:.0%} of the students with the tool have comparable ones without"
    meaning += {
        "passed": ".",
        "adjusted": ": the answer is about those, not about all.",
        "failed": ": the answer would be about a minority that nobody asked for.",
        "not_applicable": ".",
    }[status]
    limit = f"{GOOD_OVERLAP:.0%}; from {LEAST_OVERLAP:.0%} on with that restriction (our limits)"
    return Gate(name="overlap", status=status, figure=share, limit=limit, meaning=meaning)


def _trend(result: DesignResult) -> Gate:
    limit = f"|g| up to {EQUIVALENT}, or not told from nil and up to {ADJUSTABLE} (ours, after WWC's baseline limits)"
    trend = result.trend
    if trend is None:
        meaning = "One earlier term only: whether the arms moved alike before cannot be shown."
        return Gate(name="earlier trend", status="adjusted", figure=None, limit=limit, meaning=meaning)
    is_alike = abs(trend.g) <= EQUIVALENT or (abs(trend.g) <= ADJUSTABLE and trend.p >= 0.05)
    found = f"Between earlier terms the arms drifted apart by g {trend.g:+.3f} (p {trend.p:.2f})"
    meaning = f"{found}: they moved alike." if is_alike else f"{found}: they were not on the same path."
    return Gate(
        name="earlier trend",
        status="passed" if is_alike else "failed",
        figure=round(trend.g, 4),
        limit=limit,
        meaning=meaning,
    )


def _instrument(result: DesignResult) -> Gate:
    users, limit = result.on_users, f"F from {STRONG_INSTRUMENT:g} on"
    if users is None:
        meaning = "The offer moved nobody's use as far as is known: nothing can be said of the effect on users."
        return Gate(name="instrument", status="adjusted", figure=None, limit=limit, meaning=meaning)
    f = users.first_stage_f
    is_strong = f >= STRONG_INSTRUMENT
    meaning = f"The offer moved use by {users.first_stage:.3g} (F {f:.1f})"
    meaning += "." if is_strong else ": too little to tell much of the effect on users; the interval allows for it."
    status: Status = "passed" if is_strong else "adjusted"
    return Gate(name="instrument", status=status, figure=f, limit=limit, meaning=meaning)


def balances(plan: StudyPlan, result: DesignResult) -> list[Balance]:
    """Every covariate before and after the design's own matching; before alone and after are one where it has none.

    For a difference in differences the outcome itself, before the start, is the baseline.
    """
    if plan.design == "difference_in_differences":
        first = result.before
        g, ratio, name = _difference(first, first.y), _ratio(first, first.y), "outcome before the start"
        return [Balance(covariate=name, is_baseline=True, g_before=g, g=g, variance_ratio=ratio)]
    before, after = result.before, result.sample
    return [
        Balance(
            covariate=name,
            is_baseline=i < before.n_baseline,
            g_before=_difference(before, before.x[:, i]),
            g=_difference(after, after.x[:, i]),
            variance_ratio=_ratio(after, after.x[:, i]),
        )
        for i, name in enumerate(before.names)
    ]


def _difference(sample: Sample, values: np.ndarray) -> float | None:
    """Hedges g within blocks (the estimate compares there, too), Cox index for 0/1; None where nobody differs."""
    compared = sample.is_compared
    t, x = sample.t[compared], values[compared]
    weight = None if sample.weight is None else sample.weight[compared]
    sd = inference.pooled_sd(x, t, weight)
    if not sd > 0:
        return None
    block = None if sample.block is None else np.unique(sample.block[compared], return_inverse=True)[1]
    difference = float(fit(x, t, block=block, weight=weight).estimate[0])
    if set(np.unique(x)) <= {0.0, 1.0}:
        below = float(np.average(x[t == 0], weights=None if weight is None else weight[t == 0]))
        cox = inference.cox_index(below + difference, below, len(x))
        return cox if np.isfinite(cox) else None
    return inference.hedges_g(difference, sd, len(x))


def _ratio(sample: Sample, values: np.ndarray) -> float | None:
    compared = sample.is_compared
    spread = []
    for arm in (1, 0):
        rows = compared & (sample.t == arm)
        weight = None if sample.weight is None else sample.weight[rows]
        mean = np.average(values[rows], weights=weight)
        spread.append(float(np.average((values[rows] - mean) ** 2, weights=weight)))
    return spread[0] / spread[1] if spread[1] > 0 else None
