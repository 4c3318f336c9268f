"""The reader of a small district's published marts: everything that they say of students, as one linear program.

The reader knows besides which grades each school has (the child in the wrong grade included), which tools are for
which grades, that nobody came or went in these weeks, the lists of the classes, and that each student is in one
school, one grade and one subgroup of each dimension. What is published comes from the leaders' marts alone: adoption
with its rates, coded ends and bands of classes, gaps with both groups' sizes and rates, the year's gaps, contracts,
unused and unapproved tools.

The unknowns are `atoms`: students of a measure by school, grade and subgroup. Measures: size; active (of a week);
consistent (of the window that ends with a week); year_active and year_consistent (of the school year).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from attack import Attack, least_possible_values

ANY_TOOL = "__any_tool__"
TOTAL = ("all_students", "all_students")
Rows = Sequence[Mapping[str, Any]]
Pair = tuple[str, str]  # school, grade


@dataclass(frozen=True)
class Known:
    """What the reader knows beside the marts. groups: subgroups of each dimension that the district has, 'unknown' too.

    licences: grades of each tool, none for all. open_tools: those that students of other grades may use as well.
    """

    pairs: frozenset[Pair]
    groups: Mapping[str, frozenset[str]]
    licences: Mapping[str, Sequence[str]]
    open_tools: frozenset[str]
    minimum_n: int
    consistent_weeks: int
    window_weeks: int


@dataclass(frozen=True)
class Statement:
    """A published count lies between low and high. week: None for sizes and for the year."""

    measure: str
    week: Any
    tool: str
    org_level: str
    org_key: str
    dimension: str
    subgroup: str
    low: float
    high: float


def adoption_statements(rows: Rows, rounding: int) -> Iterator[Statement]:
    """mart_adoption, but for its classes. rounding: how far a shown count of a grade may be from the true one."""
    for row in rows:
        if row["org_level"] == "class":
            continue
        place = (row["tool_key"], row["org_level"], row["org_key"], row["dimension"], row["subgroup"])
        n, about = row["minimum_n"], rounding if row["org_level"] == "grade" else 0
        shown, reason = row["eligible_students"], row["suppression_reason"]
        if reason == "no_eligible_students":
            continue
        if shown is not None:
            yield Statement("size", None, *place, shown - about, shown + about)
        else:
            yield Statement("size", None, *place, 1, n - 1 if reason == "fewer_than_n_students" else math.inf)
        if row["active_students"] is not None:
            count = row["active_students"]
            yield Statement("active", row["week_start_on"], *place, count - about, count + about)
        elif row["rate_low"] is not None:
            low, high = round(row["rate_low"] * shown), math.inf
            if row["rate_high"] < 1:
                high = round(row["rate_high"] * shown)
            yield Statement("active", row["week_start_on"], *place, low, high)
        elif reason == "fewer_than_n_students":
            yield Statement("active", row["week_start_on"], *place, 0, n - 1)
        if row["consistent_suppression_reason"] == "too_few_weeks":
            continue
        if row["consistent_students"] is not None:
            count = row["consistent_students"]
            yield Statement("consistent", row["week_start_on"], *place, count - about, count + about)
        else:
            ends = {"small_count_low": (0, n - 1), "small_count_high": (shown and shown - about - n + 1, math.inf)}
            low, high = ends.get(row["consistent_suppression_reason"], (0, math.inf))
            yield Statement("consistent", row["week_start_on"], *place, low, high)


MEASURE_OF_GAP = {
    ("latest_week", "adoption"): "active",
    ("last_4_weeks", "consistent_use"): "consistent",
    ("school_year", "adoption"): "year_active",
    ("school_year", "consistent_use"): "year_consistent",
}


class Reader:
    """statements and gaps become constraints of `attack`; weeks are those that have counts of use, oldest first."""

    def __init__(self, known: Known, statements: Iterable[Statement], weeks: Sequence[Any]) -> None:
        self.known, self.weeks, self.attack = known, list(weeks), Attack()
        self.latest = self.weeks[-1]
        self.statements = list(statements)
        listed: dict[str, set[str]] = defaultdict(set)
        for said in self.statements:
            if said.org_level == "school":
                listed[said.tool].add(said.org_key)
        listed[ANY_TOOL] = {school for school, _ in known.pairs}
        self.scopes: dict[str, list[Pair]] = {}
        for tool, schools in listed.items():
            grades = known.licences.get(tool, ())
            self.scopes[tool] = sorted(
                pair for pair in known.pairs if pair[0] in schools and (not grades or pair[1] in grades)
            )
        self.columns = [(dimension, group) for dimension, groups in known.groups.items() for group in sorted(groups)]
        self._sizes()
        self._seen = {(said.tool, said.week) for said in self.statements if said.measure == "active"}
        self._seen |= {(ANY_TOOL, week) for week in self.weeks}
        for tool in sorted(self.scopes):
            self._use(tool)
        for week in self.weeks:
            self._any_is_one_of_all(week)
        for said in self.statements:
            self.say(said)

    # ---- the unknowns -------------------------------------------------------------------------------------------

    def _atoms(self, name: tuple[Hashable, ...], pairs: Iterable[Pair]) -> None:
        for pair in pairs:
            whole = self.attack.count((*name, *pair, *TOTAL))
            for dimension, groups in self.known.groups.items():
                if dimension != "all_students":
                    parts = [self.attack.count((*name, *pair, dimension, group)) for group in sorted(groups)]
                    self.attack.adds_up(parts, whole)

    def _no_more(
        self,
        name: tuple[Hashable, ...],
        others: Sequence[tuple[Hashable, ...]],
        pairs: Iterable[Pair],
        times: float = 1,
    ) -> None:
        """In every atom: times * name <= the others together."""
        for pair in pairs:
            for column in self.columns:
                terms: dict[Hashable, float] = {(*name, *pair, *column): times}
                for other in others:
                    terms[(*other, *pair, *column)] = terms.get((*other, *pair, *column), 0.0) - 1.0
                self.attack.less(terms, 0.0)

    def _sizes(self) -> None:
        self._atoms(("size",), self.known.pairs)

    def _use(self, tool: str) -> None:
        pairs, k, w = self.scopes[tool], self.known.consistent_weeks, self.known.window_weeks
        weeks = [week for week in self.weeks if (tool, week) in self._seen]
        size, year = ("size",), ("year_active", tool)
        has_year = (tool, self.latest) in self._seen
        if has_year:
            for measure in ("year_active", "year_consistent"):
                self._atoms((measure, tool), pairs)
            self._no_more(year, [size], pairs)
            self._no_more(("year_consistent", tool), [year], pairs)
            if weeks == self.weeks:
                self._no_more(year, [("active", week, tool) for week in weeks], pairs)
        for week in weeks:
            self._atoms(("active", week, tool), pairs)
            self._no_more(("active", week, tool), [size], pairs)
            if has_year:
                self._no_more(("active", week, tool), [year], pairs)
            if tool != ANY_TOOL:
                self._no_more(("active", week, tool), [("active", week, ANY_TOOL)], pairs)
        for at in range(w - 1, len(self.weeks)):
            window = self.weeks[at - w + 1 : at + 1]
            if self.weeks[at] not in weeks or any(week not in weeks for week in window):
                continue
            name = ("consistent", self.weeks[at], tool)
            self._atoms(name, pairs)
            # Of any m weeks of the window, a consistent student was active in at least m - (w - k).
            for m in range(w - k + 1, w + 1):
                for some in combinations(window, m):
                    self._no_more(name, [("active", week, tool) for week in some], pairs, times=m - (w - k))
            # And one who was not in at most k - 1.
            for pair in pairs:
                for column in self.columns:
                    terms: dict[Hashable, float] = {("active", week, tool, *pair, *column): 1.0 for week in window}
                    terms |= {(*name, *pair, *column): float(k - 1 - w), ("size", *pair, *column): float(1 - k)}
                    self.attack.less(terms, 0.0)
            if has_year:
                self._no_more(name, [year], pairs)

    def _any_is_one_of_all(self, week: Any) -> None:
        """Whoever used any tool used one of them; said of the pairs in which no tool has uncounted users."""
        tools = [tool for tool in self.scopes if tool != ANY_TOOL and (tool, week) in self._seen]
        for pair in sorted(self.known.pairs):
            inside = [tool for tool in tools if pair in self.scopes[tool]]
            grades = {tool: self.known.licences.get(tool, ()) for tool in tools}
            if all(
                tool in inside or (grades[tool] and pair[1] not in grades[tool] and tool not in self.known.open_tools)
                for tool in tools
            ):
                self._no_more(("active", week, ANY_TOOL), [("active", week, tool) for tool in inside], [pair])

    # ---- what is published --------------------------------------------------------------------------------------

    def name(self, measure: str, week: Any, tool: str) -> tuple[Hashable, ...]:
        if measure == "size":
            return ("size",)
        return (measure, tool) if measure.startswith("year") else (measure, week, tool)

    @staticmethod
    def block(name: tuple[Hashable, ...]) -> Hashable:
        """The tool of a count, None of a size: the counts of one tool can change while the others stay as they are."""
        if name[0] in ("cell", "together"):
            return None if name[1] == "size" else name[3]
        if name[0] in ("size", "class_size"):
            return None
        return name[1] if str(name[0]).startswith("year") else name[2]

    def inside(self, tool: str, level: str, key: str) -> list[Pair]:
        place = {"district": None, "school": 0, "grade": 1}[level]
        return [pair for pair in self.scopes[tool] if place is None or pair[place] == key]

    def cell(self, measure: str, week: Any, tool: str, level: str, key: str, dimension: str, subgroup: str) -> Hashable:
        """The name of the count of a cell: the sum of its atoms."""
        name = ("cell", measure, week, tool, level, key, dimension, subgroup)
        if name not in self.attack.bounds:
            self.attack.count(name)
            atoms = [
                (*self.name(measure, week, tool), *pair, dimension, subgroup) for pair in self.inside(tool, level, key)
            ]
            assert all(atom in self.attack.bounds for atom in atoms), name
            self.attack.adds_up(atoms, name)
        return name

    def say(self, said: Statement) -> None:
        name = self.cell(
            said.measure, said.week, said.tool, said.org_level, said.org_key, said.dimension, said.subgroup
        )
        self.attack.count(name, said.low, said.high)

    def read_gaps(self, rows: Rows) -> None:
        """mart_equity_gap. A rate times its size is a count; whoever is in neither group has no known status."""
        whole = {
            (said.tool, said.org_level, said.org_key): said.low
            for said in self.statements
            if said.measure == "size" and (said.dimension, said.subgroup) == TOTAL and said.low == said.high
        }
        for row in rows:
            place = (row["tool_key"], row["org_level"], row["org_key"])
            if row["group_n"] is None:
                continue
            cell = (*place, row["dimension"], row["subgroup"])
            self.say(Statement("size", None, *cell, row["group_n"], row["group_n"]))
            if row["reference_n"] is None:
                continue
            others = sorted(self.known.groups[row["dimension"]] - {row["subgroup"]})
            total = whole.get(place) or whole.get((None, *place[1:])) or row["group_n"] + row["reference_n"]
            if row["group_n"] + row["reference_n"] < total:
                others.remove("unknown")
            self._together("size", None, place, row["dimension"], others, row["reference_n"])
            if row["group_rate"] is None:
                continue
            measure = MEASURE_OF_GAP[row["period"], row["metric"]]
            week = None if measure.startswith("year") else self.latest
            count = round(row["group_rate"] * row["group_n"])
            self.say(Statement(measure, week, *cell, count, count))
            self._together(
                measure, week, place, row["dimension"], others, round(row["reference_rate"] * row["reference_n"])
            )

    def _together(
        self, measure: str, week: Any, place: tuple[str, str, str], dimension: str, groups: Sequence[str], count: int
    ) -> None:
        parts = [self.cell(measure, week, *place, dimension, group) for group in groups]
        name = self.attack.count(("together", measure, week, *place, dimension, *groups), count, count)
        self.attack.adds_up(parts, name)

    def read_classes(self, rows: Rows, is_member: Mapping[str, Pair]) -> None:
        """Rows of mart_adoption of classes. is_member: the school and grade of each class; all of them are in one."""
        n = self.known.minimum_n
        classes: dict[tuple[Any, str, Pair], list[Mapping[str, Any]]] = defaultdict(list)
        for row in rows:
            if row["org_level"] == "class" and row["tool_key"] in self.scopes:
                classes[row["week_start_on"], row["tool_key"], is_member[row["org_key"]]].append(row)
        for (week, tool, pair), members in classes.items():
            if pair not in self.scopes[tool]:
                continue
            for row in members:
                shown, name = row["eligible_students"], ("class", week, tool, row["org_key"])
                size = self.attack.count(
                    ("class_size", row["org_key"]), *((1, n - 1) if shown is None else (shown,) * 2)
                )
                low, high = 0.0, math.inf
                if row["rate_low"] is not None:
                    low, high = round(row["rate_low"] * shown), round(row["rate_high"] * shown)
                self.attack.count(name, low, high)
                self.attack.at_most(name, size)
            self.attack.adds_up(
                [("class", week, tool, row["org_key"]) for row in members], ("active", week, tool, *pair, *TOTAL)
            )
            self.attack.adds_up([("class_size", row["org_key"]) for row in members], ("size", *pair, *TOTAL))

    def read_year_of_tools(self, rows: Rows, district: str) -> None:
        """mart_value and mart_unknown_tool: students of the year, those of other grades included."""
        for row in rows:
            tool, count = row["tool_key"], row["active_students"]
            if count is None or tool not in self.scopes or (tool, self.latest) not in self._seen:
                continue
            inside = self.cell("year_active", None, tool, "district", district, *TOTAL)
            # Children of a grade that its school does not have are not counted in adoption.
            left_out = [
                pair for pair in self.known.pairs if self._may_use(tool, pair) and pair not in self.scopes[tool]
            ]
            name = self.attack.count(("year", tool, "of all"), count, count)
            outside = [self.attack.count(("year", tool, "outside", *pair, *TOTAL)) for pair in left_out]
            for pair, part in zip(left_out, outside, strict=True):
                self.attack.at_most(part, ("size", *pair, *TOTAL))
            self.attack.adds_up([inside, *outside], name)

    def _may_use(self, tool: str, pair: Pair) -> bool:
        grades = self.known.licences.get(tool, ())
        return not grades or pair[1] in grades or tool in self.known.open_tools

    def read_unused(self, rows: Rows, district: str) -> None:
        """mart_unused_tool: nobody in the weeks that it names."""
        for row in rows:
            for week in self.weeks[-row["weeks_without_use"] :]:
                if (row["tool_key"], week) in self._seen:
                    self.say(Statement("active", week, row["tool_key"], "district", district, *TOTAL, 0, 0))


def needed_values(row: Mapping[str, Any], measure: str, minimum_n: int) -> int:
    """What the rule promises of a hidden sensitive count; of a group of known size, no more than it has values."""
    needed = least_possible_values(minimum_n)
    return needed if measure == "size" or row["is_eligible_hidden"] else min(needed, row["eligible"] + 1)
