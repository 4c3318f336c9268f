"""Days at the size of a large district: the same each time, skewed as real browsing is, and not quite clean."""

from __future__ import annotations

import gzip
import json
from datetime import date
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from typer.testing import CliRunner

from uptake.cli import app
from uptake.sandbox.district import SimulatedDistrict
from uptake.sandbox.large import LargeDay

DAY = date(2026, 4, 14)


@pytest.fixture(scope="module")
def pieces() -> dict[str, pa.Table]:
    return dict(LargeDay(SimulatedDistrict(400), DAY).pieces())


def test_a_school_day_has_its_events_for_each_student(pieces: dict[str, pa.Table]) -> None:
    rows = sum(piece.num_rows for piece in pieces.values())
    assert 400 * 200 <= rows < 400 * 200 * 1.02
    assert len(LargeDay(SimulatedDistrict(400), date(2026, 4, 18), per_student=200)) < rows * 1.02


def test_the_same_seed_gives_the_same_rows(pieces: dict[str, pa.Table]) -> None:
    again = dict(LargeDay(SimulatedDistrict(400), DAY).pieces())
    assert again.keys() == pieces.keys()
    assert all(again[name].equals(pieces[name]) for name in pieces)


def test_a_piece_holds_what_arrived_in_its_minutes(pieces: dict[str, pa.Table]) -> None:
    spans = [pc.min_max(piece["arrived_at"]).as_py() for piece in pieces.values()]
    assert all(before["max"] < after["min"] for before, after in pairwise(spans))
    assert all((span["max"] - span["min"]).total_seconds() < 900 for span in spans)


def test_some_rows_come_twice_and_some_late(pieces: dict[str, pa.Table]) -> None:
    whole = pa.concat_tables(pieces.values())
    repeated = whole.num_rows - pc.count_distinct(whole["event_key"]).as_py()
    assert 0.003 < repeated / whole.num_rows < 0.008
    distinct = whole.select(["timestamp", "event_key", "url"]).group_by(["timestamp", "event_key", "url"]).aggregate([])
    assert distinct.num_rows == whole.num_rows - repeated
    wait = pc.milliseconds_between(whole["timestamp"], whole["arrived_at"])
    assert 0 < pc.sum(pc.greater(wait, 8 * 3_600_000)).as_py() < 0.01 * whole.num_rows
    assert pc.min(wait).as_py() >= 0


def test_few_hosts_see_most_of_the_tail(pieces: dict[str, pa.Table]) -> None:
    hosts = pa.concat_tables(pieces.values())["domain"].value_counts()
    tail = sorted(
        (row["counts"] for row in hosts.to_pylist() if row["values"].startswith("site")),
        reverse=True,
    )
    assert len(tail) > 1000
    assert 0.3 < sum(tail[:10]) / sum(tail) < 0.7


def test_written_as_a_log_push_would_post_it(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["sandbox", "events", str(tmp_path), "--students", "60", "--minutes", "240"])
    assert result.exit_code == 0, result.output
    rows = []
    for file in sorted((tmp_path / "2026-04-14").iterdir()):
        rows += [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    assert len(rows) == len(LargeDay(SimulatedDistrict(60), DAY))
    assert rows[0]["Datetime"].startswith("2026-04-14T") and rows[0]["Datetime"].endswith("Z")
    assert {row["Action"] for row in rows} == {"allow", "block"}
