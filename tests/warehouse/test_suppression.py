"""Suppression through the real SQL: nobody who reads what is shown can work out what is hidden.

The districts are small and odd on purpose: schools of one child, subgroups that are all of a school or in one school,
tools that nearly everybody or nearly nobody uses, statuses that are unknown.
"""

from __future__ import annotations

import math
import random
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import jinja2
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from attack import Attack, least_possible_values, possible_values

MACROS = Path(__file__).resolve().parents[2] / "dbt_project" / "macros" / "suppression.sql"
DIMENSIONS = {
    "all_students": ("all_students",),
    "english_learner": ("yes", "no"),
    "disability": ("yes", "no", "unknown"),
    "race_ethnicity": ("a", "b", "c", "d", "e"),
}
TOTAL = ("all_students", "all_students")
DISTRICT = ("district", "d")
Key = tuple[tuple[str, str], str, str]  # (level, key) of the organisation, dimension, subgroup


def macro(name: str, *arguments: object, source: str | None = None) -> str:
    environment = jinja2.Environment(autoescape=False)
    return getattr(environment.from_string(source or MACROS.read_text()).module, name)(*arguments)


def small_district(generator: random.Random, sizes: tuple[int, ...]) -> tuple[Counter[Key], Counter[Key]]:
    """Students, and those of them who were active, by organisation and subgroup."""
    size = generator.choice(sizes)
    rate = generator.choice([0.02, 0.1, 0.3, 0.5, 0.8, 0.95, 0.99])
    eligible: Counter[Key] = Counter()
    active: Counter[Key] = Counter()
    for school in range(generator.randint(1, 7)):
        uses = min(1.0, max(0.0, generator.gauss(rate, 0.15)))
        learners, disabled = generator.choice([0, 0.02, 0.1, 0.3, 1]), generator.choice([0.05, 0.1, 0.2])
        for _ in range(generator.randint(1, 2 * size)):
            student = {
                "all_students": "all_students",
                "english_learner": "yes" if generator.random() < learners else "no",
                "disability": "yes"
                if generator.random() < disabled
                else ("unknown" if generator.random() < 0.01 else "no"),
                "race_ethnicity": generator.choices("abcde", [50, 30, 10, 5, 1])[0],
            }
            is_active = generator.random() < uses * (0.5 if student["english_learner"] == "yes" else 1)
            for dimension, subgroup in student.items():
                for organisation in (DISTRICT, ("school", f"s{school}")):
                    eligible[organisation, dimension, subgroup] += 1
                    active[organisation, dimension, subgroup] += is_active
    return eligible, active


Cells = dict[Key, dict[str, Any]]


def suppressed(districts: list[tuple[Counter[Key], Counter[Key]]], n: int) -> list[tuple[Cells, Cells]]:
    """What the macros say of the eligible and the active counts of each district."""
    rows = [
        (number, *organisation, dimension, subgroup, count, active[organisation, dimension, subgroup], n)
        for number, (eligible, active) in enumerate(districts)
        for (organisation, dimension, subgroup), count in eligible.items()
    ]
    names = ("district_no", "org_level", "org_key", "dimension", "subgroup", "eligible", "active", "minimum_n")
    counted = pa.table({name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)})
    connection = duckdb.connect()
    connection.register("counted", counted)
    people = macro("same_people", "counted", ["district_no"], "eligible", "people")
    connection.execute(f"create table cell as with {people} select *, same_as as identity from people")
    found: list[tuple[Cells, Cells]] = [({}, {}) for _ in districts]
    connection.execute(
        "create table eligible_countable as select *, eligible as value, cast(null as bigint) as ceiling, "
        "false as is_small_group, false as is_forced from cell"
    )
    _run(connection, "eligible", found, 0)
    connection.execute(
        "create table active_countable as select cell.*, active as value, eligible as ceiling, "
        "hidden.is_sensitive as is_small_group, hidden.is_hidden as is_forced "
        "from cell join eligible_cell as hidden using (district_no, org_level, org_key, dimension, subgroup)"
    )
    _run(connection, "active", found, 1)
    return found


def _run(connection: duckdb.DuckDBPyConnection, measure: str, found: list[tuple[Cells, Cells]], place: int) -> None:
    sql = macro("suppressed_counts", f"{measure}_countable", ["district_no"], ["district_no"])
    connection.execute(f"create table {measure}_cell as {sql}")
    result = connection.execute(f"from {measure}_cell")
    names = [column[0] for column in result.description]
    for row in result.fetchall():
        cell = dict(zip(names, row, strict=True))
        key = ((cell["org_level"], cell["org_key"]), cell["dimension"], cell["subgroup"])
        found[cell["district_no"]][place][key] = cell


def attack_on(eligible: Counter[Key], sizes: Cells, uses: Cells) -> Attack:
    """What a reader knows of one district's two tables."""
    attack = Attack()
    organisations = {organisation for organisation, _, _ in eligible}
    present = set(eligible)
    # Unknown status is not listed, nor is a dimension of which an organisation can show no group.
    shown = {key[:2] for key, size in sizes.items() if not size["is_hidden"]}
    for key in eligible:
        size, use = sizes[key], uses[key]
        is_listed = key[1:] == TOTAL or (key[2] != "unknown" and key[:2] in shown)
        low, high = size["low"], math.inf if size["high"] is None else size["high"]
        if key[2] == "unknown" and size["is_hidden"]:
            low, high = 0, math.inf
        attack.count(("size", key), max(low, 1) if is_listed else low, high)
        low, high = use["low"], use["high"]
        if use["is_hidden"] and (key[2] == "unknown" or size["is_hidden"]):
            low, high = (low, high) if use["has_end"] and not size["is_hidden"] else (0, math.inf)
        attack.count(("use", key), low, high)
        attack.at_most(("use", key), ("size", key))
    for organisation in organisations:
        for dimension, subgroups in DIMENSIONS.items():
            for subgroup in subgroups:
                key = (organisation, dimension, subgroup)
                # Nobody tells that it is empty.
                if key not in present and (subgroup == "unknown" or (organisation, dimension) not in shown):
                    attack.count(("size", key))
                    attack.count(("use", key))
                    attack.at_most(("use", key), ("size", key))
                    present.add(key)
    for measure in ("size", "use"):
        for organisation in organisations:
            for dimension in DIMENSIONS:
                if dimension != "all_students":
                    parts = [(measure, key) for key in present if key[0] == organisation and key[1] == dimension]
                    attack.adds_up(parts, (measure, (organisation, *TOTAL)))
        for dimension, subgroups in DIMENSIONS.items():
            for subgroup in subgroups:
                parts = [(measure, key) for key in present if key[0] != DISTRICT and key[1:] == (dimension, subgroup)]
                whole = (DISTRICT, dimension, subgroup)
                if whole in present:
                    attack.adds_up(parts, (measure, whole))
                else:
                    for part in parts:
                        attack.count(part, 0, 0)
    return attack


def leaks(eligible: Counter[Key], sizes: Cells, uses: Cells, n: int) -> Iterator[tuple[Any, tuple[int, int]]]:
    """Sensitive counts that are hidden, and have fewer possible values than promised."""
    targets = [
        (measure, key)
        for measure, cells in (("size", sizes), ("use", uses))
        for key, cell in cells.items()
        if cell["is_hidden"] and cell["is_sensitive"]
    ]
    for target, found in attack_on(eligible, sizes, uses).ranges(targets).items():
        needed = least_possible_values(n)
        if target[0] == "use" and not sizes[target[1]]["is_hidden"]:
            needed = min(needed, eligible[target[1]] + 1)
        if possible_values(found) < needed:
            yield target, found


def open_families(sizes: Cells, uses: Cells, n: int) -> Iterator[tuple[str, str, str]]:
    """Families with a shown total of which the hidden counts are one, or together too few to show: dbt's guard."""
    for cells in (sizes, uses):
        for of_schools in (True, False):
            families: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
            for key, cell in cells.items():
                (level, organisation), dimension, subgroup = key
                if of_schools and level == "school":
                    total, name = cells[DISTRICT, dimension, subgroup], ("d", dimension, subgroup)
                elif not of_schools and dimension != "all_students":
                    total, name = cells[(level, organisation), *TOTAL], (organisation, dimension, "")
                else:
                    continue
                if cell["is_hidden"] and not total["is_hidden"]:
                    families.setdefault(name, []).append(cell | {"group": sizes[key]["value"]})
            for name, hidden in families.items():
                count = sum(cell["value"] for cell in hidden)
                rest = sum(cell["group"] - cell["value"] for cell in hidden) if cells is uses else n
                if len(hidden) == 1 or count < n or rest < n:
                    yield name


@settings(max_examples=6, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), n=st.sampled_from([5, 6, 10]))
@example(seed=22, n=10)
def test_no_hidden_count_can_be_worked_out(seed: int, n: int) -> None:
    generator = random.Random(seed)
    districts = [small_district(generator, (8, 20, 40, 80, 200)) for _ in range(5)]
    for (eligible, active), (sizes, uses) in zip(districts, suppressed(districts, n), strict=True):
        for counts, cells in ((eligible, sizes), (active, uses)):
            for key, cell in cells.items():
                if not cell["is_hidden"]:
                    assert counts[key] >= n and (counts is eligible or eligible[key] - counts[key] >= n)
        assert all(uses[key]["is_hidden"] for key, cell in sizes.items() if cell["is_hidden"])
        assert not list(open_families(sizes, uses, n))
        assert not list(leaks(eligible, sizes, uses, n))


def test_the_attack_has_teeth() -> None:
    """Hiding only what is small itself, it finds the rest; so an attack that finds nothing says something."""
    generator = random.Random(4)
    districts = [small_district(generator, (80, 200)) for _ in range(6)]
    found = 0
    for (eligible, _), (sizes, uses) in zip(districts, suppressed(districts, 10), strict=True):
        true = {"size": {}, "use": {}}
        for measure, cells in (("size", sizes), ("use", uses)):
            for key, cell in cells.items():
                is_hidden = cell["is_sensitive"] or (measure == "use" and sizes[key]["is_sensitive"])
                low, high = (0, eligible[key] if measure == "use" else None) if is_hidden else (cell["value"],) * 2
                true[measure][key] = cell | {"is_hidden": is_hidden, "has_end": False, "low": low, "high": high}
        found += sum(1 for _ in leaks(eligible, true["size"], true["use"], 10))
    assert found > 20


def _table(rows: dict[tuple[str, str, str], tuple[int, int]]) -> tuple[Counter[Key], Counter[Key]]:
    """School rows {(school, dimension, subgroup): (eligible, active)}; the district is their sum."""
    eligible: Counter[Key] = Counter()
    active: Counter[Key] = Counter()
    for (school, dimension, subgroup), (count, used) in rows.items():
        for organisation in (("school", school), DISTRICT):
            eligible[organisation, dimension, subgroup] += count
            active[organisation, dimension, subgroup] += used
    return eligible, active


def _hidden(cells: Cells, level: str = "school") -> set[tuple[str, str]]:
    return {(key[0][1], key[2]) for key, cell in cells.items() if cell["is_hidden"] and key[0][0] == level}


def test_a_count_of_n_is_shown_and_one_less_is_not() -> None:
    """Schools of 9, 10 and 100: the 9 takes the next smallest with it; alone it would be the district less the rest."""
    eligible, active = _table(
        {(school, *TOTAL): (count, count // 2) for school, count in {"a": 9, "b": 10, "c": 100, "d": 100}.items()}
    )
    [(sizes, _)] = suppressed([(eligible, active)], 10)
    assert _hidden(sizes) == {("a", "all_students"), ("b", "all_students")}
    assert sizes[("school", "a"), *TOTAL]["is_sensitive"] and not sizes[("school", "b"), *TOTAL]["is_sensitive"]
    assert not sizes[DISTRICT, *TOTAL]["is_hidden"]


def test_both_ends_of_the_scale_are_told_and_not_counted() -> None:
    eligible, active = _table(
        {
            (school, *TOTAL): counts
            for school, counts in {"a": (60, 9), "b": (60, 51), "c": (60, 10), "d": (60, 50), "e": (19, 9)}.items()
        }
    )
    [(_, uses)] = suppressed([(eligible, active)], 10)
    ends = {key[0][1]: (cell["low"], cell["high"]) for key, cell in uses.items() if cell["has_end"]}
    assert ends == {"a": (0, 9), "b": (51, 60), "e": (0, 19)}
    assert _hidden(uses) == {("a", "all_students"), ("b", "all_students"), ("e", "all_students")}


def test_two_hidden_counts_with_a_small_sum_take_a_third() -> None:
    eligible, active = _table(
        {
            (school, *TOTAL): counts
            for school, counts in {"a": (60, 2), "b": (60, 3), "c": (60, 30), "d": (60, 31)}.items()
        }
    )
    [(_, uses)] = suppressed([(eligible, active)], 10)
    assert _hidden(uses) == {("a", "all_students"), ("b", "all_students"), ("c", "all_students")}


def test_what_is_hidden_for_all_is_hidden_for_each_group() -> None:
    rows = {("a", *TOTAL): (60, 4), ("b", *TOTAL): (90, 40), ("c", *TOTAL): (90, 45)}
    for school, counts in (("a", (30, 2)), ("b", (40, 20)), ("c", (40, 20))):
        rows[school, "english_learner", "yes"] = counts
    for school, counts in (("a", (30, 2)), ("b", (50, 20)), ("c", (50, 25))):
        rows[school, "english_learner", "no"] = counts
    [(_, uses)] = suppressed([_table(rows)], 10)
    for school in {school for school, subgroup in _hidden(uses) if subgroup == "all_students"}:
        assert {(school, "yes"), (school, "no")} <= _hidden(uses)


@pytest.mark.parametrize("n", [3, 5, 8, 10, 11, 20])
def test_a_rounded_count_stands_for_enough_values(n: int) -> None:
    rounded, base = macro("rounded_count", "value", n), macro("rounding_base", n)
    rows = duckdb.connect().sql(f"select value, {rounded}, {base} from range(500) as t(value)").fetchall()
    base_value = rows[0][2]
    assert base_value % 2 == 1 and base_value >= least_possible_values(n)
    assert all(abs(value - shown) <= base_value // 2 and shown % base_value == 0 for value, shown, _ in rows)


@pytest.mark.parametrize("n", [3, 5, 10, 20])
def test_the_bands_of_a_class_are_wide_and_leave_no_gap(n: int) -> None:
    """Every number of active students lies in its own band, bands tile the scale, each has n values or is all."""
    bands = macro("class_bands", "eligible", n)
    low, high = (macro(f"class_band_{end}", "active", "eligible", bands) for end in ("low", "high"))
    rows = (
        duckdb.connect()
        .sql(
            f"""
        select eligible, active, {bands}, {low}, {high}
        from range(1, 140) as e(eligible) join range(140) as a(active) on active <= eligible
        """
        )
        .fetchall()
    )
    for eligible, active, count, at_least, at_most in rows:
        assert 1 <= count <= 4 and 0 <= at_least <= active <= at_most <= eligible
        assert at_most - at_least + 1 >= n or (count == 1 and (at_least, at_most) == (0, eligible))
