"""Who is told of what, and how often: through a real mail server and a real webhook."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fake_source import FakeSource, make_project, people
from pydantic import ValidationError
from sqlalchemy import select

from uptake import clock, pipeline
from uptake.alerts.tell import tell
from uptake.alerts.troubles import CHECKS, held_back
from uptake.config import AlertTarget, UptakeConfig
from uptake.credentials import Credential
from uptake.errors import ConfigError, PermanentError, TransientError
from uptake.freshness import measure
from uptake.operations.models import Outcome
from uptake.operations.session import reading
from uptake.project import Project
from uptake.warehouse.publish import SnapshotRef

sys.path.insert(0, str(Path(__file__).parent))
from servers import Inbox, serving

TARGETS = (
    AlertTarget(
        name="mail", kind="email", connection="smtp", to=("data@lakeside.example",), sender="up@lakeside.example"
    ),
    AlertTarget(name="chat", kind="webhook", connection="hook"),
)


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with serving() as inbox:
        yield inbox


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> FakeSource:
    source = FakeSource()
    source.rows["people"] = people(20)
    monkeypatch.setattr(pipeline, "open_source", lambda settings, credential: source)
    monkeypatch.setattr(pipeline, "credential_of", lambda project, settings: None)
    return source


@pytest.fixture
def project(tmp_path: Path, inbox: Inbox, vendor: FakeSource) -> Project:
    made = make_project(tmp_path)
    secrets = {
        "smtp": Credential("up", "secret", {"host": "127.0.0.1", "port": inbox.smtp_port, "security": "none"}),
        "hook": Credential(password=f"http://127.0.0.1:{inbox.http_port}/hook"),
    }
    return replace(made, config=made.config.model_copy(update={"alerts": TARGETS}), credential=secrets.__getitem__)


def failures(project: Project) -> list[str | None]:
    with reading(project.operations) as session:
        return list(session.scalars(select(Outcome.error_class).filter_by(step="alert", status="failed")))


def test_a_pull_that_fails_for_good_is_told_once_and_once_more_when_it_is_mended(
    project: Project, inbox: Inbox, vendor: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(resource: object, window: object) -> object:
        raise PermanentError("ana.b@lakeside.example may not read", remedy="ask ana.b@lakeside.example")

    good = vendor.pull
    monkeypatch.setattr(vendor, "pull", refuse)
    for _ in range(3):
        with pytest.raises(PermanentError):
            pipeline.pull(project, "lakeside", "sis", resources=["people"])
    assert [(post["subject"], post["state"]) for post in inbox.posts] == [("pull:sis", "open")]
    monkeypatch.setattr(vendor, "pull", good)
    for _ in range(2):
        pipeline.pull(project, "lakeside", "sis", resources=["people"])
    assert [post["state"] for post in inbox.posts] == ["open", "mended"]

    assert [mail["Subject"] for mail in inbox.mails] == [
        "[Uptake] Lakeside: Pull of sis",
        "[Uptake] Lakeside: mended: Pull of sis",
    ]
    assert inbox.recipients == ["data@lakeside.example"] * 2
    assert base64.b64decode(inbox.logins[0]) == b"\0up\0secret"
    told = "".join(str(mail) for mail in inbox.mails) + str(inbox.posts)
    assert "PermanentError" in told and "ana.b" not in told, "a vendor's words may name a person"


def test_what_a_retry_may_mend_is_not_told(
    project: Project, inbox: Inbox, vendor: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(resource: object, window: object) -> object:
        raise TransientError("502")

    monkeypatch.setattr(vendor, "pull", stumble)
    with pytest.raises(TransientError):
        pipeline.pull(project, "lakeside", "sis", resources=["people"])
    assert inbox.posts == [] and inbox.mails == []


def test_a_target_that_cannot_be_reached_is_told_later(project: Project, inbox: Inbox) -> None:
    district = project.district("lakeside")
    inbox.status = 500
    assert tell(project, district, {CHECKS: held_back(["marts.some_check"])}, run_id="r") == 1
    assert len(inbox.mails) == 1 and failures(project) == ["TransientError"]
    inbox.status = 200
    for _ in range(2):
        tell(project, district, {CHECKS: held_back(["marts.some_check"])}, run_id="r")
    assert len(inbox.mails) == 1 and [post["subject"] for post in inbox.posts] == ["checks"]
    assert "marts.some_check" in inbox.posts[0]["text"]
    tell(project, district, {CHECKS: None}, run_id="r")
    assert len(inbox.mails) == 2 and inbox.posts[-1]["state"] == "mended"


def test_rows_that_wait_too_long_are_told_until_they_are_shown(project: Project, inbox: Inbox) -> None:
    """The goal of a pull is the time to the next one, an hour here; the age counts from the pull's start."""
    district = project.district("lakeside")
    pipeline.pull(project, "lakeside", "sis", resources=["people"])
    later = datetime.now(UTC) + timedelta(minutes=61)
    tell(project, district, {}, run_id="r", now=later - timedelta(minutes=10))
    assert inbox.posts == []
    tell(project, district, {}, run_id="r", now=later)
    assert [(post["subject"], post["state"]) for post in inbox.posts] == [("freshness:sis", "open")]
    assert "the goal is 3600 s" in inbox.posts[0]["text"]

    def shown(at: datetime) -> SnapshotRef:
        return SnapshotRef("s", project.state_dir, {"landed_through": 99, "published_at": at.isoformat()})

    assert measure(project, district, shown(later)) > 0
    assert measure(project, district, shown(later)) == 0, "a second publication of the same measures nothing"
    tell(project, district, {}, run_id="r", now=later)
    assert len(inbox.posts) == 1, "nothing waits, but what was shown was late"
    tell(project, district, {}, run_id="r", now=later + timedelta(hours=2))
    assert [post["state"] for post in inbox.posts] == ["open", "mended"]


def test_a_clock_that_does_not_answer_hides_nothing_else(
    project: Project, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(district: object) -> datetime:
        raise TransientError("no clock")

    pipeline.pull(project, "lakeside", "sis", resources=["people"])
    monkeypatch.setattr(clock, "now", silent)
    tell(project, project.district("lakeside"), {CHECKS: held_back(["c"])}, run_id="r")
    assert [post["subject"] for post in inbox.posts] == ["checks"] and failures(project) == ["TransientError"]


def test_a_source_that_nothing_reads_is_told(project: Project, inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    district = project.district("lakeside")
    tell(project, district, {}, run_id="r")
    assert inbox.posts == [], "a source that was never pulled is new"
    pipeline.pull(project, "lakeside", "sis", resources=["people"])
    measure(
        project,
        district,
        SnapshotRef("s", project.state_dir, {"landed_through": 99, "published_at": datetime.now(UTC).isoformat()}),
    )
    monkeypatch.setattr(clock, "now", lambda district: datetime.now(UTC) + timedelta(hours=25))
    tell(project, district, {}, run_id="r")
    assert "not read for more than 24 hours" in inbox.posts[0]["text"]


def test_a_target_of_another_district_is_not_told(project: Project, inbox: Inbox) -> None:
    config = project.config.model_copy(
        update={"alerts": tuple(target.model_copy(update={"districts": ("elsewhere",)}) for target in TARGETS)}
    )
    assert (
        tell(replace(project, config=config), project.district("lakeside"), {CHECKS: held_back(["c"])}, run_id="r") == 0
    )
    assert inbox.posts == [] and inbox.mails == []


def test_a_wrong_target_is_told_by_its_key(project: Project) -> None:
    with pytest.raises(ValidationError, match="an e-mail needs"):
        AlertTarget(name="mail", kind="email", connection="smtp")
    with pytest.raises(ValidationError, match="there is no district 'nowhere'"):
        UptakeConfig(
            districts=project.config.districts,
            alerts=(TARGETS[1].model_copy(update={"districts": ("nowhere",)}),),
        )
    from uptake.alerts.targets import Message, send

    with pytest.raises(ConfigError, match="no SMTP server"):
        send(TARGETS[0], Credential("up", "secret"), Message("d", "s", "open", "h", "b", "now"))
