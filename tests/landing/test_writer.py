"""One file for each window: sorted, and the same whatever way its rows came."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fake_source import VISITS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from uptake.contracts import TIMESTAMP
from uptake.landing import writer
from uptake.landing.ledger import At, NewFile
from uptake.landing.writer import WindowWriter

AT = At("lakeside", "sis", "visits")
START = datetime(2026, 4, 14, tzinfo=UTC)


@pytest.fixture(autouse=True)
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "ROW_GROUP_ROWS", 10)
    monkeypatch.setattr(writer, "SLACK_ROWS", 3)


Visit = tuple[int | None, int]  # minutes after the start, and a number that is its id


def visits(minutes: Iterable[int]) -> list[Visit]:
    return [(minute, 0) for minute in minutes]


def table(rows: list[Visit]) -> pa.Table:
    times = [None if minute is None else START + timedelta(minutes=minute) for minute, _ in rows]
    ids = pa.array([f"visit-{number:02}" for _, number in rows])
    nothing = pa.nulls(len(rows), pa.string())
    return pa.table([ids, nothing, nothing, pa.array(times, TIMESTAMP)], schema=VISITS.landed_schema)


def written(lake: Path, batches: list[list[Visit]]) -> NewFile:
    with WindowWriter(lake, AT, "token", VISITS) as window:
        for rows in batches:
            window.add(table(rows))
        file = window.finish()
    assert file is not None
    return file


def visits_of(lake: Path, file: NewFile) -> list[Visit]:
    landed = pq.ParquetFile(lake / file.path).read()
    times = [None if at is None else (at - START) // timedelta(minutes=1) for at in landed.column("at").to_pylist()]
    return [(minute, int(name[-2:])) for minute, name in zip(times, landed.column("id").to_pylist(), strict=True)]


def by_time(row: Visit) -> tuple[bool, int]:
    return row[0] is None, row[0] or 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(st.sampled_from([0, 1, 1, 1, 2, None]), st.integers(0, 99)), min_size=25, max_size=60),
    sizes=st.lists(st.integers(1, 15), min_size=60, max_size=60),
    order=st.sampled_from(["by time", "by time, turned", "none"]),
)
def test_a_file_is_the_same_however_its_rows_came(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Visit], sizes: list[int], order: str
) -> None:
    if order != "none":
        rows = sorted(rows, key=by_time, reverse=order == "by time, turned")
    ends = list(itertools.accumulate(sizes))
    batches = [rows[start:end] for start, end in itertools.pairwise([0, *ends]) if rows[start:end]]
    lake = tmp_path_factory.mktemp("lake")
    file = written(lake, batches)
    in_order = sorted(rows, key=lambda row: (*by_time(row), row[1]))
    assert visits_of(lake, file) == in_order
    assert (file.row_count, file.content_hash) == (len(rows), written(lake, [in_order]).content_hash)


def test_rows_in_order_are_written_while_others_come(tmp_path: Path) -> None:
    with WindowWriter(tmp_path, AT, "token", VISITS) as window:
        window.add(table(visits(range(12))))
        assert list(tmp_path.rglob("*.tmp")) == []
        window.add(table(visits(range(12, 24))))
        assert len(list(tmp_path.rglob("*.tmp"))) == 1
        window.add(table([(9, 1)]))  # no later than the last that is written
        assert list(tmp_path.rglob("*.tmp")) == []
        window.add(table(visits(range(24, 48))))
        assert list(tmp_path.rglob("*.tmp")) == []
        file = window.finish()
    assert file is not None and visits_of(tmp_path, file) == sorted([*visits(range(48)), (9, 1)])


def test_what_starts_over_forgets_what_was_written_early(tmp_path: Path) -> None:
    with WindowWriter(tmp_path, AT, "token", VISITS) as window:
        window.add(table(visits(range(20, 40))))
        window.start_over()
        window.add(table(visits(range(20))))
        file = window.finish()
    assert file is not None and visits_of(tmp_path, file) == visits(range(20))


def test_a_large_window_in_order_is_sorted_and_another_stands_as_it_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SORT_ROWS", 30)
    in_order = [visits(range(start, start + 5)) for start in range(0, 60, 5)]
    assert visits_of(tmp_path, written(tmp_path, in_order)) == visits(range(60))
    late = visits_of(tmp_path, written(tmp_path, [*in_order, [(1, 1)]]))
    assert sorted(late) == sorted([*visits(range(60)), (1, 1)]) and late[-1] == (1, 1)
