"""Comparable students: propensity, nearest neighbours within exact cells, and weights as the second opinion.

All cells are searched in one KD-tree, with the cell as a coordinate that keeps them apart: time grows with n log n.
Written here because scikit-learn's neighbours know neither exact cells nor matching without replacement.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import statsmodels.api as sm
from scipy.spatial import cKDTree
from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

from uptake.errors import PermanentError
from uptake.evidence.linear import independent
from uptake.evidence.plan import Matching

FIRST_CANDIDATES = 5
LARGE_CELL = 2_000  # comparison rows from which on a cell's order is that of each row's nearest candidates
MANY = 20_000  # rows from which a second thread is worth starting
TIE = 1e-7  # of a standard deviation: equal distances are drawn by lot, by the plan's seed
SURE = 12.0  # a logit beyond which a student's arm was certain: no comparison is like them


@dataclass(frozen=True)
class Matched:
    """pairs (m, 2): treated row, comparison row · weight (n,): 1 for a matched treated row, the comparison rows' shares
    (an average of 1 for each treated row that they serve), 0 for all others."""

    pairs: np.ndarray
    weight: np.ndarray

    @property
    def is_used(self) -> np.ndarray:
        return self.weight > 0


def propensity_logit(t: np.ndarray, x: np.ndarray, exact: np.ndarray | None) -> np.ndarray:
    """(n,) logit of the probability of treatment, by logistic regression.

    Within exact cells: covariates centred on their cell and the cell's own share of treated as offset, so that
    a difference between cells is not mistaken for one between students. NaN in a cell with one arm only.
    """
    offset = None
    logit = np.zeros(len(t))
    use = np.ones(len(t), dtype=bool)
    if exact is not None:
        size = np.bincount(exact).astype(float)
        share = np.bincount(exact, t) / size
        means = np.column_stack([np.bincount(exact, column) / size for column in x.T]) if x.shape[1] else None
        x = x - means[exact] if means is not None else x
        both = (share > 0) & (share < 1)
        use = both[exact]
        offset = np.log(np.where(both, share, 0.5) / (1 - np.where(both, share, 0.5)))[exact]
    logit[~use] = np.nan
    if not use.any():
        return logit
    # Orthonormal columns span what the covariates span, and none of them says what another said.
    design = independent(np.column_stack([np.ones(use.sum()), x[use]])) * np.sqrt(use.sum())
    with warnings.catch_warnings(), np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        # Complete separation is no accident of the fit but an answer: the overlap gate tells of it.
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        family = sm.families.Binomial()
        model = sm.GLM(t[use], design, family=family, offset=None if offset is None else offset[use])
        logit[use] = design @ model.fit(maxiter=50).params + (0 if offset is None else offset[use])
    return np.clip(logit, -50, 50)


def balancing_weights(t: np.ndarray, logit: np.ndarray) -> np.ndarray:
    """(n,) 1 for the treated, the odds of treatment for the others (average effect on the treated; Hirano, Imbens &
    Ridder 2003), 0 where the logit is unknown or certain."""
    known = np.isfinite(logit) & (np.abs(logit) < SURE)
    odds = np.exp(np.where(known, logit, 0.0))
    return np.where(known, np.where(t == 1, 1.0, odds), 0.0)


def coordinates(
    method: str, t: np.ndarray, x: np.ndarray, logit: np.ndarray, exact: np.ndarray | None = None
) -> np.ndarray:
    """(n, d) in standard deviations. propensity: the logit · mahalanobis: covariates whitened by their pooled
    covariance within the arms, so that straight distance between rows is the Mahalanobis distance."""
    if method == "propensity":
        known = np.isfinite(logit)
        if not ((known & (t == 1)).any() and (known & (t == 0)).any()):
            raise PermanentError("no cell has students of both arms", remedy="name fewer or larger `exact` columns.")
        spread = np.sqrt((logit[known & (t == 1)].var() + logit[known & (t == 0)].var()) / 2)
        return (logit / (spread if spread > 0 else 1.0))[:, None]
    centred = np.where(t[:, None] == 1, x - x[t == 1].mean(axis=0), x - x[t == 0].mean(axis=0))
    value, vector = np.linalg.eigh(centred.T @ centred / max(len(t) - 2, 1))
    kept = value > max(value.max() * 1e-10, 0.0)
    if not kept.any():
        raise PermanentError("no covariate differs between students", remedy="name one to match on.")
    whitened: np.ndarray = x @ (vector[:, kept] / np.sqrt(value[kept]))
    return whitened


def match(
    t: np.ndarray, at: np.ndarray, plan: Matching, exact: np.ndarray | None, seed: int, caliper: float | None
) -> Matched:
    """Nearest comparison rows of each treated row, by distance in `at` (n, d), within exact cells and the caliper.

    Without replacement the closest pair of all goes first, then the next closest among those still free: the order of
    the rows does not matter. Raises PermanentError when nobody can be matched.
    """
    rng = np.random.default_rng(seed)
    known = np.isfinite(at).all(axis=1)
    at = np.where(known[:, None], at, 0.0)
    at = at + TIE * rng.standard_normal(at.shape)
    spread = float(np.ptp(at, axis=0).max()) * np.sqrt(at.shape[1]) + 1.0
    reach = spread if caliper is None else caliper * np.sqrt(at.shape[1])
    cell = np.zeros(len(t)) if exact is None else exact * (2 * (spread + reach))
    points = np.column_stack([at, cell])
    treated, others = np.flatnonzero((t == 1) & known), np.flatnonzero((t == 0) & known)
    if plan.with_replacement:
        pairs = _with_replacement(points, treated, others, plan.neighbours, reach)
    else:
        found, free = [], others
        code = np.zeros(len(t), dtype=np.int64) if exact is None else exact
        for _ in range(plan.neighbours):
            found.append(_without_replacement(points, code, treated, free, reach))
            free = np.setdiff1d(free, found[-1][:, 1], assume_unique=True)
        pairs = np.concatenate(found)
    if not len(pairs):
        raise PermanentError(
            "no treated student has a comparable one within the caliper",
            remedy="the groups do not overlap: choose another comparison group, fewer exact columns or another design.",
        )
    weight = np.zeros(len(t))
    served = np.bincount(pairs[:, 0], minlength=len(t))
    np.add.at(weight, pairs[:, 1], 1 / served[pairs[:, 0]])
    weight[served > 0] = 1.0
    return Matched(pairs, weight)


def _with_replacement(
    points: np.ndarray, treated: np.ndarray, others: np.ndarray, neighbours: int, reach: float
) -> np.ndarray:
    k = min(neighbours, len(others))
    _, place = cKDTree(points[others]).query(
        points[treated], k=k, distance_upper_bound=reach, workers=_workers(treated)
    )
    place = place.reshape(len(treated), k)
    row, column = np.nonzero(place < len(others))
    return np.column_stack([treated[row], others[place[row, column]]])


def _workers(rows: np.ndarray) -> int:
    return -1 if len(rows) > MANY else 1


def _without_replacement(
    points: np.ndarray, code: np.ndarray, treated: np.ndarray, others: np.ndarray, reach: float
) -> np.ndarray:
    """Each round asks for the nearest free neighbours of those who have none yet, and gives the closest pairs first.

    Where a row has lost all that it asked for, the next of its neighbours may be closer to it than to whoever got them:
    of its cell only pairs that are closer than the farthest it asked for are given in that round. Cells larger than
    LARGE_CELL are not held to that, for the sake of time.
    """
    pairs = []
    candidates = FIRST_CANDIDATES
    while len(treated) and len(others):
        free = np.bincount(code[others], minlength=int(code.max()) + 1)
        k = min(candidates, int(free[code[treated]].max()))
        if k == 0:
            break
        distance, place = cKDTree(points[others]).query(
            points[treated], k=k, distance_upper_bound=reach, workers=_workers(treated)
        )
        distance, place = distance.reshape(len(treated), k), place.reshape(len(treated), k)
        row, column = np.nonzero(place < len(others))
        order = np.argsort(distance[row, column], kind="stable")
        who, whom = row[order], place[row, column][order]
        taken = _closest_first(who, whom, len(treated), len(others))
        # A treated row that saw fewer than k free neighbours has seen them all; one that saw k may find others.
        has_more = np.isfinite(distance[:, -1])
        has_more[who[taken]] = False
        limit = np.full(len(free), np.inf)
        np.minimum.at(limit, code[treated[has_more]], distance[has_more, -1])
        limit[free > LARGE_CELL] = np.inf
        taken = taken[distance[row, column][order][taken] <= limit[code[treated[who[taken]]]]]
        pairs.append(np.column_stack([treated[who[taken]], others[whom[taken]]]))
        has_more |= np.isfinite(limit)[code[treated]]
        has_more[who[taken]] = False
        alone = np.ones(len(others), dtype=bool)
        alone[whom[taken]] = False
        treated, others = treated[has_more], others[alone]
        candidates *= 2
    return np.concatenate(pairs) if pairs else np.zeros((0, 2), dtype=np.int64)


def _closest_first(who: np.ndarray, whom: np.ndarray, n_who: int, n_whom: int) -> np.ndarray:
    """Indices of the pairs that are taken when pairs are gone through in their order and each row is given once.

    A pair that comes first for both its rows is taken whatever the others do; taking all such pairs at once, again and
    again, gives what going through them one by one would.
    """
    left = np.arange(len(who))
    free_who, free_whom = np.ones(n_who, dtype=bool), np.ones(n_whom, dtype=bool)
    taken = []
    while len(left):
        first = np.zeros(len(left), dtype=np.int8)
        first[np.unique(who[left], return_index=True)[1]] += 1
        first[np.unique(whom[left], return_index=True)[1]] += 1
        won = left[first == 2]
        taken.append(won)
        free_who[who[won]] = False
        free_whom[whom[won]] = False
        left = left[free_who[who[left]] & free_whom[whom[left]]]
    return np.concatenate(taken) if taken else np.zeros(0, dtype=np.int64)
