"""Gates at their limits."""

from __future__ import annotations

import numpy as np
import pytest
from studies import plan, table, world

from uptake.evidence.gates import Gate
from uptake.evidence.run import run_study


def gates(frame, **changes) -> dict[str, Gate]:
    return {gate.name: gate for gate in run_study(plan(**changes), table(frame)).outcomes[0].gates}


@pytest.mark.parametrize(
    ("gap", "status"), [(0.04, "passed"), (0.07, "adjusted"), (0.23, "adjusted"), (0.27, "failed")]
)
def test_baseline_equivalence(gap: float, status: str):
    frame = world(by_school=False, schools=100, seed=1)
    alike = frame["baseline"] - frame.groupby("arm")["baseline"].transform("mean")
    frame["baseline"] = alike / alike.std() + gap * frame["arm"]
    gate = gates(frame, design="regression", baseline=["baseline"])["baseline"]
    assert gate.status == status
    assert gate.figure == pytest.approx(gap, abs=0.01)


def test_a_comparison_without_a_baseline_shows_nothing():
    frame = world(by_school=False)
    assert gates(frame, design="regression", covariates=["grade"])["baseline"].status == "failed"
    assert gates(frame)["baseline"].status == "not_applicable"


@pytest.mark.parametrize(("one", "other", "status"), [(5, 5, "passed"), (12, 4, "adjusted"), (30, 10, "failed")])
def test_attrition(one: int, other: int, status: str):
    """Percent lost in each arm: against the table's differential at their overall loss."""
    frame = world(by_school=False, schools=100, seed=2).sort_values("arm", ignore_index=True)
    place = frame.groupby("arm").cumcount() * 100 // frame.groupby("arm")["arm"].transform("size")
    frame.loc[place < np.where(frame["arm"] == 1, one, other), "score"] = np.nan
    gate = gates(frame)["attrition"]
    assert gate.status == status
    assert gate.figure == pytest.approx(one - other, abs=0.3)


def test_a_site_alone_in_its_arm_fails_and_two_pass():
    frame = world(schools=30, seed=3)
    for treated, status in ((1, "failed"), (2, "passed")):
        frame["arm"] = (frame["school"] < treated).astype(int)
        gate = gates(frame, cluster="school", design="regression", baseline=["baseline"])["sites"]
        assert (gate.figure, gate.status) == (treated, status)


def test_whole_sites_taken_for_single_students_are_found():
    frame = world(seed=4)
    assert gates(frame, site="school")["unit"].status == "failed"
    assert "unit" not in gates(frame, cluster="school")
    assert "unit" not in gates(world(by_school=False, seed=4), site="school")


def test_few_clusters_and_fewer():
    assert gates(world(schools=4), cluster="school")["clusters"].status == "failed"
    assert gates(world(schools=20), cluster="school")["clusters"].status == "adjusted"
    assert gates(world(schools=60), cluster="school")["clusters"].status == "passed"


def test_lots_are_believed_but_for_the_incredible():
    believed = [gates(world(by_school=False, seed=seed), baseline=["baseline"])["lots"].status for seed in range(20)]
    assert set(believed) == {"passed"}
    chosen = world(by_school=False, selection=0.5, seed=5)
    assert gates(chosen, baseline=["baseline"])["lots"].status == "failed"
