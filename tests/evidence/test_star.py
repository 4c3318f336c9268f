"""Project STAR: the figures that the literature and the data set's own documentation give, to their last digit."""

from __future__ import annotations

from pathlib import Path

import pytest
from studies import plan

from uptake.evidence.data import read_table
from uptake.evidence.run import Estimate, StudyResult, run_study


def study(star: Path, grade: str, arm: str = "small", *, columns=("read", "math"), within_schools=False, **changes):
    given = {
        "outcomes": [{"name": "score", "columns": [f"{column}{grade}" for column in columns]}],
        "treatment": {
            "column": f"star{grade}", "treated": arm, "comparison": "regular", "other_arms": "adjust",
        },
        "variance": "CR1" if within_schools else "HC1",
    }  # fmt: skip
    if within_schools:
        given |= {"block": [f"schoolid{grade}"], "cluster": f"schoolid{grade}"}
    return plan(**(given | changes))


def run(star: Path, *args, **kwargs) -> StudyResult:
    chosen = study(star, *args, **kwargs)
    return run_study(chosen, read_table(chosen, star))


def main(star: Path, *args, **kwargs) -> Estimate:
    return run(star, *args, **kwargs).outcomes[0].main


@pytest.mark.parametrize(("arm", "effect", "se"), [("small", 13.90, 2.45), ("regular+aide", 0.31, 2.27)])
def test_kindergarten(star: Path, arm: str, effect: float, se: float):
    found = main(star, "k", arm)
    assert round(found.effect, 2) == effect
    assert round(found.se, 2) == se
    assert round(found.mean_comparison, 2) == 918.04


@pytest.mark.parametrize(("arm", "effect", "se"), [("small", 16.02, 4.12), ("regular+aide", 1.70, 3.73)])
def test_kindergarten_within_schools(star: Path, arm: str, effect: float, se: float):
    found = main(star, "k", arm, within_schools=True)
    assert round(found.effect, 2) == effect
    assert round(found.se, 2) == se


def test_hedges_g_and_those_behind_it(star: Path):
    found = main(star, "k")
    assert (found.n_treated, found.n_comparison) == (1738, 2005)
    assert round(found.sd, 3) == 74.651
    assert round(found.g, 4) == 0.1861


@pytest.mark.parametrize(("columns", "effect", "g"), [(("read",), 5.82, 0.1837), (("math",), 8.08, 0.1669)])
def test_reading_and_mathematics(star: Path, columns: tuple[str, ...], effect: float, g: float):
    """Of those with both scores."""
    both = [{"column": "readk", "at_least": 0}, {"column": "mathk", "at_least": 0}]
    found = main(star, "k", columns=columns, population=both)
    assert round(found.effect, 2) == effect
    assert round(found.g, 4) == g


@pytest.mark.parametrize(("grade", "effect"), [("k", 13.90), ("1", 29.78), ("2", 19.39), ("3", 15.59)])
def test_every_grade(star: Path, grade: str, effect: float):
    assert round(main(star, grade).effect, 2) == effect


@pytest.mark.parametrize("grade", ["1", "2", "3"])
def test_every_grade_within_schools_is_as_statsmodels_has_it(star: Path, grade: str):
    import pandas as pd
    import statsmodels.formula.api as smf

    frame = pd.read_csv(star)
    frame["total"] = frame[f"read{grade}"] + frame[f"math{grade}"]
    frame = frame.rename(columns={f"star{grade}": "arm", f"schoolid{grade}": "school"}).dropna(
        subset=["total", "arm", "school"]
    )
    theirs = smf.ols("total ~ C(arm, Treatment('regular')) + C(school)", frame).fit(
        cov_type="cluster", cov_kwds={"groups": frame["school"]}
    )
    name = "C(arm, Treatment('regular'))[T.small]"
    found = main(star, grade, within_schools=True)
    assert found.effect == pytest.approx(theirs.params[name], rel=1e-9)
    assert found.se == pytest.approx(theirs.bse[name], rel=1e-9)


def test_what_the_study_says_of_it(star: Path):
    found = run(star, "k", within_schools=True, variance=None, meaningful_effect=0.1).outcomes[0]
    assert found.verdict.kind == "effect"
    assert found.verdict.tier == 1
    status = {gate.name: gate.status for gate in found.gates}
    assert status.pop("baseline") == "not_applicable"
    assert set(status.values()) == {"passed"}
    assert {"students", "sites", "clusters", "attrition"} == set(status)
    assert found.main.variance == "CR2"
    assert found.main.df < 78, "school means differ in what they weigh"
    assert found.sensitivity.without_one_site_low < found.main.effect < found.sensitivity.without_one_site_high
