"""Small studies with a known answer."""

from __future__ import annotations

import numpy as np
import pandas as pd

from uptake.evidence.data import StudyTable
from uptake.evidence.plan import StudyPlan

MARTS = {
    "district": "maple",
    "category": "Assessment",
    "course": "^Math",
    "baseline": {"starts_on": "2025-09-01", "ends_on": "2025-09-30"},
    "outcome": {"starts_on": "2026-04-01", "ends_on": "2026-04-30"},
    "use": {"tool": "mathgym", "starts_on": "2025-09-01", "ends_on": "2026-03-31"},
}


def plan(**changes) -> StudyPlan:
    given = {
        "question": "Does the tool raise the score?",
        "tool": "Numbers",
        "design": "randomised",
        "outcomes": [{"name": "the score", "columns": ["score"]}],
        "treatment": {"column": "arm"},
        "meaningful_effect": 0.2,
    }
    return StudyPlan.model_validate(given | changes)


def world(
    *,
    schools: int = 60,
    students: int = 30,
    effect: float = 0.0,
    icc: float = 0.1,
    by_school: bool = True,
    selection: float = 0.0,
    seed: int = 0,
) -> pd.DataFrame:
    """One row for each student: baseline and score in SD, arm by school or by student; `selection` makes the stronger
    ones choose it."""
    rng = np.random.default_rng(seed)
    n = schools * students
    school = np.repeat(np.arange(schools), students)
    baseline = rng.normal(size=n) + rng.normal(scale=np.sqrt(icc), size=schools)[school]
    if by_school:
        arm = rng.permutation(np.arange(schools) % 2)[school]
    else:
        arm = (rng.random(n) < 1 / (1 + np.exp(-selection * baseline))).astype(int)
    score = 0.7 * baseline + np.sqrt(0.51) * rng.normal(size=n) + effect * arm
    score = score + rng.normal(scale=np.sqrt(icc), size=schools)[school]
    grade = rng.integers(3, 6, n)
    return pd.DataFrame({"school": school, "grade": grade, "baseline": baseline, "arm": arm, "score": score})


def table(frame: pd.DataFrame) -> StudyTable:
    return StudyTable(frame, "test")
