"""An update lands what was pushed before it builds, and is held up neither by another pull nor by one that fails."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
from pushing import Pushed, envelope, event, landed, make_project

from uptake import pipeline
from uptake.errors import PermanentError
from uptake.landing.vault import SEAL_KEY, Keyring
from uptake.project import Project
from uptake.warehouse.dbt import BuildSummary


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Two events of the source `events` wait; building, checking and publishing do nothing."""
    made = make_project(tmp_path)
    Pushed(made, "events").send("POST", "/caliper/lakeside", envelope(event(1, "sis-1"), event(2, "sis-2")))
    monkeypatch.setattr(pipeline, "build", lambda *_, **__: BuildSummary())
    monkeypatch.setattr(pipeline, "check", lambda *_, **__: None)
    monkeypatch.setattr(pipeline, "publish", lambda *_, **__: "the snapshot")
    monkeypatch.setattr(pipeline, "checker", lambda *_: nullcontext())
    return made


def test_what_was_pushed_is_landed_before_the_build(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr(pipeline, "build", lambda *_, **__: seen.append(len(landed(project))) or BuildSummary())
    told: list[object] = []
    assert pipeline.update(project, "lakeside", told=told.append) == "the snapshot"
    assert seen == [2]
    (pulled,) = (one for one in told if isinstance(one, pipeline.PullSummary))
    assert pulled.source == "events", "sources for which nothing waits are not pulled"


def test_an_update_does_not_wait_for_a_pull_that_is_running(project: Project) -> None:
    district = project.district("lakeside")
    with pipeline._alone(project, district, district.source("events")):
        assert pipeline.update(project, "lakeside") == "the snapshot"
    assert landed(project) == []


def test_a_segment_that_cannot_be_opened_holds_up_nothing_and_is_told(project: Project) -> None:
    key = project.vault("lakeside") / SEAL_KEY
    other = project.vault("hillside")
    Keyring.open(other)
    key.write_bytes((other / SEAL_KEY).read_bytes())
    told: list[object] = []
    with pytest.raises(PermanentError, match="seal key"):
        pipeline.update(project, "lakeside", told=told.append)
    assert any(isinstance(one, BuildSummary) for one in told)
