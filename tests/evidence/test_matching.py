"""Matching: nearest first, each comparison row once, never across cells nor beyond the caliper."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from uptake.errors import PermanentError
from uptake.evidence.matching import balancing_weights, coordinates, match, propensity_logit
from uptake.evidence.plan import Matching


def one_by_one(t: np.ndarray, at: np.ndarray, cell: np.ndarray, caliper: float) -> list:
    """The rule in its plainest form: the closest pair of all, then the next closest among the free."""
    pairs = sorted(
        (abs(at[i] - at[j]), i, j)
        for i in np.flatnonzero(t == 1)
        for j in np.flatnonzero(t == 0)
        if cell[i] == cell[j] and abs(at[i] - at[j]) <= caliper
    )
    used: set[int] = set()
    found = []
    for distance, i, j in pairs:
        if i not in used and j not in used:
            used |= {i, j}
            found.append((i, j, distance))
    return found


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(5, 60), st.sampled_from([0.1, 0.5, 2.0]))
@example(2629, 42, 2.0)  # a comparison row that the closest treated one asks for only when its first five are gone
def test_pairs_are_those_of_going_through_all_pairs_in_order(seed: int, n: int, caliper: float):
    rng = np.random.default_rng(seed)
    t = (rng.random(n) < 0.4).astype(float)
    at, cell = rng.normal(size=n), rng.integers(0, 3, n)
    expected = one_by_one(t, at, cell, caliper)
    if not expected:
        with pytest.raises(PermanentError, match="comparable"):
            match(t, at[:, None], Matching(), cell, 0, caliper)
        return
    found = match(t, at[:, None], Matching(), cell, 0, caliper)
    assert {tuple(pair) for pair in found.pairs.tolist()} == {(i, j) for i, j, _ in expected}


def test_ties_do_not_slow_it_down_and_each_row_is_used_once():
    rng = np.random.default_rng(0)
    t = (rng.random(20_000) < 0.4).astype(float)
    at = rng.integers(0, 4, 20_000).astype(float)
    found = match(t, at[:, None], Matching(), None, 1, 0.5)
    assert len(found.pairs) > 0.99 * t.sum()
    assert len(np.unique(found.pairs[:, 0])) == len(np.unique(found.pairs[:, 1])) == len(found.pairs)
    assert (at[found.pairs[:, 0]] == at[found.pairs[:, 1]]).all()


def test_with_replacement_each_takes_its_nearest():
    rng = np.random.default_rng(2)
    t, at = (rng.random(300) < 0.5).astype(float), rng.normal(size=300)
    found = match(t, at[:, None], Matching(with_replacement=True, neighbours=3), None, 0, None)
    others = np.flatnonzero(t == 0)
    for i in np.flatnonzero(t == 1)[:20]:
        nearest = others[np.argsort(np.abs(at[others] - at[i]))[:3]]
        assert set(found.pairs[found.pairs[:, 0] == i, 1]) == set(nearest)
    assert found.weight[t == 1].sum() == pytest.approx(found.weight[t == 0].sum())


def test_two_neighbours_weigh_as_much_as_the_treated_they_serve():
    rng = np.random.default_rng(3)
    t, at = (rng.random(400) < 0.2).astype(float), rng.normal(size=400)
    found = match(t, at[:, None], Matching(neighbours=2), None, 0, 0.3)
    assert np.bincount(found.pairs[:, 0]).max() == 2
    assert np.bincount(found.pairs[:, 1]).max() == 1
    assert found.weight[t == 1].sum() == pytest.approx(found.weight[t == 0].sum())


def test_the_order_of_the_rows_does_not_matter():
    rng = np.random.default_rng(4)
    t, x = (rng.random(500) < 0.3).astype(float), rng.normal(size=(500, 2))
    order = rng.permutation(500)

    def pairs(t: np.ndarray, x: np.ndarray) -> set[tuple[int, int]]:
        at = coordinates("mahalanobis", t, x, np.zeros(len(t)))
        return {tuple(pair) for pair in match(t, at, Matching(method="mahalanobis"), None, 0, 0.5).pairs.tolist()}

    again = {(int(order[i]), int(order[j])) for i, j in pairs(t[order], x[order])}
    assert pairs(t, x) == again


def test_straight_distance_between_coordinates_is_the_mahalanobis_distance():
    rng = np.random.default_rng(5)
    t, x = (rng.random(200) < 0.5).astype(float), rng.normal(size=(200, 3)) @ rng.normal(size=(3, 3))
    at = coordinates("mahalanobis", t, x, np.zeros(200))
    centred = np.vstack([x[t == 1] - x[t == 1].mean(axis=0), x[t == 0] - x[t == 0].mean(axis=0)])
    inverse = np.linalg.inv(centred.T @ centred / 198)
    gap = x[0] - x[1]
    assert np.sum((at[0] - at[1]) ** 2) == pytest.approx(gap @ inverse @ gap)


def test_propensity_is_the_logistic_regression():
    rng = np.random.default_rng(6)
    x = rng.normal(size=(20_000, 2))
    truth = -0.5 + 0.8 * x[:, 0] - 0.3 * x[:, 1]
    t = (rng.random(20_000) < 1 / (1 + np.exp(-truth))).astype(float)
    assert np.corrcoef(propensity_logit(t, x, None), truth)[0, 1] > 0.999
    weight = balancing_weights(t, propensity_logit(t, x, None))
    for column in x.T:
        treated, others = column[t == 1].mean(), np.average(column[t == 0], weights=weight[t == 0])
        assert treated == pytest.approx(others, abs=0.03)


def test_a_difference_between_cells_is_not_taken_for_one_between_students():
    """Schools with high scores have the tool more often; inside a school it goes by lot."""
    rng = np.random.default_rng(7)
    cell = np.repeat(np.arange(40), 250)
    level = rng.uniform(-1, 1, size=40)
    x = (level[cell] + 0.3 * rng.normal(size=10_000))[:, None]
    t = (rng.random(10_000) < 1 / (1 + np.exp(-2 * level[cell]))).astype(float)
    logit = propensity_logit(t, x, cell)
    within = logit - (np.bincount(cell, logit) / 250)[cell]
    assert within.std() < 0.1
    assert np.corrcoef(logit, x[:, 0])[0, 1] > 0.8, "between cells the propensity is still known"
    assert np.isnan(propensity_logit(np.where(cell == 0, 1.0, t), x, cell)[cell == 0]).all()
