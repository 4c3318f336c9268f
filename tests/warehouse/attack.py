"""What somebody who reads every published number could work out about the hidden ones.

The attacker knows the shape of the district (which schools there are, that subgroups add up to all students and schools
to the district), every published count, and what the reason of a hidden one tells of its size. Every count is then a
variable of a linear program, and the range of a hidden one is its minimum and maximum over all tables that agree with
what was published (the attacker problem of Fischetti and Salazar-Gonzalez, Management Science 47, 2001). The relaxation
to real numbers is never narrower than the whole-number range by more than what rounding to whole numbers takes away.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

TOLERANCE = 1e-6
CEILING = 10**6
ROUNDS = 6
LARGE = 2000  # counts


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
        program = _Program(self)
        return {target: (program.least(target), program.most(target)) for target in targets}

    def too_narrow(
        self,
        needed: Mapping[Hashable, int],
        block: Callable[[Hashable], Hashable],
        shared: Iterable[Hashable],
    ) -> dict[Hashable, tuple[int, int]]:
        """Targets with fewer possible values than `needed`, and their ranges.

        Any table that agrees with what was published is a witness for every target at once, so few are looked at
        alone: first come corners of the whole in random directions; then, around the mean of those, corners of one
        block of counts while the others stay as they are; then those of a block with the shared ones; and last the
        exact range of whatever is still open. Raises ValueError where no table agrees.
        """
        program, generator = _Program(self), np.random.default_rng(0)
        targets = _Open(needed, program)
        tables = []
        for number in range(ROUNDS):
            tables.append(program.table(targets.direction(generator, number)))
            targets.see(tables[-1])
        middle = np.mean(tables, axis=0)
        members: dict[Hashable, list[int]] = {}
        for name, place in program.place.items():
            members.setdefault(block(name), []).append(place)
        for others in ([], list(shared)):
            for one in members:
                if any(block(target) == one for target in targets.names()):
                    together = {one, *others} & members.keys()
                    free = np.array(sorted(place for other in together for place in members[other]))
                    part = _Part(program, free, middle)
                    for number in range(ROUNDS):
                        weights = targets.direction(generator, number)
                        here = {name: weight for name, weight in weights.items() if block(name) == one}
                        if here:
                            targets.see(part.table(here))
                    for target in [name for name in targets.names() if block(name) == one]:
                        for sign in (1.0, -1.0):
                            targets.see(part.table({target: sign}))
        found: dict[Hashable, tuple[int, int]] = {}
        for target in targets.names():
            ends = program.least(target), program.most(target)
            if possible_values(ends) < needed[target]:
                found[target] = ends
        return found


class _Open:
    """Targets of which no two tables yet show that they can have enough values."""

    def __init__(self, needed: Mapping[Hashable, int], program: _Program) -> None:
        self._names = list(needed)
        self._place = np.array([program.place[name] for name in needed])
        self._needed = np.array(list(needed.values()))
        self._low, self._high = np.full(len(needed), math.inf), np.full(len(needed), -math.inf)

    def see(self, table: np.ndarray) -> None:
        self._low = np.minimum(self._low, table[self._place])
        self._high = np.maximum(self._high, table[self._place])

    def _is_open(self) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            values = np.floor(self._high + TOLERANCE) - np.ceil(self._low - TOLERANCE) + 1
        return ~(values >= self._needed)

    def names(self) -> list[Hashable]:
        return [name for name, is_open in zip(self._names, self._is_open(), strict=True) if is_open]

    def direction(self, generator: np.random.Generator, number: int) -> dict[Hashable, float]:
        """Random weights of the open targets: all up, all down, then both."""
        names = self.names()
        signs = generator.choice([-1.0, 1.0], len(names)) if number > 1 else np.full(len(names), (-1.0) ** number)
        return dict(zip(names, signs * generator.uniform(0.5, 1.0, len(names)), strict=True))


class _Program:
    """The constraints of an attack as matrices, solved for one weighting of the counts after another."""

    def __init__(self, attack: Attack) -> None:
        self.place = {name: i for i, name in enumerate(attack.bounds)}
        size = len(self.place)
        self.equal = _matrix(attack._equal, self.place)
        self.less = _matrix([terms for terms, _ in attack._less], self.place)
        self.less_than = np.array([limit for _, limit in attack._less])
        # Without a ceiling a weighted sum would have no optimum; nobody has so many students.
        self.bounds = np.array([(low, min(high, CEILING)) for low, high in attack.bounds.values()]).reshape(size, 2)

    def table(self, weights: Mapping[Hashable, float]) -> np.ndarray:
        """The counts for which the weighted sum is least."""
        cost = np.zeros(len(self.place))
        for name, weight in weights.items():
            cost[self.place[name]] = weight
        equal_to = np.zeros(self.equal.shape[0]) if self.equal is not None else None
        return _solved(cost, self.equal, equal_to, self.less, self.less_than, self.bounds)

    def least(self, target: Hashable) -> int:
        return math.ceil(self.table({target: 1.0})[self.place[target]] - TOLERANCE)

    def most(self, target: Hashable) -> int:
        return math.floor(self.table({target: -1.0})[self.place[target]] + TOLERANCE)


class _Part:
    """A program in which all counts but those at `free` stay as they are in `table`."""

    def __init__(self, program: _Program, free: np.ndarray, table: np.ndarray) -> None:
        self._program, self._free, self._table = program, free, table
        held = table.copy()
        held[free] = 0.0
        # What the table itself gives, where rounding has it a hair outside.
        self._equal, around = self._rows(program.equal)
        self._equal_to = around @ table
        self._less, around = self._rows(program.less)
        rows = np.unique(program.less[:, free].nonzero()[0])
        rest = program.less_than[rows] - program.less[rows] @ held
        self._less_than = np.maximum(rest, around @ table)

    def _rows(self, matrix: csr_matrix) -> tuple[csr_matrix, csr_matrix]:
        """The rows that name a free count: of the free counts alone, and with nothing else in the full width."""
        touched = matrix[np.unique(matrix[:, self._free].nonzero()[0])]
        keep = np.zeros(matrix.shape[1])
        keep[self._free] = 1.0
        return touched[:, self._free], touched.multiply(keep).tocsr()

    def table(self, weights: Mapping[Hashable, float]) -> np.ndarray:
        """The counts for which the weighted sum is least, those that are held included."""
        cost = np.zeros(len(self._table))
        for name, weight in weights.items():
            cost[self._program.place[name]] = weight
        found = self._table.copy()
        found[self._free] = _solved(
            cost[self._free], self._equal, self._equal_to, self._less, self._less_than, self._program.bounds[self._free]
        )
        return found


def _solved(
    cost: np.ndarray,
    equal: csr_matrix | None,
    equal_to: np.ndarray | None,
    less: csr_matrix | None,
    less_than: np.ndarray | None,
    bounds: np.ndarray,
) -> np.ndarray:
    result = linprog(
        cost,
        A_eq=equal,
        b_eq=equal_to,
        A_ub=less,
        b_ub=None if less is None else less_than,
        bounds=bounds,
        # Interior point with crossover: on thousands of counts many times as fast as the simplex method.
        method="highs-ipm" if len(cost) > LARGE else "highs",
    )
    if result.status != 0:
        raise ValueError(f"no table agrees with what was published: {result.message}")
    return result.x


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
