"""Log files of web filters -> rows held to their contract, against DuckDB's plain read of the same file.

    python -m benchmarks.filter_logs [--lines 500000] [--runs 3]

DuckDB splits the lines into columns of text and no more. Ours also types them, finds who each line is about, makes a
keyed hash of it and tells broken lines from others. Landing comes on top and is the same for all sources
(`benchmarks.log_file`). Runs alternate, and the median of each side is compared.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from benchmarks.report import Line, show
from uptake.sources.base import Home
from uptake.sources.filterlog import FilterLog, FilterLogSettings

GOAL = 0.25
GOAL_OF_JSON = 0.12  # each record is hashed as the pushed ones are, so that one which came both ways is one
START = datetime(2026, 2, 3, 14, 0, tzinfo=UTC)
OPTIONS: dict[str, dict[str, Any]] = {
    "umbrella-dns": {"schema_version": 10},
    "umbrella-proxy": {"schema_version": 13},
    "squid": {},
    "paloalto-url": {"schema_version": "9.1", "time_zone": "America/Chicago"},
    "cloudflare-gateway-http": {},
}


def _dns(at: datetime, who: int, site: int, page: int) -> str:
    label = f"Student {who} (student{who}@maple.example)"
    return (
        f'"{at:%Y-%m-%d %H:%M:%S}","{label}","{label},lab-{who}","10.1.2.3","24.123.132.133","Allowed","1 (A)",'
        f'"NOERROR","app{site}.example.com.","Education,Science","AD Users","AD Users,Anyconnect Roaming Client","",'
        f'"506165","","{page}"'
    )


def _proxy(at: datetime, who: int, site: int, page: int) -> str:
    fields = {0: f"{at:%Y-%m-%d %H:%M:%S}", 1: f"student{who}@maple.example", 2: "10.1.2.3", 6: "ALLOWED", 10: "200"}
    fields |= {
        7: f"https://app{site}.example.com/c/{page}?q={who}",
        9: "Mozilla/5.0 (X11; CrOS x86_64)",
        15: "Education",
    }
    fields |= {21: "AD Users", 23: f"student{who}@maple.example,lab-{who}", 24: "AD Users,Roaming Computers", 25: "GET"}
    return ",".join(f'"{fields.get(place, "")}"' for place in range(49))


def _squid(at: datetime, who: int, site: int, page: int) -> str:
    return (
        f"{at.timestamp():.3f}    {page} 10.1.2.3 TCP_MISS/200 4123 GET http://app{site}.example.com/c/{page}?q={who} "
        f"student{who}@maple.example HIER_DIRECT/1.2.3.4 text/html"
    )


def _palo_alto(at: datetime, who: int, site: int, page: int) -> str:
    local = at - timedelta(hours=6)
    fields = {0: "1", 1: f"{local:%Y/%m/%d %H:%M:%S}", 2: "0123", 3: "THREAT", 4: "url", 7: "10.1.2.3", 30: "alert"}
    fields |= {6: f"{local:%Y/%m/%d %H:%M:%S}", 12: f"maple\\student{who}", 31: f'"app{site}.example.com/c/{page}"'}
    fields |= {33: "educational-institutions", 75: '"educational-institutions,low-risk"', 46: '"Mozilla/5.0"'}
    return ",".join(fields.get(place, "") for place in range(79))


def _cloudflare(at: datetime, who: int, site: int, page: int) -> str:
    return (
        f'{{"Datetime":"{at:%Y-%m-%dT%H:%M:%SZ}","Email":"student{who}@maple.example","DeviceID":"lab-{who}",'
        f'"URL":"https://app{site}.example.com/c/{page}","HTTPHost":"app{site}.example.com","Action":"allow",'
        f'"UserAgent":"Mozilla/5.0","SourceIP":"10.1.2.3","CategoryNames":["Education"]}}'
    )


LINES: dict[str, Callable[[datetime, int, int, int], str]] = {
    "umbrella-dns": _dns,
    "umbrella-proxy": _proxy,
    "squid": _squid,
    "paloalto-url": _palo_alto,
    "cloudflare-gateway-http": _cloudflare,
}
_CSV = "read_csv('{}', header = false, all_varchar = true, delim = '{}', quote = '{}', null_padding = true)"
PEERS = {name: _CSV.format("{}", ",", '"') for name in ("umbrella-dns", "umbrella-proxy", "paloalto-url")} | {
    "squid": _CSV.format("{}", " ", ""),
    "cloudflare-gateway-http": "read_json('{}', format = 'newline_delimited')",
}


def write_log(path: Path, name: str, lines: int) -> None:
    """Eight hours of 20,000 students on 400 sites."""
    draw = np.random.default_rng(7)
    columns = draw.integers(0, 8 * 3600, lines), draw.integers(0, 20_000, lines), draw.zipf(1.4, lines) % 400
    pages = draw.integers(0, 5_000, lines)
    with path.open("w") as file:
        for second, who, site, page in zip(*(np.sort(columns[0]), *columns[1:], pages), strict=True):
            file.write(LINES[name](START + timedelta(seconds=int(second)), int(who), int(site), int(page)) + "\n")


def ours(folder: Path, name: str) -> float:
    entry = {"name": "logs", "kind": "filterlog", "folder": folder, "files": f"{name}.log", "format": name}
    with FilterLog(FilterLogSettings.model_validate(entry | OPTIONS[name]), None) as source:
        source.settle(Home(folder, bytes(32)))
        (resource,) = source.resources.values()
        (window,) = source.windows(resource, since=None, until=START, full=False)
        started = time.perf_counter()
        rows = sum(batch.table.num_rows for batch in source.pull(resource, window))
        return rows / (time.perf_counter() - started)


def peer(folder: Path, name: str) -> float:
    started = time.perf_counter()
    with duckdb.connect() as connection:
        table = connection.sql(f"FROM {PEERS[name].format(folder / f'{name}.log')}").to_arrow_table()
    return table.num_rows / (time.perf_counter() - started)


def run(name: str, lines: int, runs: int) -> Line:
    rates: dict[str, list[float]] = {"ours": [], "peer": []}
    with tempfile.TemporaryDirectory() as temporary:
        log = Path(temporary) / f"{name}.log"
        write_log(log, name, lines)
        old = time.time() - 7200
        os.utime(log, (old, old))
        for _ in range(runs):
            rates["ours"].append(ours(log.parent, name))
            rates["peer"].append(peer(log.parent, name))
    goal = GOAL_OF_JSON if name.startswith("cloudflare") else GOAL
    mine, theirs = (statistics.median(rates[side]) for side in ("ours", "peer"))
    return Line(
        f"{name}, {lines:,} lines, {runs} runs",
        f"{mine:,.0f} rows/s",
        f"DuckDB's plain read {theirs:,.0f} rows/s",
        mine / theirs,
        f"at least {goal:g} of its rows per second",
        mine >= goal * theirs,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=500_000)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    show([run(name, arguments.lines, arguments.runs) for name in LINES])
