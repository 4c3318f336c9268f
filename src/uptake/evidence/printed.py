"""A study as plain text: the verdict first, every figure under it."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import fill

from uptake.evidence.plan import StudyPlan
from uptake.evidence.run import DosePoint, Estimate, OutcomeResult, StudyResult
from uptake.evidence.store import RecordedStudy

WIDTH = 110


def as_text(study: RecordedStudy) -> str:
    """The plan and its newest result."""
    plan = study.plan
    design = plan.design.replace("_", " ")
    lines = [
        plan.question,
        f"study {study.short} · planned {study.planned_at:%Y-%m-%d %H:%M} UTC · {design} · {plan.tool}",
        f"plan SHA-256 {study.hash}",
    ]
    if not study.results:
        return "\n".join([*lines, "", f"Not run yet: uptake study run {study.short}"])
    return "\n".join([*lines, *_result(plan, study.results[-1])])


def _result(plan: StudyPlan, result: StudyResult) -> Iterator[str]:
    yield f"run {result.run_at:%Y-%m-%d %H:%M} UTC, {result.seconds:.1f} s · code {result.code_version}"
    yield f"data {result.data_version}"
    for one in result.outcomes:
        yield ""
        yield fill(one.verdict.sentence, WIDTH)
        yield one.verdict.essa
        yield from _figures(plan, one)


def _figures(plan: StudyPlan, one: OutcomeResult) -> Iterator[str]:
    main = one.main
    yield f"  {one.outcome}: {effect(main)}"
    if main.probability_above_zero is not None:
        yield (
            f"  probability of an effect above nil {main.probability_above_zero:.3f}, above g {plan.meaningful_effect} "
            f"{main.probability_meaningful:.3f} (prior: normal, mean {plan.prior.mean}, SD {plan.prior.sd})"
        )
        yield f"  smallest effect that this study finds with power {plan.power:.0%}: g {main.minimum_detectable_g:.3f}"
    if one.on_users:
        users, bounds = one.on_users, "no bound"
        if users.low is not None and users.high is not None:
            bounds = f"{users.low:.4g} to {users.high:.4g}"
        yield f"  on those who used it: {users.effect:+.4g} (SE {users.se:.4g}; {bounds}; use {users.first_stage:+.3g})"
    yield "gates"
    yield from (f"  {gate.status:<14} {gate.name}: {gate.meaning}" for gate in one.gates)
    if one.flow:
        yield "who is in it"
    for step in one.flow:
        arms = (
            "" if step["treated"] is None else f" ({step['treated']:,} with the tool, {step['comparison']:,} without)"
        )
        yield f"  {step['rows']:>9,}  {step['step']}{arms}"
    if one.balance:
        yield "balance: g before, g in the analysis"
    for row in one.balance:
        yield f"  {_number(row.g_before)}  {_number(row.g)}  {row.covariate}{' (baseline)' if row.is_baseline else ''}"
    yield from _sensitivity(one)
    if one.subgroups:
        yield "subgroups: p adjusted for how many there are"
    yield from (f"  {part.name}: {effect(part)}" for part in one.subgroups)
    if one.dose:
        yield "use and outcome: a description, it does not say that more use is why"
    yield from map(_dose, one.dose)


def _sensitivity(one: OutcomeResult) -> Iterator[str]:
    found = one.sensitivity
    if found is None:
        return
    yield "how the answer moves"
    yield from (f"  {other.name}: {effect(other)}" for other in (found.naive, *found.others))
    if found.wild_p is not None:
        ends = " to ".join("no bound" if end is None else f"{end:.4g}" for end in (found.wild_low, found.wild_high))
        yield f"  wild cluster bootstrap: p {_probability(found.wild_p)}, {ends}"
    if found.without_one_site_low is not None:
        yield f"  each site left out in turn: {found.without_one_site_low:.4g} to {found.without_one_site_high:.4g}"
    if found.robustness_value is not None:
        yield f"  unseen cause: robustness value {found.robustness_value:.3f}, E-value {found.e_value:.2f}"
    if found.as_strong_as is not None:
        yield f"  with an unseen cause as strong as {found.as_strong_as}: {found.effect_if_unseen_as_strong:+.4g}"
    yield from (fill(note, WIDTH, initial_indent="  ", subsequent_indent="  ") for note in found.notes)


def _dose(point: DosePoint) -> str:
    if point.effect is None:
        return f"  {point.low:.4g} to {point.high:.4g}: too few to show"
    ends = f"{point.effect_low:.4g} to {point.effect_high:.4g}"
    return f"  {point.low:.4g} to {point.high:.4g}: {point.effect:+.4g} ({ends}), {point.n:,} students"


def effect(one: Estimate) -> str:
    """Effect, spread, interval, p and g in one line; or why they are hidden."""
    if one.effect is None:
        return one.hidden
    p, kind = (one.p, "p") if one.p_adjusted is None else (one.p_adjusted, "adjusted p")
    text = f"{one.effect:+.4g} (SE {one.se:.4g}, df {one.df:.1f}, {one.low:.4g} to {one.high:.4g}"
    text += f", {kind} {_probability(p)}"
    if one.g is not None and one.g_low is not None and one.g_high is not None:
        text += (
            f"; g {one.g:+.3f}, {one.g_low:+.3f} to {one.g_high:+.3f}; {one.percentile_points:+.1f} percentile points"
        )
    return f"{text}; {one.n_treated:,} and {one.n_comparison:,} students; {one.variance})"


def _probability(p: float | None) -> str:
    return "—" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def _number(value: float | None) -> str:
    return "     —" if value is None else f"{value:+.3f}"
