"""The shipped sources read the sandbox whole: what lands is what was generated, no more and no less."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
import pytest

from uptake.pipeline import pull
from uptake.project import Project
from uptake.sandbox.running import RunningSandbox, running_sandbox
from uptake.sandbox.schoolyear import DAY_MS

HISTORY_DAYS = 9


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    with running_sandbox(size="small", state=tmp_path_factory.mktemp("pulled")) as running:
        yield running


@pytest.fixture
def project(fresh: RunningSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name, value in fresh.environment.items():
        monkeypatch.setenv(name, value)
    return Project.load(fresh.write_config(tmp_path / "uptake.yaml", history_days=HISTORY_DAYS))


def landed(project: Project, source: str, resource: str) -> ds.Dataset:
    return ds.dataset(project.lake / "district=riverbend" / f"source={source}" / f"resource={resource}")


def test_every_source_lands_without_a_row_in_quarantine(fresh: RunningSandbox, project: Project) -> None:
    for source in ("sis", "lms", "filter", "registers"):
        counts = pull(project, "riverbend", source).counts()
        assert counts["pulled"] == counts["landed"] > 0
        assert counts["quarantined"] == 0
    assert landed(project, "registers", "contracts").count_rows() == 12
    assert landed(project, "registers", "cost_ingredients").count_rows() == 9

    district, now = fresh.district, fresh.sandbox.clock.now_ms
    start = now - HISTORY_DAYS * DAY_MS
    first = district.year.first + int(np.searchsorted(district.year.midnights, start, side="right")) - 1
    expected, views = 0, 0
    for day in range(first, first + HISTORY_DAYS + 2):
        rows = district.usage.filter_rows(day)
        expected += int(((rows.at >= start) & (rows.at < now) & (rows.served_from <= now)).sum())
    assert landed(project, "filter", "activity").count_rows() == expected > 1000
    # Canvas lists 30 days; the first of them that it still lists whole, in UTC, is where the first pull begins.
    start = (now - 30 * DAY_MS) // DAY_MS * DAY_MS + DAY_MS
    first = district.year.first + int(np.searchsorted(district.year.midnights, start, side="right")) - 1
    for day in range(first, first + 32):
        at = district.usage.views(day).at
        views += int(((at >= start) & (at < now)).sum())
    assert landed(project, "lms", "page_views").count_rows() == views > 1000


def test_what_must_never_land_does_not(project: Project) -> None:
    pull(project, "riverbend", "filter")
    urls = set(landed(project, "filter", "activity").to_table(["url"])["url"].to_pylist())
    assert "docs.google.com/forms" in urls
    assert "suite.quillworks.example/write" in urls
    assert not any(mark in url for url in urls if url for mark in ("?", "=", "#", "usp", "@"))
    activity = landed(project, "filter", "activity").to_table()
    texts = {name: set(activity[name].to_pylist()) for name in ("user_label", "device_label", "domain", "event_key")}
    assert not any("@" in (text or "") for values in texts.values() for text in values), "no address of a person"
    assert len(texts["user_label"]) > 50


def test_a_broken_roster_feed_deletes_nobody(fresh: RunningSandbox, project: Project) -> None:
    pull(project, "riverbend", "sis", resources=["orgs", "classes", "enrollments"])
    before = landed(project, "sis", "enrollments").count_rows()
    fresh.fault("oneroster/enrollments", "roster_feed")
    try:
        summary = pull(project, "riverbend", "sis", resources=["enrollments"], full=True)
    finally:
        fresh.mend()
    assert summary.counts()["deleted"] == 0
    assert summary.counts()["pulled"] < before


def test_a_year_of_changes_is_followed(fresh: RunningSandbox, project: Project) -> None:
    fresh.set_clock(now=datetime(2025, 9, 15, 12, tzinfo=UTC))
    try:
        pull(project, "riverbend", "sis", resources=["orgs", "classes", "users", "enrollments"])
        fresh.set_clock(now=datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(hours=1))
        summary = pull(project, "riverbend", "sis", resources=["users", "enrollments"], full=True)
    finally:
        fresh.set_clock(now=fresh.district.truths.clock_starts_at)
    assert summary.counts()["deleted"] > 0, "rows vanished without a tombstone, and the full sync finds them"
