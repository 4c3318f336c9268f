"""The fast cluster algebra against the textbook formula on whole matrices, and against statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from uptake.errors import PermanentError
from uptake.evidence.linear import fit, wild_bootstrap

CASES = ["plain", "blocks of clusters", "blocks are clusters", "blocks across clusters", "weighted"]


class Data:
    def __init__(self, case: str, n: int = 180, clusters: int = 12, seed: int = 3) -> None:
        rng = np.random.default_rng([seed, CASES.index(case)])
        self.cluster = np.sort(rng.integers(0, clusters, n))
        self.block = {
            "plain": None,
            "blocks of clusters": self.cluster // 3,
            "blocks are clusters": self.cluster,
            "blocks across clusters": rng.integers(0, 5, n),
            "weighted": rng.integers(0, 5, n),
        }[case]
        is_whole = case in ("plain", "blocks of clusters")
        self.t = (self.cluster % 2 if is_whole else rng.integers(0, 2, n)).astype(float)
        self.x = rng.normal(size=(n, 3))
        self.weight = rng.uniform(0.5, 2, n) if case == "weighted" else np.ones(n)
        self.y = self.x @ [1, 0.5, 0] + 0.3 * self.t + rng.normal(size=n) + rng.normal(size=clusters)[self.cluster]

    def fit(self, **changes):
        given = {"block": self.block, "cluster": self.cluster, "weight": self.weight}
        return fit(self.y, self.t, self.x, **(given | changes))

    @property
    def dummies(self) -> np.ndarray:
        n = len(self.y)
        return np.ones((n, 1)) if self.block is None else np.eye(self.block.max() + 1)[self.block]

    def by_whole_matrices(self, kind: str, cluster: np.ndarray) -> tuple[float, float, float]:
        """Estimate, standard error and Satterthwaite df straight from the definitions, with n x n matrices."""
        root = np.sqrt(self.weight / self.weight.mean())[:, None]
        design = np.hstack([self.dummies, self.x, self.t[:, None]]) * root
        y = self.y * root[:, 0]
        bread = np.linalg.pinv(design.T @ design)
        beta = bread @ design.T @ y
        residual = y - design @ beta
        hat = design @ bread @ design.T
        rest = np.eye(len(y)) - hat
        power = {"1": 0.0, "2": 0.5, "3": 1.0}[kind[-1]]
        meat, pulled = 0.0, []
        for g in np.unique(cluster):
            rows = np.flatnonzero(cluster == g)
            value, vector = np.linalg.eigh(rest[np.ix_(rows, rows)])
            adjust = (vector * np.where(value > 1e-9, np.maximum(value, 1e-12) ** -power, 0)) @ vector.T
            if power == 0:
                adjust = np.eye(len(rows))
            u = adjust @ design[rows] @ bread[:, -1]
            meat += (u @ residual[rows]) ** 2
            pulled.append(rest[:, rows] @ u)
        g, n, k = len(np.unique(cluster)), len(y), np.linalg.matrix_rank(design)
        scale = {"HC1": n / (n - k), "CR1": g / (g - 1) * (n - 1) / (n - k), "CR3": (g - 1) / g}.get(kind, 1.0)
        gram = np.array(pulled) @ np.array(pulled).T
        return beta[-1], np.sqrt(scale * meat), np.trace(gram) ** 2 / np.sum(gram**2)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", ["CR1", "CR2", "CR3", "HC1", "HC2", "HC3"])
def test_spread_is_that_of_the_definition(case: str, kind: str):
    data = Data(case)
    is_clustered = kind.startswith("CR")
    of = data.fit(cluster=data.cluster if is_clustered else None)
    beta, se, df = data.by_whole_matrices(kind, data.cluster if is_clustered else np.arange(len(data.y)))
    found = of.spread(kind)
    assert of.estimate[0] == pytest.approx(beta, rel=1e-9)
    assert found.se == pytest.approx(se, rel=1e-8)
    if kind[-1] in "23":
        assert found.df == pytest.approx(df, rel=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_leaving_out_each_cluster_is_as_running_again_without_it(case: str):
    data = Data(case)
    of = data.fit()
    found = of.without_each(of.groups(data.cluster))
    for g in (0, 5):
        rest = data.cluster != g
        block = None if data.block is None else np.unique(data.block[rest], return_inverse=True)[1]
        again = fit(data.y[rest], data.t[rest], data.x[rest], block=block, weight=data.weight[rest])
        assert found[g] == pytest.approx(again.estimate[0], rel=1e-9)


def test_statsmodels_gives_the_same_where_it_has_the_estimator():
    data = Data("plain")
    design = sm.add_constant(np.column_stack([data.x, data.t]))
    for kind, options in (("HC1", {}), ("HC2", {}), ("HC3", {}), ("CR1", {"groups": data.cluster})):
        theirs = sm.OLS(data.y, design).fit(cov_type="cluster" if options else kind, cov_kwds=options)
        ours = data.fit(cluster=data.cluster if options else None)
        assert ours.estimate[0] == pytest.approx(theirs.params[-1])
        assert ours.spread(kind).se == pytest.approx(theirs.bse[-1])


@pytest.mark.parametrize("case", CASES)
def test_wild_bootstrap_is_as_running_the_regression_for_each_draw(case: str):
    data = Data(case)
    of = data.fit()
    found = wild_bootstrap(of, draws=199, seed=5)
    six = np.sqrt([0.5, 1.0, 1.5])
    draws = np.random.default_rng(5).choice(np.r_[-six, six], size=(199, 12))

    def t_of(y: np.ndarray) -> float:
        again = fit(y, data.t, data.x, block=data.block, cluster=data.cluster, weight=data.weight)
        return abs(again.estimate[0]) / again.spread("CR1").se

    root = np.sqrt(data.weight)[:, None]
    restricted = np.hstack([data.dummies, data.x])
    beta = np.linalg.lstsq(restricted * root, data.y * root[:, 0], rcond=None)[0]
    fitted, residual = restricted @ beta, data.y - restricted @ beta
    drawn = [t_of(fitted + residual * v[data.cluster]) for v in draws]
    assert found.p == pytest.approx(np.mean(np.array(drawn) >= t_of(data.y)))
    assert found.low < of.estimate[0] < found.high


def test_the_bootstrap_interval_ends_where_its_test_begins_to_reject():
    data = Data("plain")
    found = wild_bootstrap(data.fit(), draws=999, seed=1)
    for bound in (found.low, found.high):
        shifted = fit(data.y - bound * data.t, data.t, data.x, cluster=data.cluster)
        assert wild_bootstrap(shifted, draws=999, seed=1).p == pytest.approx(0.05, abs=0.006)


def test_a_covariate_that_says_nothing_new_changes_nothing():
    data = Data("blocks across clusters")
    once = data.fit()
    doubled = fit(
        data.y, data.t, np.column_stack([data.x, data.x[:, 0] * 2, np.ones(len(data.y))]), block=data.block,
        cluster=data.cluster, weight=data.weight,
    )  # fmt: skip
    assert doubled.estimate[0] == pytest.approx(once.estimate[0])
    assert doubled.columns == once.columns


def test_a_treatment_that_covariates_or_blocks_tell_completely_is_refused():
    data = Data("plain")
    with pytest.raises(PermanentError, match="nothing of the treatment is left"):
        fit(data.y, data.t, 2 * data.t[:, None] + 1)
    with pytest.raises(PermanentError, match="nothing of the treatment is left"):
        fit(data.y, data.t, block=data.cluster)


def test_balanced_clusters_have_the_degrees_of_freedom_of_their_means():
    """Equal clusters, whole clusters treated, no covariate: the test is that of two groups of cluster means."""
    cluster = np.repeat(np.arange(10), 7)
    of = fit(np.random.default_rng(0).normal(size=70), (cluster % 2).astype(float), cluster=cluster)
    assert of.spread("CR2").df == pytest.approx(8)
    means = of.residual[:, 0].reshape(10, 7).mean(axis=1)
    assert of.spread("CR2").se == pytest.approx(np.sqrt(np.sum(means**2) / 20))
