"""Least squares for one coefficient, with cluster-robust spread from cross-products of whole clusters.

Every design of this package ends in one weighted linear regression whose last column is the treatment. Blocks (school
or pair fixed effects) are absorbed by centring on their means. After a QR decomposition of the centred columns, all
that the robust estimators need of a cluster g is S_g = F_g'F_g and t_g = F_g'e_g, where F_g F_g' is the cluster's
diagonal part of the hat matrix (absorbed blocks included). No matrix as large as a cluster is ever formed, so
300,000 rows in 500 clusters take about a second.

Sources: HC2/HC3, MacKinnon & White 1985. CR2 ("bias-reduced linearization") and the Satterthwaite degrees of freedom:
Bell & McCaffrey 2002; Pustejovsky & Tipton 2018, doi 10.1080/07350015.2016.1247004, with the identity as working
model. CR3 as cluster jackknife and the restricted wild cluster bootstrap: MacKinnon, Nielsen & Webb 2023,
doi 10.1016/j.jeconom.2022.04.001; six-point weights: Webb 2014.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from scipy import sparse
from scipy.optimize import brentq

from uptake.errors import PermanentError

Variance = Literal["HC1", "HC2", "HC3", "CR1", "CR2", "CR3"]
POWER = {"0": 0.0, "1": 0.0, "2": 0.5, "3": 1.0}  # of 1 / (1 - leverage) that the residual is multiplied with
COLLINEAR = 1e-9  # of a column's own length: what is left of it after the columns before it
ROUNDING = 1e-12  # of the outcome's own size: residuals below it are what is left of its last digits
ONE = 1 - 1e-9  # an eigenvalue of a cluster's leverage that is 1: the cluster alone decides that direction
FEW_CLUSTERS = 40
AT_ONCE = 4_000_000  # numbers of one batch of clusters


@dataclass(frozen=True, slots=True)
class Spread:
    """Standard error and degrees of freedom of the coefficient, and how they were found.

    NaN and 0 where nothing is left to tell how much the estimate would vary, as with one cluster in an arm.
    """

    se: float
    df: float
    variance: Variance

    @property
    def is_known(self) -> bool:
        return self.df > 0


@dataclass(frozen=True)
class Fit:
    """A weighted regression of each outcome (n, m) on k columns, treatment last, within absorbed blocks.

    z: (n, k) orthonormal columns of the centred, weighted design · residual: (n, m), weighted likewise · r: what is
    left of the treatment column after the others, its length · block_row: (n,) sqrt(weight / weight of the block), the
    absorbed blocks' own part of the leverage · n_blocks: blocks absorbed, 0 with an intercept among the k columns ·
    size: (m,) root mean square of the outcomes as they were given.
    """

    estimate: np.ndarray
    z: np.ndarray
    residual: np.ndarray
    r: float
    cluster: np.ndarray | None
    block: np.ndarray | None
    block_row: np.ndarray | None
    n_blocks: int
    kept: tuple[int, ...]
    size: np.ndarray

    @property
    def n(self) -> int:
        return len(self.z)

    @property
    def columns(self) -> int:
        return self.z.shape[1] + self.n_blocks

    @property
    def treatment(self) -> np.ndarray:
        """(n,) what of the treatment the other columns and the blocks do not explain, weighted."""
        return self.z[:, -1] * self.r

    @cached_property
    def _groups(self) -> Groups | None:
        return None if self.cluster is None else self.groups(self.cluster)

    def groups(self, codes: np.ndarray) -> Groups:
        """Cross-products by any grouping of the rows: the clusters, or schools to leave out one by one."""
        return Groups.of(self, codes)

    @property
    def n_clusters(self) -> int:
        return self.n if self._groups is None else self._groups.count

    def spread(self, variance: Variance | None = None, outcome: int = 0) -> Spread:
        """CR2 with Satterthwaite degrees of freedom where there are clusters, HC2 likewise where there are none."""
        kind = variance or ("HC2" if self.cluster is None else "CR2")
        if kind.startswith("CR") != (self.cluster is not None):
            raise PermanentError(f"variance {kind} does not fit", remedy="CR1-CR3 need a cluster; HC1-HC3 none.")
        if self.n <= self.columns or self.n_clusters < 2 or self.is_exact(outcome):
            return Spread(float("nan"), 0.0, kind)
        se, df = float(np.sqrt(self.covariance(kind)[outcome, outcome])), self._df(kind)
        # A spread of nothing but rounding is none: each arm was told by its own clusters completely.
        size = float(np.sqrt(np.mean(self.residual[:, outcome] ** 2)))
        is_known = np.isfinite(se) and se * self.r > 1e-8 * size and np.isfinite(df) and df > 0
        return Spread(se, df, kind) if is_known else Spread(float("nan"), 0.0, kind)

    def is_exact(self, outcome: int = 0) -> bool:
        """Nothing of the outcome is left over but its rounding: it never varies, or the columns tell it wholly."""
        return bool(np.sqrt(np.mean(self.residual[:, outcome] ** 2)) <= ROUNDING * self.size[outcome])

    def covariance(self, kind: Variance) -> np.ndarray:
        """(m, m) covariance of the coefficient between outcomes."""
        power, g = POWER[kind[-1]], self.n_clusters
        scores = self._scores(power)
        scale = 1.0
        if kind == "HC1":
            scale = self.n / (self.n - self.columns)
        elif kind == "CR1":
            # As Stata and statsmodels count: absorbed blocks are columns like others.
            scale = g / (g - 1) * (self.n - 1) / (self.n - self.columns)
        elif kind == "CR3":
            scale = (g - 1) / g
        return scale * scores.T @ scores / self.r**2

    def without_each(self, groups: Groups, outcome: int = 0) -> np.ndarray:
        """(groups,) the estimate after leaving out each group: exact, from the full fit (the jackknife's identity)."""
        return self.estimate[outcome] - groups.scores(1.0)[:, outcome] / self.r

    def _scores(self, power: float) -> np.ndarray:
        if self._groups is not None:
            return self._groups.scores(power)
        return self._widened(power)[:, None] * self.residual

    def _leverage(self) -> np.ndarray:
        own = np.einsum("ij,ij->i", self.z, self.z)
        return own if self.block_row is None else own + self.block_row**2

    def _widened(self, power: float) -> np.ndarray:
        """(n,) the treatment's column times (1 - leverage)^-power; 0 for a row that decides its own value."""
        rest = 1 - self._leverage()
        alone = rest < 1 - ONE
        return np.where(alone, 0.0, self.z[:, -1] / np.where(alone, 1.0, rest) ** power)

    def _df(self, kind: Variance) -> float:
        if kind == "HC1":
            return float(self.n - self.columns)
        if kind == "CR1":
            return float(self.n_clusters - 1)
        power = POWER[kind[-1]]
        if self._groups is not None:
            own, shared = self._groups.projections(power)
        else:
            u = self._widened(power)
            own = u**2
            shared = sparse.csr_array(self.z * u[:, None])
            if self.block is not None and self.block_row is not None:
                place = (np.arange(self.n), self.block)
                shared = sparse.hstack([shared, sparse.csr_array((self.block_row * u, place))]).tocsr()
        return satterthwaite(own, shared)


def satterthwaite(own: np.ndarray, shared: sparse.csr_array) -> float:
    """Degrees of freedom of sum_g (p_g'e)^2 under independent errors of equal spread: (tr G)^2 / tr(G^2).

    G = diag(own) - V V', with own (g,) = |u_g|^2 and V (g, columns) = u_g'F_g (Pustejovsky & Tipton 2018, eq. 11).
    """
    length = np.asarray(shared.multiply(shared).sum(axis=1)).ravel()
    diagonal = own - length
    cross = sparse.linalg.norm(shared.T @ shared) ** 2  # = sum over g, h of (V V')_gh squared
    squares = float((diagonal**2).sum() - (length**2).sum() + cross)
    return float(diagonal.sum() ** 2 / squares) if squares > 0 else 0.0


@dataclass(frozen=True)
class Batch:
    """Groups of one size that share as many blocks: places (c,) of them among all groups · leverage S_g (c, j, j) ·
    score t_g (c, j, m) · shared (c, j - k): ids of the shared blocks, one for each column after Z."""

    places: np.ndarray
    leverage: np.ndarray
    score: np.ndarray
    shared: np.ndarray

    @cached_property
    def _eigen(self) -> tuple[np.ndarray, np.ndarray]:
        value, vector = np.linalg.eigh(self.leverage)
        return value, vector

    def inverse(self, power: float) -> np.ndarray:
        """C (c, j, j) with (I - FF')^-power = I + F C F'; a direction of leverage 1 gets 0 (Moore-Penrose)."""
        value, vector = self._eigen
        alone, none = value > ONE, value < 1e-12
        kept = np.where(alone | none, 0.5, value)
        c = np.where(alone, -1.0, np.where(none, power, ((1 - kept) ** -power - 1) / kept))
        return np.asarray((vector * c[:, None, :]) @ np.swapaxes(vector, 1, 2))


@dataclass(frozen=True)
class Groups:
    """Cross-products of each group of rows with the columns F_g = [Z_g, blocks that the group shares with others].

    A block inside one group is orthogonal to Z there and drops out of everything below (Pustejovsky & Tipton 2018,
    theorem 2). Groups of one size are worked on at once: a study has few sizes, however many pairs or classes.
    """

    batches: list[Batch]
    count: int
    k: int
    n_shared: int

    @classmethod
    def of(cls, fit: Fit, codes: np.ndarray) -> Groups:
        order = np.argsort(codes, kind="stable")
        start = np.r_[0, np.flatnonzero(np.diff(codes[order])) + 1]
        size = np.diff(np.r_[start, len(order)])
        z, residual = fit.z[order], fit.residual[order]
        group = np.repeat(np.arange(len(start)), size)
        blocks = _SharedBlocks.of(fit, order, group)
        batches = []
        kinds, kind = np.unique(np.stack([size, blocks.per_group]), axis=1, return_inverse=True)
        for i, (rows_each, shared_each) in enumerate(kinds.T.tolist()):
            members = np.flatnonzero(kind == i)
            at_once = max(1, AT_ONCE // (rows_each * (z.shape[1] + shared_each)))
            for places in np.split(members, range(at_once, len(members), at_once)):
                rows = start[places][:, None] + np.arange(rows_each)
                f = z[rows]
                if shared_each:
                    f = np.concatenate([f, blocks.columns(rows, shared_each)], axis=2)
                across = np.swapaxes(f, 1, 2)
                shared = blocks.ids(places, shared_each)
                batches.append(Batch(places, across @ f, across @ residual[rows], shared))
        return cls(batches, len(start), z.shape[1], blocks.count)

    def scores(self, power: float) -> np.ndarray:
        """(g, m): z'(I - H_gg)^-power e for the treatment's column z, in each group."""
        last = self.k - 1
        found = np.empty((self.count, self.batches[0].score.shape[2]))
        for batch in self.batches:
            own = batch.score[:, last]
            if power > 0:
                pulled = batch.leverage[:, last, None, :] @ batch.inverse(power) @ batch.score
                own = own + pulled[:, 0]
            found[batch.places] = own
        return found

    def projections(self, power: float) -> tuple[np.ndarray, sparse.csr_array]:
        """own (g,) and shared (g, columns) for `satterthwaite`."""
        own, rows = np.empty(self.count), []
        last = self.k - 1
        for batch in self.batches:
            q = batch.leverage[:, :, last, None]
            twice = np.swapaxes(q, 1, 2) @ batch.inverse(2 * power) @ q
            own[batch.places] = batch.leverage[:, last, last] + twice[:, 0, 0]
            rows.append((q + batch.leverage @ batch.inverse(power) @ q)[:, :, 0])
        return own, self._sparse(rows)

    def own_leverage(self) -> np.ndarray:
        """(g,) z'z of the treatment's column in each group."""
        found = np.empty(self.count)
        for batch in self.batches:
            found[batch.places] = batch.leverage[:, self.k - 1, self.k - 1]
        return found

    def with_treatment(self) -> sparse.csr_array:
        """(g, columns): F_g'z for the treatment's column z."""
        return self._sparse([batch.leverage[:, :, self.k - 1] for batch in self.batches])

    def with_residual(self, outcome: int) -> sparse.csr_array:
        """(g, columns): F_g'e."""
        return self._sparse([batch.score[:, :, outcome] for batch in self.batches])

    def _sparse(self, rows: list[np.ndarray]) -> sparse.csr_array:
        places, columns = [], []
        for batch in self.batches:
            c, j = batch.leverage.shape[:2]
            places.append(np.repeat(batch.places, j))
            own = np.broadcast_to(np.arange(self.k), (c, self.k))
            columns.append(np.hstack([own, self.k + batch.shared]).ravel())
        values = np.concatenate([row.ravel() for row in rows])
        shape = (self.count, self.k + self.n_shared)
        return sparse.csr_array((values, (np.concatenate(places), np.concatenate(columns))), shape=shape)


@dataclass(frozen=True)
class _SharedBlocks:
    """Absorbed blocks with rows in several groups. For each sorted row: rank (n,) of its block among those that its
    group shares, -1 in a block of its own group; height (n,) in that block's column. pairs: ids of each group's blocks,
    group after group, of which `first` (g,) is where a group's begin and `per_group` (g,) how many they are."""

    rank: np.ndarray
    height: np.ndarray
    pairs: np.ndarray
    first: np.ndarray
    per_group: np.ndarray
    count: int

    @classmethod
    def of(cls, fit: Fit, order: np.ndarray, group: np.ndarray) -> _SharedBlocks:
        n, groups = len(group), int(group[-1]) + 1
        if fit.block is None or fit.block_row is None:
            none = np.zeros(groups, dtype=np.int64)
            return cls(np.full(n, -1), np.zeros(n), np.zeros(0, dtype=np.int64), none, none, 0)
        block = fit.block[order]
        low, high = np.full(fit.n_blocks, groups), np.full(fit.n_blocks, -1)
        np.minimum.at(low, block, group)
        np.maximum.at(high, block, group)
        is_shared = low < high
        number = np.cumsum(is_shared) - 1
        inside = np.flatnonzero(is_shared[block])
        meeting = group[inside] * fit.n_blocks + block[inside]
        meetings = np.unique(meeting)
        per_group = np.bincount(meetings // fit.n_blocks, minlength=groups)
        first = np.cumsum(per_group) - per_group
        rank = np.full(n, -1)
        rank[inside] = np.searchsorted(meetings, meeting) - first[group[inside]]
        return cls(rank, fit.block_row[order], number[meetings % fit.n_blocks], first, per_group, int(is_shared.sum()))

    def columns(self, rows: np.ndarray, width: int) -> np.ndarray:
        """(c, rows each, width): the groups' columns of the shared blocks."""
        return np.where(self.rank[rows][:, :, None] == np.arange(width), self.height[rows][:, :, None], 0.0)

    def ids(self, places: np.ndarray, width: int) -> np.ndarray:
        """(c, width): which blocks those are."""
        return np.asarray(self.pairs[self.first[places][:, None] + np.arange(width)], dtype=np.int64)


def fit(
    outcome: np.ndarray,
    treatment: np.ndarray,
    covariates: np.ndarray | None = None,
    *,
    block: np.ndarray | None = None,
    cluster: np.ndarray | None = None,
    weight: np.ndarray | None = None,
) -> Fit:
    """Regress `outcome` (n,) or (n, m) on `treatment` (n,), `covariates` (n, p) and block means (or an intercept).

    block, cluster: integer codes 0..; weight: positive. Covariates that say nothing new are left out. Raises
    PermanentError when nothing of the treatment is left beside the covariates and blocks.
    """
    y = outcome.reshape(len(outcome), -1).astype(float)
    root = np.ones(len(y)) if weight is None else np.sqrt(weight / weight.mean())
    size = np.sqrt(np.mean((y * root[:, None]) ** 2, axis=0))
    columns = [treatment.astype(float)[:, None]] if covariates is None else [covariates, treatment[:, None]]
    block_row, n_blocks = None, 0
    if block is None:
        x = np.hstack([np.ones((len(y), 1)), *columns]) * root[:, None]
        y = y * root[:, None]
    else:
        n_blocks = int(block.max()) + 1
        total = np.bincount(block, root**2, minlength=n_blocks)
        block_row = root / np.sqrt(total[block])
        x = _centred(np.hstack(columns), block, root, total)
        y = _centred(y, block, root, total)
    z, r, kept = _orthonormal(x, np.hstack(columns) if block is not None else x)
    along = z.T @ y
    return Fit(
        estimate=along[-1] / r,
        z=z,
        residual=y - z @ along,
        r=r,
        cluster=cluster,
        block=block,
        block_row=block_row,
        n_blocks=n_blocks,
        kept=kept,
        size=size,
    )


def _centred(columns: np.ndarray, block: np.ndarray, root: np.ndarray, total: np.ndarray) -> np.ndarray:
    means = np.stack([np.bincount(block, c * root**2, minlength=len(total)) / total for c in columns.T], axis=1)
    return (columns - means[block]) * root[:, None]


def centred_on_blocks(columns: np.ndarray, block: np.ndarray | None, weight: np.ndarray | None) -> np.ndarray:
    """(n, j) minus the mean of the block (of all rows without one), times the root of the weight."""
    root = np.ones(len(columns)) if weight is None else np.sqrt(weight / weight.mean())
    codes = np.zeros(len(columns), dtype=np.int64) if block is None else block
    return _centred(columns, codes, root, np.bincount(codes, root**2))


def independent(x: np.ndarray) -> np.ndarray:
    """Orthonormal columns that span the columns of x, without those that the ones before them already say."""
    size = np.sqrt(np.einsum("ij,ij->j", x, x))
    size[size == 0] = 1.0
    left = np.abs(np.diag(np.linalg.qr(x / size, mode="r")))
    kept = np.flatnonzero(left > COLLINEAR)
    return np.asarray(np.linalg.qr(x[:, kept] / size[kept])[0])


def _orthonormal(x: np.ndarray, raw: np.ndarray) -> tuple[np.ndarray, float, tuple[int, ...]]:
    """Orthonormal columns, the last one's length beside the others, and which columns were kept."""
    size = np.sqrt(np.einsum("ij,ij->j", raw, raw))
    size[size == 0] = 1.0
    q, upper = np.linalg.qr(x / size)
    left = np.abs(np.diag(upper))
    kept = np.flatnonzero(left > COLLINEAR)
    last = x.shape[1] - 1
    if not len(kept) or kept[-1] != last:
        raise PermanentError(
            "nothing of the treatment is left beside the covariates and blocks",
            remedy="each block needs both arms somewhere, and no covariate may tell the arms apart completely.",
        )
    if len(kept) < x.shape[1]:
        q, upper = np.linalg.qr(x[:, kept] / size[kept])
    sign = np.sign(upper[-1, -1])
    q[:, -1] *= sign
    return q, float(abs(upper[-1, -1]) * size[last]), tuple(kept.tolist())


@dataclass(frozen=True, slots=True)
class WildBootstrap:
    """p: of no effect · low, high: 95 % interval by inverting the test; infinite where the draws cannot bound it."""

    p: float
    low: float
    high: float
    draws: int


def wild_bootstrap(
    of: Fit,
    *,
    draws: int = 1999,
    seed: int = 0,
    confidence: float = 0.95,
    outcome: int = 0,
    with_interval: bool = True,
) -> WildBootstrap:
    """Restricted wild cluster bootstrap-t (WCR, CV1) of the coefficient, with Webb's six-point weights.

    The regression is never run again: the draws act on the cross-products of the clusters (MacKinnon 2023, "Fast
    cluster bootstrap methods for linear regression models", doi 10.1016/j.ecosta.2021.11.009).
    """
    groups = of.groups(of.cluster) if of.cluster is not None else None
    if groups is None:
        raise PermanentError("the wild cluster bootstrap needs a cluster", remedy="name the cluster in the plan.")
    rng = np.random.default_rng(seed)
    six = np.sqrt([0.5, 1.0, 1.5])
    v = rng.choice(np.r_[-six, six], size=(draws, groups.count))
    # Residuals of the restricted regression at b0: e + (estimate - b0) * treatment's own part, so everything is linear.
    q, base = groups.with_treatment(), groups.with_residual(outcome)
    own, score = groups.own_leverage() * of.r, groups.scores(0.0)[:, outcome]
    estimate = float(of.estimate[outcome])

    def pieces(own_scores: np.ndarray, rows: sparse.csr_array) -> tuple[np.ndarray, np.ndarray]:
        total = (rows.T @ v.T).T  # (draws, columns): F'u*, what the design explains of the drawn outcome
        return v @ own_scores, v * own_scores - np.asarray((q @ total.T).T)

    top_e, spread_e = pieces(score, base)
    top_t, spread_t = pieces(own, q * of.r)

    def p_of(b0: float) -> float:
        shift = estimate - b0
        drawn = np.abs(top_e + shift * top_t) / np.sqrt(np.sum((spread_e + shift * spread_t) ** 2, axis=1))
        seen = abs(shift) * of.r / np.sqrt(np.sum(score**2))
        return float(np.mean(drawn >= seen))

    alpha = 1 - confidence
    step = float(np.sqrt(np.sum(score**2))) / of.r

    def bound(side: int) -> float:
        reach = 2.0
        while p_of(estimate + side * reach * step) > alpha:
            reach *= 2
            if reach > 256:
                return side * np.inf
        return float(brentq(lambda b: p_of(b) - alpha, estimate, estimate + side * reach * step, xtol=step * 1e-3))

    if not with_interval:
        return WildBootstrap(p_of(0.0), -np.inf, np.inf, draws)
    return WildBootstrap(p_of(0.0), bound(-1), bound(1), draws)
