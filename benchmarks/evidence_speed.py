"""A whole study of 300,000 students in 500 schools beside a plain statsmodels script for its main estimate.

    python -m benchmarks.evidence_speed

The study matches within school and grade, estimates, weighs, tries other calipers, leaves out each school, looks into
subgroups and dose. The bootstrap is that of a second study in 36 large schools of the same table. Goals: 60 s and 3 GB
on two cores. The plain script is one regression of the same matched rows with clustered errors.
"""

from __future__ import annotations

import resource
import sys
import time
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.api as sm

from benchmarks.report import machine
from uptake.evidence.data import StudyTable, eligible, sample
from uptake.evidence.designs import estimate
from uptake.evidence.plan import StudyPlan
from uptake.evidence.run import run_study

STUDENTS, SCHOOLS, EFFECT = 300_000, 500, 0.1
SECONDS, GIGABYTES = 60, 3


def district() -> pd.DataFrame:
    """Students choose the tool by what they scored before; free meals and language go with both."""
    rng = np.random.default_rng(20260901)
    school = np.sort(rng.integers(0, SCHOOLS, STUDENTS))
    level = rng.normal(scale=0.4, size=SCHOOLS)[school]
    baseline = level + rng.normal(size=STUDENTS)
    meals, learner = rng.random(STUDENTS) < 0.45, rng.random(STUDENTS) < 0.12
    logit = -0.9 + 0.5 * baseline - 0.3 * meals
    arm = (rng.random(STUDENTS) < 1 / (1 + np.exp(-logit))).astype(int)
    score = 0.7 * baseline - 0.2 * meals - 0.1 * learner + EFFECT * arm + rng.normal(scale=0.7, size=STUDENTS)
    score += rng.normal(scale=0.3, size=SCHOOLS)[school]
    frame = pd.DataFrame(
        {"school": school, "grade": rng.integers(3, 9, STUDENTS), "baseline": baseline, "arm": arm, "score": score}
    )
    frame["meals"], frame["learner"] = np.where(meals, "free", "paid"), np.where(learner, "yes", "no")
    frame["attendance"], frame["minutes"] = rng.beta(20, 2, STUDENTS), arm * rng.exponential(300, STUDENTS)
    return frame


def plan(**changes: object) -> StudyPlan:
    given = {
        "question": "Does the tool make a difference?",
        "tool": "the tool",
        "design": "matched",
        "outcomes": [{"name": "the score", "columns": ["score"]}],
        "treatment": {"column": "arm", "dose": "minutes"},
        "meaningful_effect": 0.05,
        "baseline": ["baseline"],
        "covariates": ["meals", "learner", "attendance"],
        "cluster": "school",
        "matching": {"exact": ["school", "grade"]},
        "subgroups": ["meals", "learner"],
    }
    return StudyPlan.model_validate(given | changes)


def by_hand(study: StudyPlan, table: StudyTable, outcome: str) -> tuple[Any, float]:
    """A plain script's regression of the same matched rows, clustered by school, and its seconds."""
    rows, _ = sample(study, eligible(study, table), study.outcomes[0])
    result = estimate(study, rows)
    matched, cell = table.frame.iloc[result.sample.row], result.sample.exact
    began = time.monotonic()
    causes = [study.treatment.column, *study.baseline, *study.covariates]
    x = pd.get_dummies(matched[causes], drop_first=True).astype(float)
    inside = x - x.groupby(cell).transform("mean")
    y = matched[outcome] - matched[outcome].groupby(cell).transform("mean")
    fitted = sm.OLS(y, inside).fit(cov_type="cluster", cov_kwds={"groups": matched["school"].to_numpy()})
    return fitted, time.monotonic() - began


def main() -> None:
    frame = district()
    table = StudyTable(frame, "drawn")
    began = time.monotonic()
    found = run_study(
        plan(), table, told=lambda step: print(f"  {time.monotonic() - began:5.1f} s  {step}", file=sys.stderr)
    )
    few = {
        "population": [{"column": "school", "at_most": 35}],
        "matching": {"exact": ["school"]},
        "bootstrap_draws": 9999,
    }
    run_study(plan(**few), table)
    ours = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20

    theirs, plain = by_hand(plan(), table, "score")
    main_ = found.outcomes[0].main
    print(f"{machine()}\n")
    print(f"{STUDENTS:,} students, {SCHOOLS} schools")
    print(f"whole study with bootstrap {ours:.1f} s (goal {SECONDS}), peak {peak:.2f} GB (goal {GIGABYTES})")
    print(f"its main estimate {main_.effect:.4f} (CR2 {main_.se:.4f}, df {main_.df:.0f}); planted {EFFECT}")
    print(f"that estimate alone by statsmodels {plain:.1f} s: {theirs.params['arm']:.4f} (CR1 {theirs.bse['arm']:.4f})")
    sys.exit(ours > SECONDS or peak > GIGABYTES)


if __name__ == "__main__":
    main()
