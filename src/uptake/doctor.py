"""What `uptake doctor` looks at: configuration, versions, disk, database, keys, clocks, credentials and sources.

It changes nothing and reads no row. Each finding is one line, and one that needs mending says how.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from uptake import clock
from uptake.catalogue import load_catalogue
from uptake.config import District, SourceSettings
from uptake.errors import ConfigError, TransientError, UptakeError
from uptake.landing.vault import PSEUDONYM_KEY, SEAL_KEY
from uptake.operations.migrations import HEAD
from uptake.operations.session import current_revision, make_engine
from uptake.pipeline import credential_of
from uptake.project import Project
from uptake.sources.registry import open_source

LOW_DISK_BYTES = 5 * 2**30
PYTHON = (3, 11)
# Packages whose behaviour Uptake leans on, and the release line it was tested with.
TESTED = {
    "duckdb": "2.",
    "pyarrow": "26.",
    "dbt-core": "1.11.",
    "dbt-duckdb": "1.11.",
    "great-expectations": "1.24.",
    "sqlalchemy": "2.1.",
    "apache-airflow": "3.3.",
    "streamlit": "1.67.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """is_transient: it may mend itself (a server that is down), so a script may try again."""

    subject: str
    is_ok: bool
    message: str
    remedy: str = ""
    is_transient: bool = False


def examine(
    project: Project, districts: list[District], *, source_name: str | None = None, reach: bool = True
) -> Iterator[Finding]:
    """Findings in the order in which they are made. `reach` False: nothing outside this machine is asked."""
    yield Finding("configuration", True, f"{project.config_path.name}: {_count(len(districts), 'district')}")
    yield from _versions()
    yield _state(project)
    yield _disk(project)
    yield _operations(project)
    for district in districts:
        yield from _district(project, district)
        for settings in district.sources:
            if source_name in (None, settings.name):
                yield from _source(project, district, settings, reach=reach)


def _attempt(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, True, look())
    except UptakeError as error:
        return Finding(subject, False, error.message, error.remedy, isinstance(error, TransientError))


def _versions() -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    is_ok = sys.version_info[:2] >= PYTHON
    yield Finding("python", is_ok, python, "" if is_ok else "install Python 3.11 or newer.")
    for package, tested in TESTED.items():
        try:
            found = version(package)
        except PackageNotFoundError:
            yield Finding(package, False, "not installed", "install from requirements.lock.")
            continue
        is_ok = found.startswith(tested)
        remedy = "" if is_ok else f"Uptake was tested with {tested}x: install from requirements.lock."
        yield Finding(package, is_ok, found, remedy)


def _state(project: Project) -> Finding:
    folder = project.state_dir
    if not folder.exists():
        return Finding("state folder", False, f"{folder} is not there", "run `uptake init`.")
    if not os.access(folder, os.W_OK | os.X_OK):
        return Finding("state folder", False, f"{folder} cannot be written", "give it to the user that runs Uptake.")
    return Finding("state folder", True, str(folder))


def _disk(project: Project) -> Finding:
    folder = project.state_dir
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    is_ok = free >= LOW_DISK_BYTES
    remedy = "" if is_ok else "free some disk, or move state_dir: a full disk stops every pull and build."
    return Finding("disk", is_ok, f"{free / 2**30:.1f} GiB free", remedy)


def _operations(project: Project) -> Finding:
    def look() -> str:
        engine = make_engine(project.operations_url)
        try:
            revision = current_revision(engine)
        finally:
            engine.dispose()
        if revision != HEAD:
            state = "empty" if revision is None else f"at migration {revision}, not {HEAD}"
            raise ConfigError(f"{engine.dialect.name}, {state}", remedy="run `uptake init`, which migrates it.")
        return f"{engine.dialect.name}, migration {revision}"

    if project.operations_url.startswith("sqlite:///"):
        file = Path(project.operations_url.removeprefix("sqlite:///"))
        if not file.exists():
            return Finding("operations database", False, "not there yet", "run `uptake init`.")
    return _attempt("operations database", look)


def _district(project: Project, district: District) -> Iterator[Finding]:
    def catalogue() -> str:
        found = load_catalogue(district.tool_catalogue)
        if not found.tools:
            raise ConfigError(
                "no tool catalogue: every tool is unknown", remedy="name a CSV file as tool_catalogue in uptake.yaml."
            )
        return _count(len(found.tools), "tool")

    yield _keys(project, district)
    yield _attempt(f"{district.id}: tool catalogue", catalogue)
    if district.clock_url is not None:
        yield _attempt(f"{district.id}: clock", lambda: f"{clock.now(district):%Y-%m-%d %H:%M} UTC (simulated)")


def _keys(project: Project, district: District) -> Finding:
    subject = f"{district.id}: keys"
    folder = project.vault(district.id)
    for name in (PSEUDONYM_KEY, SEAL_KEY):
        path = folder / name
        if not path.exists():
            return Finding(
                subject, False, f"{name} is not there", "run `uptake init`; if people are known already, restore it."
            )
        if path.stat().st_mode & 0o077 or folder.stat().st_mode & 0o077:
            return Finding(
                subject, False, f"{path} can be read by others", f"chmod 700 {folder} && chmod 600 {folder}/*"
            )
    return Finding(subject, True, "there, and private")


def _source(project: Project, district: District, settings: SourceSettings, *, reach: bool) -> Iterator[Finding]:
    subject = f"{district.id}: {settings.name} ({settings.kind})"
    credential = _attempt(f"{subject} credential", lambda: _credential(project, settings))
    yield credential
    if not credential.is_ok or not reach:
        return

    def probe() -> str:
        with open_source(settings, credential_of(project, settings)) as source:
            return source.probe()

    yield _attempt(subject, probe)


def _credential(project: Project, settings: SourceSettings) -> str:
    return "not needed" if credential_of(project, settings) is None else f"found as {settings.connection}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
