"""The dashboard runs with its own folder on the path, as `streamlit run dashboard/app.py` has it."""

from __future__ import annotations

import functools
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "dashboard"), str(Path(__file__).parent)]

import make_snapshot  # noqa: E402
from fake_source import migrated  # noqa: E402
from streamlit import config  # noqa: E402
from streamlit.components.v2 import manifest_scanner  # noqa: E402
from streamlit.testing.v1 import AppTest  # noqa: E402

FIRST, SECOND = "20260411T021000-00000a", "20260413T021000-00000b"
PAGES = ("home", "adoption", "equity", "impact", "value", "quality")
TITLES = {
    "home": "What needs a decision now?",
    "adoption": "Which tools are our students using, and where?",
    "equity": "Who is being left out?",
    "impact": "Is this tool making a difference in student achievement?",
    "value": "What do we get for what we pay?",
    "quality": "Can we trust these numbers?",
}
CONFIG = """
state_dir: state
districts:
  - id: testville
    name: Testville Schools
    time_zone: America/Chicago
    calendar: {school_years: [{name: 2025-26, starts_on: 2025-08-18, ends_on: 2026-06-05}]}
  - id: open_data
    name: Open data
    time_zone: America/Chicago
    calendar: {school_years: [{name: "2020", starts_on: 2020-01-01, ends_on: 2020-12-31}]}
"""

# Each AppTest reads the metadata of every installed package, as a server does once when it starts.
manifest_scanner.scan_component_manifests = functools.cache(manifest_scanner.scan_component_manifests)


@contextmanager
def installed(folder: Path) -> Iterator[Path]:
    """An installation with two districts and nothing published; gives the folder of published snapshots."""
    (folder / "uptake.yaml").write_text(CONFIG)
    operations = folder / "state" / "operations"
    if not operations.exists():
        operations.mkdir(parents=True)
        shutil.copyfile(migrated(), operations / "uptake.db")
    before = config.get_option("server.address")
    config.set_option("server.address", "127.0.0.1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UPTAKE_CONFIG", str(folder / "uptake.yaml"))
        patch.setenv("UPTAKE_DASHBOARD_MODE", "demo")
        for name in ("UPTAKE_VIEWER_ROLE", "UPTAKE_VIEWERS", "UPTAKE_DATA_DOCS_URL", "UPTAKE_OPERATIONS_URL"):
            patch.delenv(name, raising=False)
        yield folder / "state" / "published"
    config.set_option("server.address", before)


def publish_both(folder: Path) -> None:
    """One district with students, and one that reports daily summaries only."""
    make_snapshot.publish(folder, FIRST)
    make_snapshot.publish(folder, FIRST, district="open_data", name="Open data", simulated=False, summary_only=True)


def open_page(page: str = "home", **address: str) -> AppTest:
    """A page of the dashboard, with what stands in its address."""
    app = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60)
    app.query_params.update(address)
    app.run()
    if page != "home":
        app.switch_page(f"questions/{page}.py").run()
    return app


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Path]:
    with installed(tmp_path) as published_folder:
        yield published_folder


@pytest.fixture(scope="session")
def _both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("both") / "published"
    publish_both(folder)
    return folder


@pytest.fixture
def published(installation: Path, _both: Path) -> Path:
    """Both districts, published, in an installation that a test may change."""
    shutil.copytree(_both, installation)
    return installation


@pytest.fixture
def visit(installation: Path) -> Callable[..., AppTest]:
    return open_page


@pytest.fixture(scope="session")
def look(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., AppTest]:
    """Pages of one published installation, each opened once: for tests that only read."""
    folder = tmp_path_factory.mktemp("look")
    with installed(folder) as published_folder:
        publish_both(published_folder)
    seen: dict[tuple[str, tuple[tuple[str, str], ...]], AppTest] = {}

    def page(name: str = "home", **address: str) -> AppTest:
        key = (name, tuple(sorted(address.items())))
        if key not in seen:
            with installed(folder):
                seen[key] = open_page(name, **address)
        return seen[key]

    return page


def said(app: AppTest) -> str:
    """All the words of a page outside its tables, without the escapes of Markdown."""
    parts = [element.value for kind in (app.title, app.subheader, app.markdown, app.caption, app.error, app.warning)
             for element in kind]  # fmt: skip
    parts += [f"{metric.label} {metric.value}" for metric in app.metric]
    return "\n".join(parts).replace("\\", "")


def tables(app: AppTest) -> list[pd.DataFrame]:
    """What each table of a page shows; one of sentences without the escapes of Markdown."""
    shown = [element.value for element in app.dataframe]
    return shown + [element.value.map(lambda cell: cell.replace("\\", "")) for element in app.table]
