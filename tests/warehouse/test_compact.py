"""Small files become few: readers see the same rows, builds make nothing again, a kill at any instant does no harm."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import NOW
from lake import DISTRICT, Lake, at, request, roster, user
from sqlalchemy import select, update

from uptake import pipeline
from uptake.compact import Compacted
from uptake.contracts import Window
from uptake.landing import ledger
from uptake.landing.deletes import find_vanished
from uptake.operations.models import LandedFile, Outcome
from uptake.operations.session import reading, writing
from uptake.retention import prune
from uptake.sources.registry import warehouse_resources
from uptake.warehouse.prepare import finish, prepare

CONFIG_SOURCES = """\
    sources:
      - {name: sis, kind: oneroster, url: "http://127.0.0.1:1", connection: none}
      - {name: filter, kind: umbrella, url: "http://127.0.0.1:1", connection: none}
      - {name: events, kind: caliper}
"""
VIEWS = {"oneroster__users": "oneroster", "umbrella__activity": "umbrella", "caliper__event": "caliper"}


def caliper(number: int, when: str) -> dict[str, Any]:
    return {"event_key": f"k{number}", "eventTime": at(when), "action": "Used", "actor_id": "s1", "actor_sis_id": "s1"}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Hourly windows of a filter over two days, segments of pushed events, and a roster that changed every day."""
    from lake import CONFIG

    made = Lake(tmp_path, config=CONFIG + CONFIG_SOURCES)
    roster(made)
    for hour in range(12, 36):
        start = at("2026-02-03T00:00:00") + timedelta(hours=hour)
        rows = [request(f"{start + timedelta(minutes=n):%Y-%m-%dT%H:%M:%S}", "s1@mail") for n in (1, 1, 30)]
        window = Window.between("interval", start, start + timedelta(hours=1))
        made.land("umbrella", "activity", rows, window=window)
    for number in range(6):
        window = Window("file", f"segment-{number}", start=at("2026-02-03T15:00:00"))
        made.land(
            "caliper",
            "event",
            [caliper(number, f"2026-02-03T15:0{number}:00"), caliper(0, "2026-02-03T15:00:00")],
            window=window,
        )
        changed = at("2025-09-01T12:00:00") + timedelta(days=number)
        row = user("s1", f"0{number}", "north") | {"status": "active", "dateLastModified": changed}
        gone = [user("s2", "03", "north") | {"status": "active", "dateLastModified": changed}] if number == 2 else []
        made.land("oneroster", "users", [row], deleted=gone)
    with writing(made.project.operations) as session:
        for row in session.scalars(select(LandedFile)):
            row.landed_at -= timedelta(days=3)
    return made


def rows_of(lake: Lake) -> dict[str, Counter[str]]:
    """Every row of every view, with what the ledger knows of it; not in which file it is now."""
    found = {}
    with closing(duckdb.connect(str(lake.project.warehouse(DISTRICT)))) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for view in VIEWS:
            rows = connection.execute(f"select * exclude (_row_no) from landing.{view}").fetchall()
            found[view] = Counter(str(row) for row in rows)
    return found


def prepared(lake: Lake) -> Any:
    return prepare(lake.project, lake.district, models_signature="m")


def built(lake: Lake) -> None:
    """What a good build leaves behind."""
    work = prepared(lake)
    with closing(duckdb.connect(str(work.warehouse))) as connection:
        connection.execute(
            "create or replace table intermediate.int_person_identity as "
            "select 'a' as identifier_kind, 'b' as identifier, 'c' as person_key"
        )
    finish(work)


def compact_all(lake: Lake, **options: Any) -> dict[str, Compacted]:
    sources = ("sis", "filter", "events")
    return {source: pipeline.compact(lake.project, DISTRICT, source, **options) for source in sources}


def test_readers_see_the_same_rows_and_a_build_finds_nothing_new(lake: Lake) -> None:
    built(lake)
    before = rows_of(lake)
    planned = compact_all(lake, dry_run=True)
    assert rows_of(lake) == before and not list(lake.project.lake.rglob("compacted-*"))
    done = compact_all(lake)
    assert {name: (one.files, one.into, one.rows) for name, one in done.items()} == {
        "sis": (6, 1, 11),  # the first roster and its changes; the newest file of an entity stays
        "filter": (24, 2, 72),
        "events": (6, 1, 12),
    }
    assert {name: (one.files, one.into) for name, one in planned.items()} == {
        name: (one.files, one.into) for name, one in done.items()
    }
    work = prepared(lake)
    assert work.is_nothing or not (work.dates or work.changed), "the same rows are no reason to build"
    prepare(lake.project, lake.district, models_signature="m", full_refresh=True)  # so that all dates are shown
    assert rows_of(lake) == before
    assert compact_all(lake) == {name: Compacted() for name in done}, "a second time there is nothing to do"
    with reading(lake.project.operations) as session:
        outcomes = session.scalars(select(Outcome).filter_by(step="compact")).all()
        assert [(one.rows_in, one.rows_out) for one in outcomes] == [(11, 11), (36, 36), (36, 36), (12, 12)]


def test_a_file_that_no_build_had_seen_makes_its_own_dates_and_no_others(lake: Lake) -> None:
    built(lake)
    window = Window.between("interval", at("2026-02-03T11:00:00"), at("2026-02-03T12:00:00"))
    lake.land("umbrella", "activity", [request("2026-02-03T11:30:00", "s1@mail")], window=window)
    with writing(lake.project.operations) as session:
        session.execute(
            update(LandedFile)
            .where(LandedFile.window_token == window.token)
            .values(landed_at=at("2026-02-01T00:00:00"))
        )
    compact_all(lake)
    assert prepared(lake).dates == {date(2026, 2, 3)}


def test_reading_a_day_again_replaces_its_compacted_file(lake: Lake) -> None:
    compact_all(lake)
    day = Window.between("interval", at("2026-02-03T00:00:00"), at("2026-02-04T00:00:00"))
    lake.land("umbrella", "activity", [request("2026-02-03T16:00:00", "s1@mail")], window=day)
    prepared(lake)
    assert sum(rows_of(lake)["umbrella__activity"].values()) == 1 + 36


def test_what_was_deleted_and_came_back_is_told_inside_a_compacted_file(lake: Lake) -> None:
    compact_all(lake)
    resource = warehouse_resources()["oneroster", "users"]
    held = ledger.live_files(lake.project.operations, DISTRICT, "sis", "users")
    assert len(held) == 2
    columns = {
        name: pa.array([], resource.landed_schema.field(name).type) for name in ("sourcedId", *resource.delete_scope)
    }
    pulled = pa.table(columns)
    vanished = find_vanished(resource, lake.project.lake, held, pulled, max_vanished_share=1.0, accepts=True)
    assert sorted(vanished.rows.column("sourcedId").to_pylist()) == ["s1", "s3", "s4", "t1"], "s2 was marked already"


def test_the_ledger_forgets_what_became_part_of_another_file(lake: Lake) -> None:
    before = len(ledger.named_paths(lake.project.operations, DISTRICT, "filter"))
    compact_all(lake)
    done = prune(lake.project, lake.district, run_id="r", now=datetime.now(UTC) + timedelta(days=31))
    assert done.lake_files == done.ledger_rows == 36
    assert len(ledger.named_paths(lake.project.operations, DISTRICT, "filter")) == before - 24 + 2
    prepared(lake)
    assert sum(rows_of(lake)["umbrella__activity"].values()) == 72


def test_young_files_and_spans_in_the_look_back_stay(lake: Lake) -> None:
    with writing(lake.project.operations) as session:
        session.execute(update(LandedFile).where(LandedFile.source == "events").values(landed_at=datetime.now(UTC)))
        # The district's now is NOW: spans of yesterday will be read again.
        session.execute(
            update(LandedFile).where(LandedFile.source == "filter").values(window_start=NOW, window_end=NOW)
        )
    done = compact_all(lake)
    assert done["events"] == done["filter"] == Compacted()


SCRIPT = """
import sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from lake import DISTRICT, Lake
from uptake import clock, pipeline
import uptake.compact
from conftest import NOW
clock.now = lambda district: NOW
lake = Lake.at(Path(sys.argv[1]))
lake.project.operations.connect().close()
print("ready", flush=True)
for source in ("sis", "filter", "events"):
    pipeline.compact(lake.project, DISTRICT, source)
"""


def test_killed_at_random_instants_and_run_again(lake: Lake) -> None:
    """No row is lost or there twice, whenever the process dies; what it left is swept."""
    prepared(lake)
    before = rows_of(lake)
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    here = Path(__file__).parent
    killed = 0
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, lake.root, here, here.parent / "support"], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0, 0.25))
        killed += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        prepared(lake)
        assert rows_of(lake) == before, f"seed {seed}"
        for row in ledger.live_files(lake.project.operations, DISTRICT):
            assert pq.read_metadata(lake.project.lake / row.path).num_rows == row.row_count, f"seed {seed}"
    assert killed, f"nothing was killed (seed {seed})"
    compact_all(lake)
    for source in ("sis", "filter", "events"):
        pipeline.sweep_source(lake.project, DISTRICT, source)
    prepared(lake)
    assert rows_of(lake) == before, f"seed {seed}"
    assert len(ledger.live_files(lake.project.operations, DISTRICT, "filter")) == 2
    on_disk = {
        path.relative_to(lake.project.lake).as_posix() for path in lake.project.lake.rglob("*") if path.is_file()
    }
    named = set().union(
        *(ledger.named_paths(lake.project.operations, DISTRICT, name) for name in ("sis", "filter", "events"))
    )
    assert on_disk == named
