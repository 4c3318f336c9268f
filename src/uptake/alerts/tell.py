"""Tells each target what has changed since it was last told.

What a target was told is written down after it took the message, so one that cannot be reached is told later, and a
crash in between tells twice rather than never.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import select

from uptake.alerts.targets import Message, send
from uptake.alerts.troubles import Known, Trouble, of_age
from uptake.config import AlertTarget, District
from uptake.errors import UptakeError
from uptake.landing import ledger
from uptake.landing.ledger import At, Record
from uptake.operations.models import AlertState
from uptake.operations.session import reading, writing
from uptake.project import Project


def tell(project: Project, district: District, known: Known, *, run_id: str, now: datetime | None = None) -> int:
    """Send what is new of `known` and of the sources' age to the district's targets; how many messages were taken.

    A target that takes none does not stop the work that called: its failure has an outcome record.
    """
    targets = [target for target in project.config.alerts if not target.districts or district.id in target.districts]
    if not targets:
        return 0
    now = now or datetime.now(UTC)
    sent = 0
    with _one_at_a_time(project):
        try:
            known = known | of_age(project, district, now)
        except UptakeError as error:  # a simulated district's clock does not answer: what else is known is told
            _record_failure(project, district, run_id, error)
        for target in targets:
            told = _told(project, district, target)
            changed = {
                subject: trouble for subject, trouble in known.items() if bool(trouble) != told.get(subject, False)
            }
            try:
                for subject, trouble in changed.items():
                    send(target, project.credential(target.connection), _message(district, subject, trouble, now))
                    _write_down(project, district, target, subject, is_bad=trouble is not None, now=now)
                    sent += 1
            except UptakeError as error:
                _record_failure(project, district, run_id, error)
    return sent


def test_message(project: Project, target: AlertTarget) -> None:
    """Send a message that says that it is a test. Raises as `uptake.alerts.targets.send`."""
    now = datetime.now(UTC)
    body = "This target is set up. Nothing is wrong."
    message = Message("*", "test", "mended", "[Uptake] Test of an alert target", body, now.isoformat())
    send(target, project.credential(target.connection), message)


def _message(district: District, subject: str, trouble: Trouble | None, now: datetime) -> Message:
    kind, _, source = subject.partition(":")
    of = f"{_NAMES[kind]} of {source}" if source else _NAMES[kind]
    label = " (simulated)" if district.is_simulated else ""
    if trouble is None:
        headline, body = (
            f"[Uptake] {district.name}{label}: mended: {of}",
            f"{of} in {district.name}: all is well again.",
        )
    else:
        headline = f"[Uptake] {district.name}{label}: {of}"
        body = f"{trouble.what}\n\nTo mend it: {trouble.remedy}"
    return Message(district.id, subject, "open" if trouble else "mended", headline, body, now.isoformat())


_NAMES = {"pull": "Pull", "freshness": "Freshness", "checks": "Checks", "build": "Build"}


def _told(project: Project, district: District, target: AlertTarget) -> dict[str, bool]:
    query = select(AlertState).filter_by(district=district.id, target=target.name)
    with reading(project.operations) as session:
        return {row.subject: row.is_bad for row in session.scalars(query)}


def _write_down(
    project: Project, district: District, target: AlertTarget, subject: str, *, is_bad: bool, now: datetime
) -> None:
    with writing(project.operations) as session:
        session.merge(AlertState(district=district.id, subject=subject, target=target.name, is_bad=is_bad, since=now))


def _record_failure(project: Project, district: District, run_id: str, error: UptakeError) -> None:
    record = Record("alert").failed(error)
    ledger.record_outcome(project.operations, At(district.id, "*", "*"), run_id=run_id, record=record)


@contextmanager
def _one_at_a_time(project: Project) -> Iterator[None]:
    """Two runs that end at once would tell the same thing twice."""
    with (project.state_dir / "alerts.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
