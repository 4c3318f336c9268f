"""Opening a published snapshot for one viewer.

A `Reader` cannot be made for a district that its viewer may not see, and its queries bind the viewer's schools
themselves: a page cannot forget to filter.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import streamlit as st

from uptake.project import Project
from uptake.warehouse.publish import SnapshotRef, current_snapshot
from viewer import NotAllowed, Page, Viewer

KEPT = 500  # results of queries; most are of some kB


class Connections:
    """One open connection a district.

    A newer snapshot takes the place of the older one, whose file is closed when the last page that reads it ends:
    `close()` would take the cursors of those pages with it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, tuple[Path, duckdb.DuckDBPyConnection]] = {}

    def cursor(self, district_id: str, file: Path) -> duckdb.DuckDBPyConnection:
        with self._lock:
            held = self._open.get(district_id)
            if held is None or held[0] != file:
                config = {"enable_external_access": "false", "threads": "2", "memory_limit": "1GB"}
                held = (file, duckdb.connect(str(file), read_only=True, config=config))
                self._open[district_id] = held
            return held[1].cursor()


@st.cache_resource(show_spinner=False)
def _connections() -> Connections:
    return Connections()


@st.cache_data(show_spinner=False, max_entries=KEPT)
def _rows(file: Path, sql: str, parameters: dict[str, Any], _cursor: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """A published file never changes, so what was read of it once is kept: a copy for each that asks. Whoever may see
    other schools has other parameters."""
    return _cursor.execute(sql, parameters).df()


@dataclass(frozen=True)
class Reader:
    """Queries on one snapshot, for one viewer and page."""

    viewer: Viewer
    district_id: str
    snapshot: SnapshotRef
    cursor: duckdb.DuckDBPyConnection

    def frame(self, sql: str, **parameters: Any) -> pd.DataFrame:
        """Rows as a frame; `$every_school` and `$schools` are bound from the viewer, never from the page."""
        if "$schools" in sql:
            parameters |= {"every_school": self.viewer.sees_every_school, "schools": self.viewer.school_keys}
        return _rows(self.snapshot.leaders, sql, parameters, self.cursor)

    def require(self, page: Page) -> None:
        """Raises NotAllowed when the viewer's role has nothing to do with that page's figures."""
        if not self.viewer.may_open(page):
            raise NotAllowed("Your role does not include this page.")

    @property
    def manifest(self) -> dict[str, Any]:
        return dict(self.snapshot.manifest)

    @property
    def is_simulated(self) -> bool:
        return bool(self.manifest["is_simulated"])

    @property
    def data_through(self) -> date | None:
        through = self.manifest.get("data_complete_through")
        return date.fromisoformat(str(through)[:10]) if through else None

    @property
    def published_at(self) -> datetime:
        return datetime.fromisoformat(str(self.manifest["published_at"]))


def pointed_at(project: Project, district_id: str, viewer: Viewer) -> SnapshotRef | None:
    """The published snapshot of a district; None while nothing has been published."""
    if not viewer.may_see_district(district_id):
        raise NotAllowed("You may not see this district.")
    return current_snapshot(project, district_id)


def open_reader(project: Project, district_id: str, viewer: Viewer) -> Reader | None:
    """A reader on the district's published snapshot; None while nothing has been published."""
    snapshot = pointed_at(project, district_id, viewer)
    if snapshot is None:
        return None
    cursor = _connections().cursor(district_id, snapshot.leaders)
    return Reader(viewer, district_id, snapshot, cursor)
