"""The answer in one sentence, and what the design is consistent with under ESSA. Every sentence is true of its figures.

Effects are said in percentile points (Lortie-Forgues, Sio & Inglis 2021 and RAND's EP67859 find them the best
understood, years of learning the worst); g stands beside them. Months of learning are not offered.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from uptake.evidence.gates import LARGE_SAMPLE, Gate
from uptake.evidence.inference import percentile_points
from uptake.evidence.plan import StudyPlan

Kind = Literal[
    "effect", "effect_of_unclear_size", "too_small", "null", "no_useful_effect", "harmful", "not_enough_evidence",
    "failed_balance", "failed_attrition", "one_site", "no_overlap", "different_paths", "few_clusters",
    "wrong_unit", "too_few_students", "descriptive",
]  # fmt: skip
CORRELATIONAL = ("regression", "dose_response")


class Verdict(BaseModel):
    """kind for machines, sentence for people, essa: "design consistent with ESSA tier n" or why with none."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    sentence: str
    essa: str
    tier: int | None


class Evidence(BaseModel):
    """What a verdict is made of. g and its interval: positive is better for students, whatever way the outcome counts.

    units: clusters, or students where there are none · enough: how many of them would do.
    """

    model_config = ConfigDict(frozen=True)

    g: float
    low: float
    high: float
    is_significant: bool
    probability_meaningful: float
    detectable: float
    units: int
    unit_name: str
    enough: int
    students: int


def decide(plan: StudyPlan, gates: list[Gate], evidence: Evidence | None, outcome: str, why: str = "") -> Verdict:
    """evidence: None where there is no effect size, and `why`."""
    status = {gate.name: gate for gate in gates}
    kind, sentence = _blocked(plan, status, outcome) or _answer(plan, evidence, outcome, why)
    tier, essa = _essa(plan, status, kind, evidence)
    return Verdict(kind=kind, sentence=sentence, essa=essa, tier=tier)


def _blocked(  # noqa: PLR0911 - one for each gate
    plan: StudyPlan, gates: dict[str, Gate], outcome: str
) -> tuple[Kind, str] | None:
    def failed(name: str) -> Gate | None:
        gate = gates.get(name)
        return gate if gate is not None and gate.status == "failed" else None

    if failed("students"):
        return "too_few_students", (
            f"Nothing is said about {plan.tool} and {outcome}: one of the groups has fewer than "
            f"{plan.minimum_n} students."
        )
    if plan.design == "dose_response":
        return None  # it claims nothing, so nothing but privacy stops it
    if gate := failed("sites"):
        return "one_site", (
            f"Whether {plan.tool} makes a difference in {outcome} cannot be told: one of the groups is a single "
            f"{plan.site_column}, and what is particular to it looks just like an effect. {gate.meaning}"
        )
    if gate := failed("unit"):
        return "wrong_unit", (
            f"As it was planned, this study cannot tell whether {plan.tool} makes a difference in {outcome}. "
            f"{gate.meaning}"
        )
    if gate := failed("clusters"):
        needed = f"More {plan.cluster} groups are needed, not more students in these." if plan.cluster else ""
        return "few_clusters", (
            f"There are too few groups to tell whether {plan.tool} makes a difference in {outcome}: "
            f"{gate.meaning} {needed}"
        ).strip()
    baseline = gates.get("baseline")
    if gate := failed("lots"):
        return "failed_balance", (
            f"This trial cannot answer whether {plan.tool} makes a difference in {outcome}: {gate.meaning}"
        )
    if plan.design == "randomised":
        attrition = failed("attrition")
        if attrition and (baseline is None or baseline.status in ("failed", "not_applicable")):
            return "failed_attrition", (
                f"Too many students have no {outcome} to tell what {plan.tool} did: {attrition.meaning} "
                + ("No baseline is at hand." if not baseline or baseline.figure is None else baseline.meaning)
            )
    elif baseline and baseline.status == "failed" and not _is_on_one_path(gates):
        missing = baseline.figure is None
        return "failed_balance", (
            f"This comparison cannot answer whether {plan.tool} makes a difference in {outcome}: "
            + ("nothing shows that the groups were alike before." if missing else "the groups differed before. ")
            + ("" if missing else baseline.meaning)
        )
    if gate := failed("overlap"):
        return "no_overlap", (
            f"Those with {plan.tool} and those without are too different to compare in {outcome}: {gate.meaning}"
        )
    if gate := failed("earlier trend"):
        return "different_paths", (
            f"Those with and without {plan.tool} were on different paths in {outcome} before it began, so that what "
            f"came after proves nothing: {gate.meaning}"
        )
    return None


def _is_on_one_path(gates: dict[str, Gate]) -> bool:
    """Differences over terms need no equal levels where the arms are seen to have moved alike before."""
    trend = gates.get("earlier trend")
    return trend is not None and trend.status == "passed"


def _answer(  # noqa: PLR0911 - one for each answer
    plan: StudyPlan, found: Evidence | None, outcome: str, why: str
) -> tuple[Kind, str]:
    if found is None:
        sentence = f"No effect size of {plan.tool} on {outcome} can be computed from these data: {why}."
        return "not_enough_evidence", sentence
    useful = plan.meaningful_effect
    is_less_better = any(one.name == outcome and not one.higher_is_better for one in plan.outcomes)
    verb = "lower" if is_less_better else "raise"
    sure = f"{plan.confidence:.0%} interval {_points(found.low)} to {_points(found.high)} percentile points"
    sure += "; above nil is better: less of it" if is_less_better else ""
    size = f"{_points(found.g)} percentile points (g {found.g:+.2f}; {sure})"
    bar = f"the {_points(useful)} points (g {useful:.2f}) that were named as worth having"
    if plan.design == "dose_response":
        return "descriptive", (
            f"Students who used {plan.tool} stood {size} from those who did not, in {outcome}. This describes them: it "
            "does not say that the use is why."
        )
    is_correlation = plan.design in CORRELATIONAL
    better = f"{plan.tool} {verb}s {outcome}"
    worse = f"Students with {plan.tool} did worse in {outcome} than they would have without it"
    caveat = ""
    if is_correlation:
        others = "students who were alike in all that was measured"
        better = f"Students with {plan.tool} did better in {outcome} than {others}"
        worse = f"Students with {plan.tool} did worse in {outcome} than {others}"
        caveat = " The use and the results go together; that the use is why is not shown."
    if found.is_significant and found.high < 0:
        return "harmful", f"{worse}: by {size}.{caveat}"
    if found.is_significant and found.low > 0:
        if found.low >= useful:
            return "effect", f"{better}: by {size}, at least {bar}.{caveat}"
        if found.high < useful:
            return "too_small", f"{better}, but by too little: {size}, less than {bar}.{caveat}"
        return "effect_of_unclear_size", (
            f"{better}: by {size}. Whether by as much as {bar} is open "
            f"(probability {_probability(found.probability_meaningful)}).{caveat}"
        )
    if found.high < useful and found.low > -useful:
        return "null", (
            f"{plan.tool} makes no difference that matters in {outcome}: {size}; gains and losses as large as {bar} "
            "are both ruled out."
        )
    if found.high < useful:
        return "no_useful_effect", (
            f"{plan.tool} does not {verb} {outcome} by as much as {bar}: {size}. A loss is not ruled out."
        )
    many = " The interval alone would exclude nil; among several outcomes that can be chance." * (
        found.low > 0 or found.high < 0
    )
    return "not_enough_evidence", (
        f"There is not enough evidence to say whether {plan.tool} makes a difference in {outcome}: {size}. This study "
        f"could have seen {_points(found.detectable)} points; to see {bar}, about {found.enough:,} {found.unit_name} "
        f"like these would be enough (there were {found.units:,}).{many}"
    )


def _differs(plan: StudyPlan, gates: dict[str, Gate]) -> bool:
    baseline = gates.get("baseline")
    return plan.design == "difference_in_differences" and baseline is not None and baseline.status == "failed"


def _points(g: float) -> str:
    value = percentile_points(g)
    return f"{value:+.1f}" if abs(value) >= 0.05 else "0.0"


def _probability(p: float) -> str:
    return "above 99 %" if p > 0.99 else "below 1 %" if p < 0.01 else f"{100 * p:.0f} %"


def _essa(plan: StudyPlan, gates: dict[str, Gate], kind: Kind, found: Evidence | None) -> tuple[int | None, str]:
    """Tiers rate a study, not a product. Lower tiers take what the upper ones refuse, as far as it goes."""
    is_positive = kind in ("effect", "effect_of_unclear_size", "too_small")
    if not is_positive or found is None:
        if kind != "harmful" and plan.rationale:
            return 4, "Design consistent with ESSA tier 4 (a rationale and a study of it; no proof of an effect)."
        reason = "tiers 1 to 3 need a significant positive effect"
        reason += "" if plan.rationale else ", tier 4 a written rationale"
        return None, f"Consistent with no ESSA tier: {reason}."
    short = [
        *([f"fewer than {LARGE_SAMPLE} students"] if found.students < LARGE_SAMPLE else []),
        *(["no two sites named in each arm"] if gates["sites"].status != "passed" else []),
        *(["the groups' levels differed before by more than WWC allows"] if _differs(plan, gates) else []),
    ]
    attrition = gates.get("attrition")
    is_sound_trial = (
        plan.design == "randomised" and attrition is not None and attrition.status in ("passed", "adjusted")
    )
    if is_sound_trial and not short:
        return 1, "Design consistent with ESSA tier 1 (a randomised trial that kept its students)."
    if plan.design in CORRELATIONAL:
        why = "regression adjustment: a correlation with statistical controls"
        return 3, f"Design consistent with ESSA tier 3 ({why})."
    if short:
        return 3, f"Design consistent with ESSA tier 3 (no higher: {', '.join(short)})."
    what = "a randomised trial that lost many students" if plan.design == "randomised" else "a comparison without lots"
    return 2, f"Design consistent with ESSA tier 2 ({what}; the groups were alike before)."
