"""OneRoster pages over HTTP to landed Parquet, against dlt reading the same server's same rows to Parquet.

    python -m benchmarks.roster [--students 20000] [--runs 3]

Ours does more on the way: contracts, pseudonyms, vault, sorting, content hash, ledger. Both ask for pages of the same
size and read every page once; the server (its CPU included, on the same machine) is the simulated district. Runs
alternate, and the median of each side is compared.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pyarrow.parquet as pq

from benchmarks.report import Line, show
from uptake import pipeline
from uptake.project import Project
from uptake.sandbox.credentials import ONEROSTER_CLIENT, connection_environment

ROOT = Path(__file__).resolve().parents[1]
PORT = 8719
URL = f"http://127.0.0.1:{PORT}"
PAGE = 5000
RESOURCES = {"users": "rostering", "enrollments": "rostering", "results": "gradebook"}
GOAL = 5.0
SCOPES = " ".join(
    f"https://purl.imsglobal.org/spec/or/v1p2/scope/{name}.readonly" for name in ("roster", "roster-core", "gradebook")
)

CONFIG = f"""
state_dir: var
districts:
  - id: bench
    name: Benchmark district
    time_zone: America/Chicago
    calendar: {{school_years: [{{name: 2025-26, starts_on: 2025-08-18, ends_on: 2026-06-05}}]}}
    sources:
      - {{name: sis, kind: oneroster, connection: riverbend_sis, url: "{URL}", page_size: {PAGE}}}
"""


@contextmanager
def server(students: int, folder: Path) -> Iterator[None]:
    command = [
        str(Path(sys.executable).parent / "uptake"), "sandbox", "serve",
        "--students", str(students), "--port", str(PORT),
        "--state", str(folder / "state"), "--drop", str(folder / "drop"), "--speed", "0",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                httpx.get(f"{URL}/_sandbox/clock", timeout=2)
                break
            except httpx.TransportError:
                time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait()


def warm(client: httpx.Client) -> None:
    """A first row of each resource, so that neither side waits for the server to draw its district."""
    client_id, client_secret = ONEROSTER_CLIENT
    form = {"grant_type": "client_credentials", "scope": SCOPES}
    token = client.post("/token", data=form, auth=(client_id, client_secret)).json()["access_token"]
    for name, service in RESOURCES.items():
        path, headers = f"/ims/oneroster/{service}/v1p2/{name}", {"Authorization": f"Bearer {token}"}
        client.get(path, params={"limit": 1}, headers=headers).raise_for_status()


def ours(folder: Path) -> tuple[int, float]:
    """A fresh lake, vault and ledger each time. Returns rows and seconds."""
    folder.mkdir()
    config = folder / "uptake.yaml"
    config.write_text(CONFIG)
    project = Project.load(config)
    project.operations.connect().close()  # migrations are not part of a pull
    started = time.perf_counter()
    summary = pipeline.pull(project, "bench", "sis", resources=list(RESOURCES), full=True)
    seconds = time.perf_counter() - started
    return summary.counts()["landed"], seconds


def peer(folder: Path) -> tuple[int, float]:
    """dlt's own REST client and offset paging, its filesystem destination, Parquet. Returns rows and seconds."""
    import dlt
    from dlt.sources.helpers.rest_client import RESTClient
    from dlt.sources.helpers.rest_client.auth import OAuth2ClientCredentials
    from dlt.sources.helpers.rest_client.paginators import OffsetPaginator

    client_id, client_secret = ONEROSTER_CLIENT
    auth = OAuth2ClientCredentials(
        access_token_url=f"{URL}/token",
        client_id=client_id,
        client_secret=client_secret,
        access_token_request_data={"grant_type": "client_credentials", "scope": SCOPES},
    )
    client = RESTClient(base_url=URL, auth=auth)

    def resource(name: str, service: str):
        def pages():
            paginator = OffsetPaginator(limit=PAGE, total_path=None, stop_after_empty_page=True)
            yield from client.paginate(f"/ims/oneroster/{service}/v1p2/{name}", paginator=paginator, data_selector=name)

        return dlt.resource(pages, name=name, write_disposition="replace", primary_key="sourcedId")

    pipeline_ = dlt.pipeline(
        "roster", pipelines_dir=str(folder / "pipelines"), dataset_name="roster",
        destination=dlt.destinations.filesystem(bucket_url=(folder / "out").as_uri()),
    )  # fmt: skip
    started = time.perf_counter()
    pipeline_.run([resource(*entry) for entry in RESOURCES.items()], loader_file_format="parquet")
    seconds = time.perf_counter() - started
    rows = sum(
        pq.read_metadata(path).num_rows for name in RESOURCES for path in (folder / "out").rglob(f"{name}/*.parquet")
    )
    return rows, seconds


def run(students: int, runs: int) -> Line:
    os.environ |= connection_environment() | {"RUNTIME__DLTHUB_TELEMETRY": "false"}
    rates: dict[str, list[float]] = {"ours": [], "peer": []}
    rows: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as temporary, server(students, Path(temporary)):
        with httpx.Client(base_url=URL, timeout=300) as client:
            warm(client)
        for number in range(runs):
            for name, read in (("ours", ours), ("peer", peer)):
                rows[name], seconds = read(Path(temporary) / f"{name}-{number}")
                rates[name].append(rows[name] / seconds)
    if rows["ours"] != rows["peer"]:
        raise SystemExit(f"not the same rows: {rows}")
    mine, theirs = (statistics.median(rates[name]) for name in ("ours", "peer"))
    return Line(
        f"roster pages to landed Parquet, {rows['ours']:,} rows, {runs} runs",
        f"{mine:,.0f} rows/s",
        f"dlt {theirs:,.0f} rows/s",
        mine / theirs,
        f"at least {GOAL:g} times the rows per second",
        mine >= GOAL * theirs,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--students", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    show([run(arguments.students, arguments.runs)])
