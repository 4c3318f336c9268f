"""The query layer: the only SQL, bound parameters, the viewer's scope in every answer."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import make_snapshot
import pandas as pd
import pytest
from conftest import FIRST, ROOT, SECOND

from queries import adoption, equity, quality, value
from queries.reader import Connections, Reader, open_reader
from uptake.project import Project
from viewer import NotAllowed, Viewer

DASHBOARD = ROOT / "dashboard"
SQL = re.compile(
    r"\bselect\b.+\bfrom\b|\binsert\s+into\b|\bdelete\s+from\b|\bcreate\s+(?:or|table|view|temp)", re.I | re.S
)
LEADER = Viewer("chief@example.org", "leader", districts="all", schools="all")
WEEK = make_snapshot.LAST_WEEK


def reader_for(viewer: Viewer) -> Reader:
    reader = open_reader(Project.load(), "testville", viewer)
    assert reader is not None
    return reader


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for file in sorted(DASHBOARD.rglob("*.py")):
        yield file, ast.parse(file.read_text(encoding="utf-8"))


# --- rules over the source ---------------------------------------------------------------------------------------


def docstrings(tree: ast.AST) -> set[int]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            found.add(id(node.body[0].value))  # type: ignore[attr-defined]
    return found


def test_sql_stands_in_the_query_layer_only() -> None:
    outside = []
    for file, tree in sources():
        if file.parent.name == "queries":
            continue
        told = docstrings(tree)
        outside += [
            f"{file.name}:{node.lineno}"
            for node in ast.walk(tree)
            if (isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told
                and SQL.search(node.value))
            or (isinstance(node, ast.Import) and any(name.name == "duckdb" for name in node.names))
        ]  # fmt: skip
    assert outside == []


def test_the_rule_above_can_fail() -> None:
    assert SQL.search("select a\nfrom b")
    assert not SQL.search("Select a school above to see where it works.")


def test_a_query_is_one_plain_text_and_its_values_are_bound() -> None:
    calls = 0
    for file, tree in sources():
        if file.parent.name != "queries":
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "frame":
                calls += 1
                assert isinstance(node.args[0], ast.Constant), f"{file.name}:{node.lineno} builds its SQL"
                assert len(node.args) == 1
    assert calls > 15


def test_every_query_on_schools_asks_for_the_viewers_schools() -> None:
    of_schools = re.compile(r"from mart_(?:adoption|equity_gap)\b")
    whole_district = re.compile(r"where org_level = 'district'|from mart_adoption\s+group by tool_key|count\(\*\)")
    asked = 0
    for file, tree in sources():
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
            if of_schools.search(text) and not whole_district.search(text):
                asked += 1
                assert "$schools" in text and "$every_school" in text, f"{file.name}:{node.lineno}"
    assert asked >= 7


# --- scope ----------------------------------------------------------------------------------------------------------


def test_a_principal_sees_their_school_and_the_district(published: Path) -> None:
    reader = reader_for(Viewer("head@example.org", "principal", districts=("testville",), schools=("sch-1",)))
    places = adoption.places(reader)
    assert places[places["org_level"] == "school"]["org_key"].tolist() == ["sch-1"]
    every = {"dimension": "all_students", "subgroup": "all_students"}
    assert set(adoption.by_place(reader, week=WEEK, org_level="school", **every)["org_key"]) == {"sch-1"}
    assert adoption.by_tool(reader, week=WEEK, org_level="school", org_key="sch-2", **every).empty
    assert adoption.trend(reader, org_level="school", org_key="sch-2", **every).empty
    assert not adoption.trend(reader, org_level="school", org_key="sch-1", **every).empty
    assert adoption.classes(reader, week=WEEK, school_key="sch-2", tool_key="mathpath").empty
    assert not adoption.classes(reader, week=WEEK, school_key="sch-1", tool_key="mathpath").empty
    assert not adoption.by_tool(reader, week=WEEK, org_level="district", org_key=None, **every).empty
    assert set(equity.choices(reader)["org_key"]) == {"testville", "sch-1"}
    hidden = {"basis": "student_subgroup", "period": "latest_week", "tool_key": None, "metric": "adoption"}
    assert equity.gaps(reader, org_level="school", org_key="sch-4", **hidden).empty
    assert not equity.gaps(reader, org_level="school", org_key="sch-1", **hidden).empty
    with pytest.raises(NotAllowed):
        value.contracts(reader, school_year=None)


def test_what_one_viewer_read_is_read_once_and_is_no_other_viewers(published: Path) -> None:
    every = {"week": WEEK, "org_level": "school", "dimension": "all_students", "subgroup": "all_students"}
    leader = reader_for(LEADER)
    seen = adoption.by_place(leader, **every)
    leader.cursor.close()  # what follows cannot ask the file
    again = adoption.by_place(leader, **every)
    pd.testing.assert_frame_equal(again, seen)
    again["org_key"] = "changed by a page"
    assert set(adoption.by_place(leader, **every)["org_key"]) == set(seen["org_key"]) > {"sch-1"}
    for schools in (("sch-1",), ("sch-2",)):
        reader = reader_for(Viewer("head@example.org", "principal", districts=("testville",), schools=schools))
        assert set(adoption.by_place(reader, **every)["org_key"]) == set(schools)


def test_a_newer_snapshot_is_read_anew(installation: Path) -> None:
    read = []
    for snapshot, through in ((FIRST, date(2026, 4, 10)), (SECOND, date(2026, 4, 17))):
        make_snapshot.publish(installation, snapshot, through=through)
        read.append(value.contracts(reader_for(LEADER), school_year=None)["today"].max())
    assert read[0] < read[1]


def test_no_schools_is_no_school(published: Path) -> None:
    reader = reader_for(Viewer("head@example.org", "principal", districts=("testville",), schools=()))
    assert "school" not in set(adoption.places(reader)["org_level"])


def test_another_district_cannot_be_opened(published: Path) -> None:
    with pytest.raises(NotAllowed):
        open_reader(Project.load(), "testville", Viewer("x", "leader", districts=("open_data",), schools="all"))
    with pytest.raises(NotAllowed):
        open_reader(Project.load(), "testville", Viewer("x", "leader", districts=(), schools="all"))


def test_a_role_cannot_read_what_its_pages_do_not_show(published: Path) -> None:
    engineer = reader_for(Viewer("x", "engineer", districts="all", schools="all"))
    with pytest.raises(NotAllowed):
        adoption.tools(engineer)
    with pytest.raises(NotAllowed):
        equity.choices(engineer)
    assert len(quality.check_history(engineer))


# --- answers --------------------------------------------------------------------------------------------------------


def test_hidden_values_arrive_as_missing_not_as_zero(published: Path) -> None:
    rows = adoption.by_tool(
        reader_for(LEADER), week=WEEK, org_level="school", org_key="sch-1", dimension="all_students",
        subgroup="all_students",
    ).set_index("tool_key")  # fmt: skip
    assert rows.loc["sciencelab", ["active_students", "adoption_rate"]].isna().all()
    assert rows.loc["sciencelab", ["rate_low", "rate_high"]].tolist() == [0, 9 / 420]
    assert rows.loc["mathpath", "active_students"] > 100


def test_the_day_that_renewals_count_from(published: Path) -> None:
    rows = value.contracts(reader_for(LEADER), school_year="2025-26")
    assert set(rows["today"].dt.date) == {date(2026, 4, 14)}


# --- connections ------------------------------------------------------------------------------------------------------


def open_files(folder: Path) -> set[str]:
    links = Path("/proc/self/fd").iterdir()
    return {str(link.resolve()) for link in links if link.is_symlink() and str(link.resolve()).startswith(str(folder))}


def test_a_newer_snapshot_takes_over_and_pages_under_way_end_on_theirs(installation: Path) -> None:
    first = make_snapshot.publish(installation, FIRST) / "leaders.duckdb"
    second = make_snapshot.publish(installation, SECOND, through=date(2026, 4, 17)) / "leaders.duckdb"
    connections = Connections()
    old = connections.cursor("testville", first)
    new = connections.cursor("testville", second)
    question = "select max(data_complete_through) from mart_value"
    assert old.execute(question).fetchone() == (date(2026, 4, 10),)
    assert new.execute(question).fetchone() == (date(2026, 4, 17),)
    assert open_files(installation) == {str(first), str(second)}
    del old
    assert open_files(installation) == {str(second)}


def test_a_snapshot_cannot_be_written_and_reads_no_other_file(published: Path) -> None:
    import duckdb

    reader = reader_for(LEADER)
    with pytest.raises(duckdb.Error, match="read-only"):
        reader.frame("insert into mart_value (district_id) values ('x')")
    with pytest.raises(duckdb.Error, match="disabled"):
        reader.frame("select * from read_text('/etc/hostname')")
