"""Does the evidence engine tell the truth? Thousands of invented districts, each with an answer that is known.

    python -m benchmarks.evidence                 # every case, 4,000 draws each; several minutes on two cores
    python -m benchmarks.evidence --draws 500     # a rough look
    python -m benchmarks.evidence --case "12 schools"

Each draw goes the whole way of a study (plan, table, sample, design). Scores are in standard deviations; `naive` is the
plain comparison of means, student by student. Printed is a Markdown table for docs/evidence.md.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

# One thread for each process: the matrices are small, and threads would fight over the cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from uptake.evidence import inference
from uptake.evidence.data import StudyTable, eligible, sample
from uptake.evidence.designs import estimate
from uptake.evidence.linear import fit, wild_bootstrap
from uptake.evidence.plan import StudyPlan

ICC = 0.2
HEADER = """\
| case | planted | mean | bias ± 2 SE | 95 % covers | 5 % test rejects | naive mean | naive covers | naive rejects |
|---|---|---|---|---|---|---|---|---|"""
Draw = Callable[[np.random.Generator], pd.DataFrame]


@dataclass(frozen=True)
class Case:
    """truth: the effect that was planted (on users where `on_users`) · draw: one invented district."""

    name: str
    truth: float
    plan: dict[str, object]
    draw: Draw
    on_users: bool = False
    wild: bool = False


def people(
    rng: np.random.Generator,
    *,
    schools: int = 60,
    size: int = 25,
    unequal: bool = False,
    icc: float = ICC,
    pretest: float = 0.7,
) -> pd.DataFrame:
    """Students in schools; `score` is what they would have without the tool. Baseline and score share a school part."""
    sizes = np.maximum(rng.lognormal(np.log(size), 0.9, schools).astype(int), 4) if unequal else np.full(schools, size)
    school = np.repeat(np.arange(schools), sizes)
    n = len(school)
    between = rng.normal(scale=np.sqrt(icc), size=schools)[school]
    ability = between + rng.normal(scale=np.sqrt(1 - icc), size=n)
    noise = np.sqrt(1 - pretest**2)
    new_between = rng.normal(scale=np.sqrt(icc), size=schools)[school]
    score = pretest * ability + noise * (new_between + rng.normal(scale=np.sqrt(1 - icc), size=n))
    return pd.DataFrame({"school": school, "baseline": ability, "score": score, "grade": rng.integers(3, 6, n)})


def by_school(frame: pd.DataFrame, rng: np.random.Generator, effect: float, share: float = 0.5) -> pd.DataFrame:
    schools = int(frame["school"].max()) + 1
    treated = rng.permutation(schools) < round(schools * share)
    frame["arm"] = treated[frame["school"]].astype(int)
    frame["score"] += effect * frame["arm"]
    return frame


def within_school(frame: pd.DataFrame, rng: np.random.Generator, effect: float) -> pd.DataFrame:
    order = rng.random(len(frame))
    rank = pd.Series(order).groupby(frame["school"]).rank(pct=True)
    frame["arm"] = (rank > 0.5).astype(int)
    frame["score"] += effect * frame["arm"]
    return frame


def chosen(
    frame: pd.DataFrame, rng: np.random.Generator, effect: float, *, pull: float = 0.7, unseen: float = 0.0
) -> pd.DataFrame:
    """The stronger students choose the tool; with `unseen`, so do those with a cause of the score that none records."""
    hidden = rng.normal(size=len(frame))
    logit = -0.8 + pull * frame["baseline"] + unseen * hidden
    frame["arm"] = (rng.random(len(frame)) < 1 / (1 + np.exp(-logit))).astype(int)
    frame["score"] += effect * frame["arm"] + 0.4 * unseen * hidden
    return frame


def chosen_by_schools(frame: pd.DataFrame, rng: np.random.Generator, effect: float) -> pd.DataFrame:
    """Schools with stronger students buy it."""
    mean = frame.groupby("school")["baseline"].mean()
    buys = rng.random(len(mean)) < 1 / (1 + np.exp(-1.2 * mean / mean.std()))
    buys.iloc[0], buys.iloc[1] = True, False
    frame["arm"] = buys.to_numpy()[frame["school"]].astype(int)
    frame["score"] += effect * frame["arm"]
    return frame


def binary(frame: pd.DataFrame, rng: np.random.Generator, effect: float) -> pd.DataFrame:
    """Passed or not, for 40 % without the tool; the planted effect is a share of students."""
    schools = int(frame["school"].max()) + 1
    treated = rng.permutation(schools) < schools // 2
    frame["arm"] = treated[frame["school"]].astype(int)
    beta = rng.beta(0.4 * (1 / ICC - 1), 0.6 * (1 / ICC - 1), schools)
    share = beta[frame["school"]] * (1 - effect / 0.6 * frame["arm"]) + effect / 0.6 * frame["arm"]
    frame["passed"] = (rng.random(len(frame)) < share).astype(int)
    return frame


def missing(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """A fifth without a score, more of them among the weak (by what the baseline shows)."""
    lost = rng.random(len(frame)) < 1 / (1 + np.exp(1.6 + 0.6 * frame["baseline"]))
    frame.loc[lost, "score"] = np.nan
    return frame


def offered(frame: pd.DataFrame, rng: np.random.Generator, effect: float) -> pd.DataFrame:
    """Offered by lot within schools; six in ten of those offered use it, the stronger sooner, and nobody else does."""
    frame = within_school(frame, rng, 0.0)
    takes = rng.random(len(frame)) < 1 / (1 + np.exp(-0.5 - 0.7 * frame["baseline"]))
    frame["used"] = frame["arm"] * takes
    frame["score"] += effect * frame["used"]
    return frame


def terms(rng: np.random.Generator, effect: float, *, drift: float = 0.0, schools: int = 40) -> pd.DataFrame:
    """Four terms, the tool from the third on, in schools that were ahead before; `drift` parts them all along."""
    frame = people(rng, schools=schools, size=15)
    buys = np.arange(schools) % 2 == 0
    arm = buys[frame["school"]].astype(int)
    parts = []
    shock = rng.normal(scale=0.15, size=(4, schools)).cumsum(axis=0)
    for term in range(4):
        now = frame.assign(unit=np.arange(len(frame)), term=term, arm=arm)
        noise = rng.normal(scale=0.5, size=len(frame))
        now["score"] = (
            frame["baseline"] + 0.5 * arm + 0.2 * term + drift * term * arm + shock[term][frame["school"]] + noise
        )
        now["score"] += effect * arm * (term >= 2)
        parts.append(now)
    return pd.concat(parts, ignore_index=True)


def trial(rng: np.random.Generator, effect: float, share: float = 0.5, **of: object) -> pd.DataFrame:
    return by_school(people(rng, **of), rng, effect, share)  # type: ignore[arg-type]


BASELINE = {"baseline": ["baseline"]}
TRIAL = {"design": "randomised", "cluster": "school"}
ADJUSTED = TRIAL | BASELINE
WITHIN = ADJUSTED | {"block": ["school"]}
OFFER = WITHIN | {"treatment": {"column": "arm", "received": "used"}}
PASSED = TRIAL | {"outcomes": [{"name": "passed", "columns": ["passed"], "kind": "binary"}]}
ALIKE = BASELINE | {"design": "matched", "covariates": ["grade"], "cluster": "school"}
TERMS = {
    "design": "difference_in_differences",
    "unit": "unit",
    "cluster": "school",
    "period": {"column": "term", "before": [0, 1], "after": [2, 3]},
}


def matching(**how: object) -> dict[str, object]:
    return ALIKE | {"matching": how}


CASES = [
    Case("lots among 60 schools, no effect", 0, TRIAL, lambda r: trial(r, 0)),
    Case("… adjusted for a baseline", 0, ADJUSTED, lambda r: trial(r, 0)),
    Case("lots among 60 schools, effect", 0.25, ADJUSTED, lambda r: trial(r, 0.25)),
    Case("lots among 12 schools, no effect", 0, TRIAL, lambda r: trial(r, 0, schools=12), wild=True),
    Case("… adjusted for a baseline", 0, ADJUSTED, lambda r: trial(r, 0, schools=12), wild=True),
    Case(
        "20 unequal schools, 6 treated, no effect",
        0,
        TRIAL,
        lambda r: trial(r, 0, 0.3, schools=20, unequal=True),
        wild=True,
    ),
    Case("60 unequal schools, no effect", 0, TRIAL, lambda r: trial(r, 0, unequal=True)),
    Case("60 unequal schools, effect", 0.25, ADJUSTED, lambda r: trial(r, 0.25, unequal=True)),
    Case("lots within schools, no effect", 0, WITHIN, lambda r: within_school(people(r), r, 0)),
    Case("lots within schools, effect", 0.25, WITHIN, lambda r: within_school(people(r), r, 0.25)),
    Case("a fifth without a score", 0.25, ADJUSTED, lambda r: missing(trial(r, 0.25), r)),
    Case("passed or not, 60 schools, no effect", 0, PASSED, lambda r: binary(people(r), r, 0)),
    Case("passed or not, 60 schools, effect", 0.1, PASSED, lambda r: binary(people(r), r, 0.1)),
    Case(
        "offered by lot: effect on the 6 in 10 who use it",
        0.4,
        OFFER,
        lambda r: offered(people(r), r, 0.4),
        on_users=True,
    ),
    Case("stronger students choose it, no effect: matched", 0, ALIKE, lambda r: chosen(people(r), r, 0)),
    Case("stronger students choose it, effect: matched", 0.25, ALIKE, lambda r: chosen(people(r), r, 0.25)),
    Case("… matched within schools", 0.25, matching(exact=["school"]), lambda r: chosen(people(r), r, 0.25)),
    Case("… by Mahalanobis distance", 0.25, matching(method="mahalanobis"), lambda r: chosen(people(r), r, 0.25)),
    Case(
        "… two each, with replacement",
        0.25,
        matching(with_replacement=True, neighbours=2),
        lambda r: chosen(people(r), r, 0.25),
    ),
    Case("… pairs, no schools", 0.25, ALIKE | {"cluster": None}, lambda r: chosen(people(r, icc=0.0), r, 0.25)),
    Case("… regression", 0.25, ALIKE | {"design": "regression"}, lambda r: chosen(people(r), r, 0.25)),
    Case("stronger schools buy it, no effect: matched", 0, ALIKE, lambda r: chosen_by_schools(people(r), r, 0)),
    Case("stronger schools buy it, effect: matched", 0.25, ALIKE, lambda r: chosen_by_schools(people(r), r, 0.25)),
    Case("schools ahead before, no effect: differences", 0, TERMS, lambda r: terms(r, 0)),
    Case("schools ahead before, effect: differences", 0.25, TERMS, lambda r: terms(r, 0.25)),
    Case("*an unseen cause of use and score: matched*", 0, ALIKE, lambda r: chosen(people(r), r, 0, unseen=1.0)),
    Case("*paths that part before: differences*", 0, TERMS, lambda r: terms(r, 0, drift=0.15)),
]


def draws(number: int, seeds: range) -> list[tuple[float, ...]]:
    """estimate, covers, rejects, naive estimate, naive covers, naive rejects, wild rejects: for each seed."""
    case = CASES[number]
    given = {
        "question": "Does the tool make a difference?",
        "tool": "the tool",
        "outcomes": [{"name": "score", "columns": ["score"]}],
        "treatment": {"column": "arm"},
        "meaningful_effect": 0.2,
    }
    plan = StudyPlan.model_validate(given | case.plan)
    rows = []
    for seed in seeds:
        frame = case.draw(np.random.default_rng([number, seed]))
        found, _ = sample(plan, eligible(plan, StudyTable(frame, "drawn")), plan.outcomes[0])
        result = estimate(plan, found)
        effect, spread = result.effect, result.spread
        low, high = inference.interval(effect, spread.se, spread.df, 0.95)
        rejects = inference.p_value(effect, spread.se, spread.df) < 0.05
        after = found if found.after is None else found.take(np.flatnonzero(found.after == 1))
        plain = fit(after.y, after.t)
        treated = after.t
        if case.on_users and result.on_users is not None and found.received is not None:
            effect = result.on_users.effect
            low, high = result.on_users.interval or (-np.inf, np.inf)
            treated = found.received
            plain = fit(found.y, treated)
        naive, naive_spread = float(plain.estimate[0]), plain.spread("HC1")
        ends = inference.interval(naive, naive_spread.se, naive_spread.df, 0.95)
        wild = np.nan
        if case.wild:
            wild = wild_bootstrap(result.fit, draws=399, seed=seed, with_interval=False).p < 0.05
        naive_covers, naive_rejects = ends[0] <= case.truth <= ends[1], not ends[0] <= 0 <= ends[1]
        rows.append((effect, low <= case.truth <= high, rejects, naive, naive_covers, naive_rejects, wild))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=4000)
    parser.add_argument("--case", default="", help="only cases whose name holds this")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    print(HEADER)
    with ProcessPoolExecutor(options.processes) as pool:
        for number, case in enumerate(CASES):
            if options.case not in case.name:
                continue
            parts = [range(i, options.draws, 8) for i in range(8)]
            rows = np.array([row for part in pool.map(draws, [number] * 8, parts) for row in part], dtype=float)
            print(line(case, rows), flush=True)


def line(case: Case, rows: np.ndarray) -> str:
    effect, covers, rejects, naive, naive_covers, naive_rejects, wild = rows.T
    bias, error = effect.mean() - case.truth, 2 * effect.std() / np.sqrt(len(effect))
    tested = f"{100 * rejects.mean():.1f} %" + (f" (wild {100 * wild.mean():.1f} %)" if case.wild else "")
    return (
        f"| {case.name} | {case.truth:g} | {effect.mean():.3f} | {bias:+.4f} ± {error:.4f} | "
        f"{100 * covers.mean():.1f} % | {tested} | {naive.mean():.3f} | {100 * naive_covers.mean():.1f} % | "
        f"{100 * naive_rejects.mean():.1f} % |"
    )


if __name__ == "__main__":
    main()
