"""A whole study: from a recorded plan and its table to a result that can be printed, stored and checked."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from uptake import __version__
from uptake.errors import ContractError, PermanentError, UptakeError
from uptake.evidence import gates, inference, sensitivity, verdict
from uptake.evidence.data import Eligible, FlowStep, Sample, StudyTable, eligible, is_one_of, sample
from uptake.evidence.designs import estimate
from uptake.evidence.designs.common import DesignResult, SecondOpinion, opinion, regress
from uptake.evidence.designs.matched import on_pairs, pair_up
from uptake.evidence.gates import Balance, Gate
from uptake.evidence.linear import FEW_CLUSTERS, fit, wild_bootstrap
from uptake.evidence.plan import Outcome, StudyPlan
from uptake.evidence.verdict import Evidence, Verdict

Told = Callable[[str], None]
DOSE_PARTS = 4
NO_SPREAD = "nothing is left to tell how much the estimate would vary"
UNANIMOUS = "everybody, or nobody, in an arm has the outcome"
CONSTANT = "all students of an arm have the same value"
EXACT = "the covariates, blocks and arms tell the outcome to its last digit"
BEYOND = "allowing for the covariates, the share of those with the tool lies beyond what a share can be"
SMALL = "fewer than {} students in an arm"
MOST_GROUPS = 60  # of a subgroup column: more are no groups
COMPLEMENT = "hidden so that a smaller group beside it cannot be worked out"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Estimate(_Part):
    """One estimate. Effects are in the outcome's own units (of a binary one: share), g in standard deviations.

    hidden: why there are no figures. p_adjusted: Benjamini-Hochberg over the family that is named beside it.
    """

    name: str
    n_treated: int | None = None
    n_comparison: int | None = None
    effect: float | None = None
    se: float | None = None
    df: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    g: float | None = None
    g_low: float | None = None
    g_high: float | None = None
    percentile_points: float | None = None
    mean_comparison: float | None = None
    sd: float | None = None
    variance: str = ""
    probability_above_zero: float | None = None
    probability_meaningful: float | None = None
    minimum_detectable_g: float | None = None
    hidden: str = ""


class Users(_Part):
    """Effect on those who used it, in the outcome's units; low and high are None where the data set no bound."""

    effect: float
    se: float
    low: float | None
    high: float | None
    first_stage: float
    first_stage_f: float


class Sensitivity(_Part):
    """wild_*: wild cluster bootstrap · without_one_site_*: range when each site is left out · others by name."""

    naive: Estimate
    others: tuple[Estimate, ...] = ()
    wild_p: float | None = None
    wild_low: float | None = None
    wild_high: float | None = None
    without_one_site_low: float | None = None
    without_one_site_high: float | None = None
    robustness_value: float | None = None
    e_value: float | None = None
    as_strong_as: str | None = None
    effect_if_unseen_as_strong: float | None = None
    notes: tuple[str, ...] = ()


class DosePoint(_Part):
    """Adjusted difference from those without, for a quarter of the users by amount of use. Descriptive."""

    low: float
    high: float
    n: int
    effect: float | None
    effect_low: float | None
    effect_high: float | None


class OutcomeResult(_Part):
    outcome: str
    kind: str
    main: Estimate
    verdict: Verdict
    gates: tuple[Gate, ...]
    balance: tuple[Balance, ...]
    flow: tuple[dict[str, Any], ...]
    on_users: Users | None = None
    overlap: dict[str, Any] | None = None
    evidence: Evidence | None = None
    sensitivity: Sensitivity | None = None
    subgroups: tuple[Estimate, ...] = ()
    dose: tuple[DosePoint, ...] = ()


class StudyResult(_Part):
    """plan_hash names the frozen plan, data_version the data, code_version the code: same three, same result."""

    plan_hash: str
    data_version: str
    code_version: str
    run_at: datetime
    seconds: float
    outcomes: tuple[OutcomeResult, ...]

    @property
    def verdict(self) -> Verdict:
        """Of the first outcome, the one that the plan names first."""
        return self.outcomes[0].verdict


def run_study(plan: StudyPlan, table: StudyTable, told: Told = lambda step: None) -> StudyResult:
    """Every outcome of the plan. Record the plan first (`uptake.evidence.store`): from here on outcomes are read.

    Raises ContractError when the table does not hold what the plan names, PermanentError when a design gives no
    estimate at all.
    """
    started = time.monotonic()
    rows = eligible(plan, table)
    _look_at_subgroups(plan, rows)
    found = [_outcome(plan, table, rows, outcome, told) for outcome in plan.outcomes]
    return StudyResult(
        plan_hash=plan.hash,
        data_version=table.version,
        code_version=__version__,
        run_at=datetime.now(UTC),
        seconds=round(time.monotonic() - started, 3),
        outcomes=tuple(_among_outcomes(plan, found)),
    )


def _outcome(plan: StudyPlan, table: StudyTable, rows: Eligible, outcome: Outcome, told: Told) -> OutcomeResult:
    told(f"{outcome.name}: reading")
    rows_used, flow = sample(plan, rows, outcome)
    if min(rows_used.counts) < plan.minimum_n:
        return _nothing_shown(plan, outcome)
    told(f"{outcome.name}: estimating")
    result = estimate(plan, rows_used)
    if min(result.students) < plan.minimum_n:  # a design may leave students out, as matching does
        return _nothing_shown(plan, outcome)
    balance = gates.balances(plan, result)
    judged = gates.judge(plan, rows, result, balance)
    if why := _no_size(outcome, result):
        return _without_size(plan, outcome, judged, flow, why)
    main = describe(plan, outcome, outcome.name, result)
    told(f"{outcome.name}: sensitivity")
    overlap = asdict(result.overlap) if result.overlap else None
    evidence = _evidence(plan, outcome, main, result)
    steps = [asdict(step) for step in flow]
    if plan.design == "matched":
        steps.append(asdict(FlowStep("matched", len(result.sample.y), *result.students)))
    elif plan.design == "difference_in_differences" and plan.unit:
        steps.append(asdict(FlowStep("seen before and after", len(result.sample.y), *result.sample.counts)))
    return OutcomeResult(
        outcome=outcome.name,
        kind=outcome.kind,
        main=main,
        verdict=verdict.decide(plan, judged, evidence, outcome.name, main.hidden or BEYOND),
        gates=tuple(judged),
        balance=tuple(balance),
        flow=tuple(steps),
        on_users=_users(result),
        overlap=overlap,
        evidence=evidence,
        sensitivity=_sensitivity(plan, table, outcome, rows_used, result, main),
        subgroups=tuple(_subgroups(plan, rows, outcome, rows_used)),
        dose=tuple(_dose(plan, result)),
    )


def _look_at_subgroups(plan: StudyPlan, rows: Eligible) -> None:
    for column in plan.subgroups:
        groups = rows.frame[column].nunique()
        if groups > MOST_GROUPS:
            raise ContractError(
                f"subgroup {column} has {groups:,} values", remedy=f"name a column of at most {MOST_GROUPS} groups."
            )


def _without_size(
    plan: StudyPlan, outcome: Outcome, judged: list[Gate], flow: tuple[FlowStep, ...], why: str
) -> OutcomeResult:
    return OutcomeResult(
        outcome=outcome.name,
        kind=outcome.kind,
        main=Estimate(name=outcome.name, hidden=why),
        verdict=verdict.decide(plan, judged, None, outcome.name, why),
        gates=tuple(judged),
        balance=(),
        flow=tuple(asdict(step) for step in flow),
    )


def _nothing_shown(plan: StudyPlan, outcome: Outcome) -> OutcomeResult:
    """An arm smaller than the smallest group: no figure leaves, not even how many there were."""
    meaning = f"One arm has fewer than {plan.minimum_n} students: nothing is shown of so few."
    gate = Gate(name="students", status="failed", figure=None, limit=f"{plan.minimum_n} in each arm", meaning=meaning)
    return OutcomeResult(
        outcome=outcome.name,
        kind=outcome.kind,
        main=Estimate(name=outcome.name, hidden=meaning),
        verdict=verdict.decide(plan, [gate], None, outcome.name),
        gates=(gate,),
        balance=(),
        flow=(),
    )


def describe(
    plan: StudyPlan, outcome: Outcome, name: str, result: DesignResult, by: SecondOpinion | None = None
) -> Estimate:
    """Everything that follows from an effect and its spread: the design's own, or a second opinion's."""
    effect, spread = (result.effect, result.spread) if by is None else (by.effect, by.spread)
    of = result if by is None else by
    if not spread.is_known:
        return Estimate(name=name, hidden=NO_SPREAD)
    low, high = inference.interval(effect, spread.se, spread.df, plan.confidence)
    more: dict[str, Any] = {}
    g, g_low, g_high = _standardised(outcome, (effect, low, high), of.mean_comparison, result.sd, of.students)
    if g is not None and g_low is not None and g_high is not None:
        better = 1 if outcome.higher_is_better else -1
        se = _se_of_g(plan, g_low, g_high, spread.df)
        more = {
            "percentile_points": inference.percentile_points(g),
            "probability_above_zero": inference.probability_above(0, better * g, se, spread.df, plan.prior),
            "probability_meaningful": inference.probability_above(
                plan.meaningful_effect, better * g, se, spread.df, plan.prior
            ),
            "minimum_detectable_g": inference.minimum_detectable(se, spread.df, plan.confidence, plan.power),
        }
    return Estimate(
        name=name,
        n_treated=of.students[0],
        n_comparison=of.students[1],
        effect=effect,
        se=spread.se,
        df=spread.df,
        low=low,
        high=high,
        p=inference.p_value(effect, spread.se, spread.df),
        g=g,
        g_low=g_low,
        g_high=g_high,
        mean_comparison=of.mean_comparison,
        sd=result.sd,
        variance=spread.variance,
        **more,
    )


def _standardised(
    outcome: Outcome, values: tuple[float, float, float], without: float, sd: float, students: tuple[int, int]
) -> tuple[float, float, float] | tuple[None, None, None]:
    """Effect and interval in standard deviations; None where there are none.

    An interval of shares may reach beyond 0 or 1, where no share is and no logit: its ends stop half a student short.
    """
    n = sum(students)
    if outcome.kind == "continuous":
        at, low, high = (inference.hedges_g(value, sd, n) if sd > 0 else np.nan for value in values)
    else:
        edge = 0.5 / students[0]
        ends = [float(np.clip(without + value, edge, 1 - edge)) for value in values[1:]]
        at, low, high = (inference.cox_index(share, without, n) for share in (without + values[0], *ends))
        low, high = min(low, at), max(high, at)
    return (at, low, high) if np.isfinite([at, low, high]).all() else (None, None, None)


def _se_of_g(plan: StudyPlan, low: float, high: float, df: float) -> float:
    """From the interval, so that it also holds for the Cox index, whose interval is not symmetrical."""
    _, reach = inference.interval(0.0, 1.0, df, plan.confidence)
    return (high - low) / (2 * reach)


def _evidence(plan: StudyPlan, outcome: Outcome, main: Estimate, result: DesignResult) -> Evidence | None:
    """None where there is no effect size (an adjusted share beyond 0 or 1)."""
    if main.g is None or main.g_low is None or main.g_high is None or main.p is None or main.df is None:
        return None
    better = 1 if outcome.higher_is_better else -1
    low, high = sorted((better * main.g_low, better * main.g_high))
    se = _se_of_g(plan, low, high, main.df)
    is_clustered = result.sample.cluster is not None
    units = result.fit.n_clusters if is_clustered else sum(result.students)
    growth = inference.times_as_large(se, main.df, plan.meaningful_effect, plan.confidence, plan.power)
    return Evidence(
        g=better * main.g,
        low=low,
        high=high,
        is_significant=main.p < 1 - plan.confidence,
        probability_meaningful=main.probability_meaningful or 0.0,
        detectable=main.minimum_detectable_g or 0.0,
        units=units,
        unit_name=f"{plan.cluster} groups" if is_clustered else "students",
        enough=int(np.ceil(units * growth)),
        students=sum(result.students),
    )


def _among_outcomes(plan: StudyPlan, found: list[OutcomeResult]) -> list[OutcomeResult]:
    """With several outcomes, what counts as significant allows for how many there were."""
    adjusted = _adjusted([one.main for one in found])
    changed = []
    for one, main in zip(found, adjusted, strict=True):
        evidence = one.evidence
        if len(found) > 1 and evidence is not None and main.p_adjusted is not None:
            evidence = evidence.model_copy(update={"is_significant": main.p_adjusted < 1 - plan.confidence})
        decided = verdict.decide(plan, list(one.gates), evidence, one.outcome, main.hidden or BEYOND)
        changed.append(one.model_copy(update={"main": main, "evidence": evidence, "verdict": decided}))
    return changed


def _adjusted(estimates: list[Estimate]) -> list[Estimate]:
    """p values for discoveries of which at most 5 % are false, over those that are shown."""
    shown = [one for one in estimates if one.p is not None]
    values = iter(inference.benjamini_hochberg([one.p for one in shown if one.p is not None]))
    return [one.model_copy(update={"p_adjusted": next(values)}) if one.p is not None else one for one in estimates]


def _users(result: DesignResult) -> Users | None:
    users = result.on_users
    if users is None:
        return None
    low, high = users.interval or (None, None)
    return Users(
        effect=users.effect,
        se=users.se,
        low=low,
        high=high,
        first_stage=users.first_stage,
        first_stage_f=users.first_stage_f,
    )


def _sensitivity(
    plan: StudyPlan, table: StudyTable, outcome: Outcome, rows: Sample, result: DesignResult, main: Estimate
) -> Sensitivity:
    naive = _naive(plan, outcome, rows, result)
    others = [describe(plan, outcome, two.name, result, two) for two in result.second_opinions]
    others += _other_calipers(plan, outcome, rows, result)
    others += _other_treatments(plan, table, outcome)
    values: dict[str, Any] = {}
    if rows.cluster is not None and result.fit.n_clusters < FEW_CLUSTERS and result.spread.is_known:
        wild = wild_bootstrap(result.fit, draws=plan.bootstrap_draws, seed=plan.seed, confidence=plan.confidence)
        bounds = [bound if np.isfinite(bound) else None for bound in (wild.low, wild.high)]
        values |= {"wild_p": wild.p, "wild_low": bounds[0], "wild_high": bounds[1]}
    if left := sensitivity.without_one_site(result):
        values |= {"without_one_site_low": left.low, "without_one_site_high": left.high}
    if main.g is not None and plan.design != "randomised":
        unseen = sensitivity.unseen(result, main.g)
        values |= {} if unseen is None else {
            "robustness_value": unseen.robustness,
            "e_value": unseen.e_value,
            "as_strong_as": unseen.as_strong_as,
            "effect_if_unseen_as_strong": unseen.effect_then,
        }  # fmt: skip
    return Sensitivity(naive=naive, others=tuple(others), notes=tuple(_notes(plan, main, naive, values)), **values)


def _naive(plan: StudyPlan, outcome: Outcome, rows: Sample, result: DesignResult) -> Estimate:
    """The plain comparison of means, student by student, that a hurried reader would make."""
    compared = rows.take(rows.is_compared if rows.after is None else rows.after == 1)
    students = None if rows.after is None else result.students
    plain = opinion("plain comparison of means", fit(compared.y, compared.t), replace(compared, weight=None), students)
    return describe(plan, outcome, plain.name, result, plain)


def _notes(plan: StudyPlan, main: Estimate, naive: Estimate, found: dict[str, Any]) -> list[str]:
    notes = []
    alpha = 1 - plan.confidence
    if naive.p is not None and main.p is not None and (naive.p < alpha) != (main.p < alpha):
        says = "finds a difference" if naive.p < alpha else "finds none"
        notes.append(
            f"A plain comparison of means {says} ({naive.effect:+.3g}, interval {naive.low:.3g} to {naive.high:.3g}) "
            "and is not to be trusted: it takes students of one group for independent of each other, and what was "
            "there before for an effect."
        )
    elif main.effect is not None and naive.low is not None and not naive.low <= main.effect <= (naive.high or 0.0):
        notes.append(
            f"A plain comparison of means says {naive.effect:+.3g}, which the design does not bear out: it takes what "
            "was there before for an effect."
        )
    wild = found.get("wild_p")
    if wild is not None and main.p is not None and (wild < alpha) != (main.p < alpha):
        notes.append(
            f"The wild cluster bootstrap (p {wild:.3f}) and the interval (p {main.p:.3f}) do not agree: with so few "
            "groups the answer hangs on the method."
        )
    return notes


def _other_calipers(plan: StudyPlan, outcome: Outcome, rows: Sample, result: DesignResult) -> list[Estimate]:
    caliper = plan.matching.caliper
    if plan.design != "matched" or caliper is None or result.logit is None:
        return []
    found = []
    for factor in (0.5, 2.0):
        name = f"caliper {caliper * factor:g} in place of {caliper:g}"
        try:
            other = on_pairs(plan, rows, pair_up(plan, rows, result.logit, caliper * factor))
        except PermanentError as error:
            found.append(Estimate(name=name, hidden=error.message))
        else:
            is_small = min(other.students) < plan.minimum_n
            hidden = Estimate(name=name, hidden=SMALL.format(plan.minimum_n))
            found.append(hidden if is_small else describe(plan, outcome, name, other))
    return found


def _other_treatments(plan: StudyPlan, table: StudyTable, outcome: Outcome) -> list[Estimate]:
    """The same design with another rule of who counts as treated: another idle gap, another threshold of use."""
    found = []
    for column in plan.all_alternatives:
        name = f"treated by {column}"
        try:
            rows, _ = sample(plan, eligible(plan, table, column), outcome)
            found.append(_shown(plan, outcome, name, rows))
        except UptakeError as error:
            found.append(Estimate(name=name, hidden=error.message))
    return found


def _shown(plan: StudyPlan, outcome: Outcome, name: str, rows: Sample) -> Estimate:
    """An estimate, unless it is of too few to be shown, of too few groups, or of groups that were not alike before."""
    if min(rows.counts) < plan.minimum_n:
        return Estimate(name=name, hidden=SMALL.format(plan.minimum_n))
    result = estimate(plan, rows)
    if min(result.students) < plan.minimum_n:
        return Estimate(name=name, hidden=SMALL.format(plan.minimum_n))
    if why := _no_size(outcome, result):
        return Estimate(name=name, hidden=why)
    if result.spread.df < gates.SMALLEST_DF:
        return Estimate(name=name, hidden="too few groups for a test")
    if plan.design not in ("randomised", "difference_in_differences"):
        apart = [row.g for row in gates.balances(plan, result) if row.is_baseline and row.g is not None]
        if any(abs(g) > gates.ADJUSTABLE for g in apart):
            return Estimate(name=name, hidden="the arms were not alike before")
    return describe(plan, outcome, name, result)


def _no_size(outcome: Outcome, result: DesignResult) -> str | None:
    """Why an effect has no size. A share of 0 or 100 % also tells of each in the arm, however many they are."""
    rows = result.sample
    arms = [rows.y[rows.is_compared & (rows.t == arm)] for arm in (0, 1)]
    is_constant = [values.min() == values.max() for values in arms]
    if outcome.kind == "binary" and any(is_constant):
        return UNANIMOUS
    if result.fit.is_exact():
        return CONSTANT if all(is_constant) else EXACT
    return None


def _subgroups(plan: StudyPlan, rows: Eligible, outcome: Outcome, of: Sample) -> list[Estimate]:
    """The same design inside each subgroup. Small ones are hidden, and with a single hidden one the next smallest of
    its dimension, which could be subtracted from the whole otherwise. Students of no known subgroup are one, too."""
    found: list[Estimate] = []
    for column in plan.subgroups:
        values = rows.frame[column].iloc[of.row]
        parts = []
        for level in sorted(values.dropna().unique().tolist(), key=str):
            inside = is_one_of(values, (level,))
            name = f"{column} = {level}"
            try:
                parts.append((int(inside.sum()), _shown(plan, outcome, name, of.take(inside))))
            except PermanentError as error:
                parts.append((int(inside.sum()), Estimate(name=name, hidden=error.message)))
        small = [part for _, part in parts if part.hidden.startswith(SMALL[:5])]
        unknown = of.take(values.isna().to_numpy())
        if len(unknown.t) and min(unknown.counts) < plan.minimum_n:
            small.append(Estimate(name=f"{column} unknown", hidden=SMALL.format(plan.minimum_n)))
        open_ = [(size, i) for i, (size, part) in enumerate(parts) if not part.hidden.startswith(SMALL[:5])]
        if len(small) == 1 and open_:
            _, i = min(open_)
            parts[i] = (0, Estimate(name=parts[i][1].name, hidden=COMPLEMENT))
        found += [part for _, part in parts]
    return _adjusted(found)


def _dose(plan: StudyPlan, result: DesignResult) -> list[DosePoint]:
    """Quarters of the treated by amount of use, each beside all in the comparison, adjusted as the design adjusts."""
    rows = result.sample
    if rows.dose is None or rows.after is not None:
        return []
    used = (rows.t == 1) & rows.is_compared & ~np.isnan(rows.dose)
    if not used.any():
        return []
    edges = np.unique(np.quantile(rows.dose[used], np.linspace(0, 1, DOSE_PARTS + 1)))
    part = np.clip(np.searchsorted(edges, rows.dose, side="right") - 1, 0, max(len(edges) - 2, 0))
    points = []
    for i in range(max(len(edges) - 1, 1)):
        inside = used & (part == i)
        only = rows.take(inside | ((rows.t == 0) & rows.is_compared))
        low, high = float(edges[i]), float(edges[min(i + 1, len(edges) - 1)])
        if inside.sum() < plan.minimum_n:
            points.append(DosePoint(low=low, high=high, n=0, effect=None, effect_low=None, effect_high=None))
            continue
        of = regress(only)
        effect, spread = float(of.estimate[0]), of.spread()
        if not spread.is_known:
            points.append(DosePoint(low=low, high=high, n=0, effect=None, effect_low=None, effect_high=None))
            continue
        ends = inference.interval(effect, spread.se, spread.df, plan.confidence)
        points.append(
            DosePoint(low=low, high=high, n=int(inside.sum()), effect=effect, effect_low=ends[0], effect_high=ends[1])
        )
    return points
