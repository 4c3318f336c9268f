"""Tables of words: sorted as numbers, saved as shown."""

from __future__ import annotations

import pandas as pd

from components.columns import name, of, remark
from components.table import _sortable, as_csv, shown
from components.words import count


def test_numbers_sort_as_numbers_though_they_are_text() -> None:
    frame = pd.DataFrame({"n": [5, 12345, 94, 1310]})
    columns = [of("n", "Students", count)]
    padded = _sortable(shown(frame, columns), columns)["Students"]
    assert [cell.strip() for cell in sorted(padded)] == ["5", "94", "1,310", "12,345"]


def test_a_remark_column_is_there_only_when_something_is_said() -> None:
    columns = [name("a", "A"), remark("b", "Why")]
    assert shown(pd.DataFrame({"a": ["x"], "b": [None]}), columns).columns.tolist() == ["A"]
    assert shown(pd.DataFrame({"a": ["x"], "b": ["because"]}), columns).columns.tolist() == ["A", "Why"]


def test_a_missing_name_is_said() -> None:
    assert shown(pd.DataFrame({"a": [None]}), [name("a", "A")])["A"].tolist() == ["not known"]


def test_a_cell_that_a_spreadsheet_would_run_is_text() -> None:
    saved = as_csv(pd.DataFrame({"Tool": ["=cmd()", "+1", "@x", "-", "MathPath"]})).decode("utf-8-sig")
    assert saved.splitlines() == ["Tool", "'=cmd()", "'+1", "'@x", "-", "MathPath"]
