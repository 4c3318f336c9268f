"""The attack on the built marts: whatever the leaders' tables say together of some weeks and of the year so far."""

from __future__ import annotations

import random
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from lake import DISTRICT, Lake
from marts_district import TOOLS, build_marts, make_district, rows_of
from reader import ANY_TOOL, Known, Reader, Statement, adoption_statements, needed_values

SAMPLE = 100
N, ROUNDING = 10, 2  # the base of rounding is 5 where n is 10


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(tmp_path_factory.mktemp("marts"))
    make_district(lake, seed=1, sizes=(45, 90, 70, 110), minimum_n=N)
    build_marts(lake)
    return lake


def known(lake: Lake) -> Known:
    groups = defaultdict(set)
    for row in rows_of(lake, "select distinct dimension, subgroup from intermediate.int_enrolled_atom"):
        groups[row["dimension"]] |= {row["subgroup"]} | ({"unknown"} if row["dimension"] != "all_students" else set())
    return Known(
        pairs=frozenset(
            (row["school_key"], row["grade"]) for row in rows_of(lake, "select distinct school_key, grade from student")
        ),
        groups={dimension: frozenset(names) for dimension, names in groups.items()},
        licences={tool.key: tool.grades for tool in TOOLS},
        open_tools=frozenset(tool.key for tool in TOOLS if tool.is_open),
        minimum_n=N,
        consistent_weeks=3,
        window_weeks=4,
    )


def true_cells(lake: Lake) -> list[dict[str, Any]]:
    return rows_of(lake, "from intermediate.int_use_cell order by all")


def targets(lake: Lake, reader: Reader) -> dict[Any, tuple[int, int]]:
    """Every hidden sensitive count: how many values it must be able to have, and its true value."""
    found = {}
    unused = {row["tool_key"] for row in rows_of(lake, "from marts.mart_unused_tool")}
    for row in true_cells(lake):
        if row["tool_key"] in unused or row["tool_key"] not in reader.scopes:
            continue
        place = (row["tool_key"], row["org_level"], row["org_key"], row["dimension"], row["subgroup"])
        # How many children a school or a grade has is no secret; how many of a group is.
        if row["is_eligible_hidden"] and row["is_small_group"] and row["dimension"] != "all_students":
            found[reader.cell("size", None, *place)] = (needed_values(row, "size", N), row["eligible"])
        for measure in ("active", "consistent"):
            if row[f"is_{measure}_hidden"] and row[f"is_{measure}_sensitive"] and row[measure] is not None:
                found[reader.cell(measure, row["week_start_on"], *place)] = (
                    needed_values(row, measure, N),
                    row[measure],
                )
    query = """
        select year.*, cell.eligible, cell.is_eligible_hidden from intermediate.int_year_cell as year
        inner join intermediate.int_use_cell as cell using (tool_key, org_level, org_key, dimension, subgroup)
        where cell.week_start_on = (select max(week_start_on) from intermediate.int_use_cell)
    """
    for row in rows_of(lake, query):
        for measure in ("active", "consistent"):
            rest = row["eligible"] - row[measure]
            if row["tool_key"] not in unused and row[f"is_{measure}_hidden"] and min(row[measure], rest) < N:
                place = (row["tool_key"], row["org_level"], row["org_key"], row["dimension"], row["subgroup"])
                name = reader.cell(f"year_{measure}", None, *place)
                found[name] = (needed_values(row, measure, N), row[measure])
    return found


def reader_of_marts(lake: Lake) -> Reader:
    adoption = rows_of(lake, f"select *, {N} as minimum_n from marts.mart_adoption order by all")
    weeks = sorted({row["week_start_on"] for row in adoption})
    reader = Reader(known(lake), adoption_statements(adoption, ROUNDING), weeks)
    reader.read_gaps(rows_of(lake, "from marts.mart_equity_gap where basis = 'student_subgroup'"))
    classes = {
        row["class_key"]: (row["school_key"], row["grade"])
        for row in rows_of(
            lake, "select distinct class_key, school_key, grade from intermediate.int_student_class_span"
        )
    }
    reader.read_classes(adoption, classes)
    reader.read_year_of_tools(rows_of(lake, "from marts.mart_value"), DISTRICT)
    # The four weeks before are all that there is of the year.
    unapproved = "select *, students as active_students from marts.mart_unknown_tool where tool_key is not null"
    reader.read_year_of_tools(rows_of(lake, unapproved), DISTRICT)
    reader.read_unused(rows_of(lake, "from marts.mart_unused_tool"), DISTRICT)
    return reader


def leaks(lake: Lake, reader: Reader) -> dict[Any, tuple[tuple[int, int], int]]:
    wanted = targets(lake, reader)
    assert len(wanted) > SAMPLE
    # All of the district's own counts for all students, and some of the rest.
    chosen = {name for name in wanted if name[4] == "district" and name[6] == "all_students"}
    chosen |= set(random.Random(1).sample(list(wanted), SAMPLE))
    wanted = {name: need for name, need in wanted.items() if name in chosen}
    needed = {name: values for name, (values, _) in wanted.items()}
    narrow = reader.attack.too_narrow(needed, reader.block, [None, ANY_TOOL])
    for name, (low, high) in narrow.items():
        assert low <= wanted[name][1] <= high, (name, low, high, wanted[name])
    return {name: (ends, wanted[name][1]) for name, ends in narrow.items()}


def test_the_published_marts_together_keep_their_secrets(lake: Lake) -> None:
    assert len([row for row in true_cells(lake) if row["shown_active"] is not None]) > 100
    assert not leaks(lake, reader_of_marts(lake))


def test_costs_are_divided_by_what_is_shown_only(lake: Lake) -> None:
    """A cost and what it is for each user give the users away, so that hidden users have neither."""
    shown = {row["tool_key"]: row["active_students"] for row in rows_of(lake, "from marts.mart_value")}
    costs = rows_of(lake, "from marts.mart_tool_cost")
    assert {row["ingredient"] for row in costs} == {"all", "licence", "training"}
    for row in costs:
        users = shown[row["tool_key"]]
        assert row["active_students"] == users
        divided = [value for name, value in row.items() if name.startswith("cost_per_active_student")]
        assert len(divided) == 3 and all((value is not None) == bool(users) for value in divided)
        if users is None:
            assert row["active_hours"] is None and row["undefined_reason"]
            assert all(value is None for name, value in row.items() if name.startswith("cost_per_active_hour"))
    assert None in shown.values() and any(shown.values())


def test_without_complementary_suppression_the_same_reader_works_one_out(lake: Lake) -> None:
    def primary_only() -> Iterator[Statement]:
        for row in true_cells(lake):
            place = (row["tool_key"], row["org_level"], row["org_key"], row["dimension"], row["subgroup"])
            about = ROUNDING if row["org_level"] == "grade" else 0
            for measure, week, count, is_sensitive in (
                ("size", None, row["eligible"], row["is_small_group"]),
                ("active", row["week_start_on"], row["active"], row["is_small_group"] or row["is_active_sensitive"]),
            ):
                yield Statement(
                    measure,
                    week,
                    *place,
                    *((1, N - 1) if measure == "size" else (0, float("inf")))
                    if is_sensitive
                    else (count - about, count + about),
                )

    cells = true_cells(lake)
    weeks = sorted({row["week_start_on"] for row in cells})
    reader = Reader(known(lake), primary_only(), weeks)
    hidden = reader.cell("active", weeks[1], "three_to_eight", "school", "s0", "race_ethnicity", "white")
    _, value = targets(lake, reader)[hidden]
    assert 0 < value < N
    assert reader.attack.ranges([hidden]) == {hidden: (value, value)}
