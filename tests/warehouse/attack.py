"""What somebody who reads every published number could work out about the hidden ones.

The attacker knows the shape of the district (which schools there are, that subgroups add up to all students and schools
to the district), every published count, and what the reason of a hidden one tells of its size. Every count is then a
variable of a linear program, and the range of a hidden one is its minimum and maximum over all tables that agree with
what was published (the attacker problem of Fischetti and Salazar-Gonzalez, Management Science 47, 2001). The relaxation
to real numbers is never narrower than the whole-number range by more than what rounding to whole numbers takes away.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

TOLERANCE = 1e-6


@dataclass
class Attack:
    """A system of linear constraints on named counts.

    count(name, low, high)    a count and what is known of it alone
    adds_up(parts, total)     sum of the parts = total
    at_most(name, other)      name <= other
    """

    bounds: dict[Hashable, tuple[float, float]] = field(default_factory=dict)
    _equal: list[dict[Hashable, float]] = field(default_factory=list)
    _less: list[tuple[dict[Hashable, float], float]] = field(default_factory=list)

    def count(self, name: Hashable, low: float = 0, high: float = math.inf) -> Hashable:
        old_low, old_high = self.bounds.get(name, (0, math.inf))
        self.bounds[name] = (max(low, old_low), min(high, old_high))
        return name

    def adds_up(self, parts: Iterable[Hashable], total: Hashable) -> None:
        row = dict.fromkeys(parts, 1.0)
        row[total] = row.get(total, 0.0) - 1.0
        self._equal.append(row)

    def at_most(self, name: Hashable, other: Hashable) -> None:
        self._less.append(({name: 1.0, other: -1.0}, 0.0))

    def less(self, terms: dict[Hashable, float], limit: float) -> None:
        self._less.append((terms, limit))

    def ranges(self, targets: Iterable[Hashable]) -> dict[Hashable, tuple[int, int]]:
        """Smallest and largest whole number that each target can be. Raises ValueError where nothing is feasible."""
        names = list(self.bounds)
        place = {name: i for i, name in enumerate(names)}
        equal = _matrix(self._equal, place)
        less = _matrix([terms for terms, _ in self._less], place)
        limits = np.array([limit for _, limit in self._less])
        bounds = [(low, None if math.isinf(high) else high) for low, high in self.bounds.values()]
        found: dict[Hashable, tuple[int, int]] = {}
        for target in targets:
            ends = []
            for sign in (1.0, -1.0):
                cost = np.zeros(len(names))
                cost[place[target]] = sign
                result = linprog(
                    cost,
                    A_eq=equal,
                    b_eq=None if equal is None else np.zeros(equal.shape[0]),
                    A_ub=less,
                    b_ub=None if less is None else limits,
                    bounds=bounds,
                    method="highs",
                )
                if result.status == 3:  # unbounded
                    ends.append(math.inf)
                elif result.status != 0:
                    raise ValueError(f"no table agrees with what was published: {result.message}")
                else:
                    ends.append(sign * result.fun)
            low, high = ends
            found[target] = (
                math.ceil(low - TOLERANCE),
                10**9 if math.isinf(high) else math.floor(high + TOLERANCE),
            )
        return found


def _matrix(rows: list[dict[Hashable, float]], place: dict[Hashable, int]) -> csr_matrix | None:
    if not rows:
        return None
    entries = [(i, place[name], weight) for i, row in enumerate(rows) for name, weight in row.items()]
    row, column, weight = zip(*entries, strict=True)
    return csr_matrix((weight, (row, column)), shape=(len(rows), len(place)))


def possible_values(found: tuple[int, int]) -> int:
    return found[1] - found[0] + 1


def least_possible_values(minimum_n: int) -> int:
    """The documented width: a hidden count must be able to have at least this many values."""
    return math.ceil(minimum_n / 2)
