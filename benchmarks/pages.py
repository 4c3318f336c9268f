"""Seconds that each page of the dashboard takes to answer, on the demo district as it is published.

    python -m benchmarks.pages [--config FILE]

Without --config the demo district is served, pulled, built, checked and published first, which takes some minutes. A
page is opened once, and then asked again as many times as told: a visit, a choice of filters and a new snapshot all
cost one run of it.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streamlit import config as streamlit_config
from streamlit.logger import set_log_level
from streamlit.testing.v1 import AppTest

from benchmarks.report import Line, show
from uptake import pipeline
from uptake.project import CONFIG_VARIABLE, Project
from uptake.sandbox.running import running_sandbox

ROOT = Path(__file__).resolve().parents[1]
GOAL_SECONDS = 1.0
PAGES = ("home", "adoption", "equity", "value", "quality")


@contextmanager
def demo_district() -> Iterator[Path]:
    """A configuration file whose district is the demo's, published."""
    with (
        tempfile.TemporaryDirectory(prefix="uptake-pages-") as name,
        running_sandbox(state=Path(name) / "sandbox", size="demo") as sandbox,
    ):
        os.environ |= sandbox.environment
        config = sandbox.write_config(Path(name) / "uptake.yaml")
        project = Project.load(config)
        for district in project.config.districts:
            pipeline.run(project, district.id)
        yield config


def seconds_of(page: str, runs: int) -> list[float]:
    app = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60).run()
    if page != PAGES[0]:
        app.switch_page(f"questions/{page}.py").run()
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        app.run()
        taken.append(time.perf_counter() - started)
    if app.exception or not app.metric:
        raise SystemExit(f"{page} shows no number: {[error.value for error in app.exception]}")
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, help="an installation whose first district is published")
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    os.environ["UPTAKE_DASHBOARD_MODE"] = "demo"
    set_log_level(logging.ERROR)  # it warns of runs outside of its server
    streamlit_config.set_option("server.address", "127.0.0.1")
    if options.config:
        lines = measured(options.config.resolve(), options.runs)
    else:
        with demo_district() as config:
            lines = measured(config, options.runs)
    show(lines)
    sys.exit(not all(line.is_met for line in lines))


def measured(config: Path, runs: int) -> list[Line]:
    os.environ[CONFIG_VARIABLE] = str(config)
    lines = []
    for page in PAGES:
        taken = seconds_of(page, runs)
        middle, longest = statistics.median(taken), max(taken)
        what = f"the page {page} answers (median of {runs}; longest {longest:.2f} s)"
        lines.append(
            Line(
                what,
                f"{middle:.2f} s",
                f"{GOAL_SECONDS:g} s",
                None,
                f"at most {GOAL_SECONDS:g} s",
                middle <= GOAL_SECONDS,
            )
        )
    return lines


if __name__ == "__main__":
    main()
