"""A web filter's log export (NDJSON, gzipped) -> landed, pseudonymised Parquet, against DuckDB copying it to Parquet.

    python -m benchmarks.log_file [--events 2000000] [--runs 3]

DuckDB's copy keeps every name, address and query as it is; ours cuts URLs, makes pseudonyms, fills the vault, holds
every row to its contract, sorts and hashes. Runs alternate, and the median of each side is compared.
"""

from __future__ import annotations

import argparse
import gzip
import os
import statistics
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np

from benchmarks.report import Line, show
from uptake import pipeline
from uptake.project import Project

GOAL = 0.7
CONFIG = """
state_dir: var
districts:
  - id: bench
    name: Benchmark district
    time_zone: America/Chicago
    calendar: {school_years: [{name: 2025-26, starts_on: 2025-08-18, ends_on: 2026-06-05}]}
    sources:
      - {name: logs, kind: dropfolder, folder: drop, mappings: [events.yaml], settle_seconds: 0}
"""
MAPPING = """
namespace: filterlog
resource: events
files: "*.ndjson.gz"
kind: event
event_time: at
time_zone: UTC
key: [id]
columns:
  - {header: id, required: true}
  - {header: at, type: timestamp, required: true}
  - {header: user, identifier: email}
  - {header: host}
  - {header: url, url: true}
  - {header: action}
  - {header: bytes, type: integer}
"""
LINE = (
    '{"id":"%s","at":"%sZ","user":"student%d@district.example","host":"device-%d","url":"https://%s/%s?q=%d",'
    '"action":"%s","bytes":%d}'
)


def write_log(path: Path, events: int) -> None:
    """A school day of 20,000 students on 400 sites."""
    draw = np.random.default_rng(7)
    start = np.datetime64("2026-04-14T13:00:00", "ms")
    moments = np.datetime_as_string(start + np.sort(draw.integers(0, 8 * 3_600_000, events)).astype("timedelta64[ms]"))
    students, sites = draw.integers(0, 20_000, events), draw.zipf(1.4, events) % 400
    paths, sizes, blocked = (
        draw.integers(0, 5_000, events),
        draw.integers(200, 90_000, events),
        draw.random(events) < 0.03,
    )
    ids = [draw.bytes(8).hex() for _ in range(events)]
    columns = (
        ids,
        moments.tolist(),
        students.tolist(),
        sites.tolist(),
        paths.tolist(),
        sizes.tolist(),
        blocked.tolist(),
    )
    with gzip.open(path, "wt", compresslevel=6) as file:
        for event, at, student, site, page, size, is_blocked in zip(*columns, strict=True):
            what = "BLOCKED" if is_blocked else "ALLOWED"
            place = f"app{site}.example.com", f"c/{page}"
            file.write(LINE % (event, at, student, student, *place, page, what, size) + "\n")


def ours(folder: Path, log: Path) -> float:
    (folder / "drop").mkdir(parents=True)
    (folder / "drop" / log.name).hardlink_to(log)
    (folder / "uptake.yaml").write_text(CONFIG)
    (folder / "events.yaml").write_text(MAPPING)
    project = Project.load(folder / "uptake.yaml")
    project.operations.connect().close()  # migrations are not part of a pull
    started = time.perf_counter()
    summary = pipeline.pull(project, "bench", "logs")
    seconds = time.perf_counter() - started
    return summary.counts()["landed"] / seconds


def peer(folder: Path, log: Path) -> float:
    folder.mkdir()
    started = time.perf_counter()
    with duckdb.connect() as connection:
        (rows,) = connection.execute(
            f"COPY (FROM read_json('{log}')) TO '{folder / 'events.parquet'}' (FORMAT parquet, COMPRESSION zstd)"
        ).fetchone() or (0,)
    return rows / (time.perf_counter() - started)


def run(events: int, runs: int) -> Line:
    rates: dict[str, list[float]] = {"ours": [], "peer": []}
    with tempfile.TemporaryDirectory() as temporary:
        log = Path(temporary) / "log.ndjson.gz"
        write_log(log, events)
        old = time.time() - 7200  # finished long ago, so that its end is not looked for
        os.utime(log, (old, old))
        for number in range(runs):
            for name, read in (("ours", ours), ("peer", peer)):
                rates[name].append(read(Path(temporary) / f"{name}-{number}", log))
    mine, theirs = (statistics.median(rates[name]) for name in ("ours", "peer"))
    return Line(
        f"log export to landed Parquet, {events:,} rows, {runs} runs",
        f"{mine:,.0f} rows/s",
        f"DuckDB's own copy {theirs:,.0f} rows/s",
        mine / theirs,
        f"at least {GOAL:g} of its rows per second",
        mine >= GOAL * theirs,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    show([run(arguments.events, arguments.runs)])
