"""LabBench, a simulated tool that reports by itself: it posts Caliper 1.2 envelopes to a receiver as its day goes on.

Of each sitting a NavigationEvent at its start, then ToolUseEvents with the minutes on task so far, every five minutes
and at its end (https://www.imsglobal.org/spec/caliper/v1p2, Tool Use Profile). An event's id is made from what it says,
so that one that is sent again after a restart is the same.
"""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import httpx
from pydantic import BaseModel, ConfigDict

from uptake.sandbox.clock import Clock
from uptake.sandbox.district import SimulatedDistrict
from uptake.sandbox.roster import stamp

TOOL = "https://labbench.example"
CONTEXT = "http://purl.imsglobal.org/ctx/caliper/v1p2"
LAUNCH = -1  # slot of a page view that opens the tool
REPORT_EVERY_MS = 5 * 60_000
SEND_EVERY_SECONDS = 2.0
EVENTS_AT_ONCE = 200


class Receiver(BaseModel):
    """Where to post, and with which key."""

    model_config = ConfigDict(extra="forbid")

    url: str
    key: str


class Sender:
    """Posts what happened since it last did, once `start` has told it where to. What was before is not sent."""

    def __init__(self, district: SimulatedDistrict, clock: Clock) -> None:
        self._district, self._clock = district, clock
        self._task: asyncio.Task[None] | None = None
        self.sent = 0

    def start(self, receiver: Receiver) -> None:
        self.stop()
        self._task = asyncio.get_running_loop().create_task(self._run(receiver, self._clock.now_ms))

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self, receiver: Receiver, since: int) -> None:
        headers = {"Authorization": f"Bearer {receiver.key}"}
        async with httpx.AsyncClient(headers=headers, timeout=10) as client:
            while True:
                now = self._clock.now_ms
                events = await asyncio.to_thread(self.events, since, now)
                if await self._post(client, receiver.url, events, now):
                    since = now
                await asyncio.sleep(SEND_EVERY_SECONDS)

    async def _post(self, client: httpx.AsyncClient, url: str, events: list[dict[str, Any]], now: int) -> bool:
        """False when some were not taken: all of them are sent again, and count once."""
        for first in range(0, len(events), EVENTS_AT_ONCE):
            body = {
                "sensor": TOOL,
                "sendTime": stamp(now),
                "dataVersion": CONTEXT,
                "data": events[first : first + EVENTS_AT_ONCE],
            }
            try:
                answer = await client.post(url, json=body)
            except httpx.TransportError:
                return False
            if not answer.is_success:
                return False
        self.sent += len(events)
        return True

    def events(self, since: int, now: int) -> list[dict[str, Any]]:
        """What happened in (since, now], in order of time. Milliseconds since 1970."""
        year, found = self._district.year, []
        first, last = (_day(self._district, moment) for moment in (since, now))
        for day in range(max(first - 1, year.first), min(last, year.last) + 1):
            views = self._district.usage.views(day)
            for row in (views.slot == LAUNCH).nonzero()[0]:
                begun = int(views.at[row])
                length = int(views.seconds[row] * 1000)
                if begun <= now and begun + length > since:
                    student = self._district.people.student_id(int(views.person[row]))
                    found += [one for one in _sitting(student, begun, length) if since < one[0] <= now]
        return [event for _, event in sorted(found, key=lambda one: (one[0], one[1]["id"]))]


def _day(district: SimulatedDistrict, moment: int) -> int:
    """The school year's day (its number) that has begun last at this moment."""
    midnights = district.year.midnights
    return district.year.first + int(midnights.searchsorted(moment, side="right")) - 1


def _sitting(student: str, begun: int, length: int) -> list[tuple[int, dict[str, Any]]]:
    """Events of one sitting, each with its time."""
    reports = [*range(REPORT_EVERY_MS, length, REPORT_EVERY_MS), length]
    return [(begun, _event("NavigationEvent", "NavigatedTo", student, begun))] + [
        (begun + so_far, _event("ToolUseEvent", "Used", student, begun + so_far, begun=begun, so_far=so_far))
        for so_far in reports
    ]


def _event(
    kind: str, action: str, student: str, at: int, *, begun: int | None = None, so_far: int = 0
) -> dict[str, Any]:
    event: dict[str, Any] = {
        "@context": CONTEXT,
        "id": uuid5(NAMESPACE_URL, f"{TOOL} {kind} {student} {at}").urn,
        "type": kind,
        "profile": "ToolUseProfile" if begun is not None else "ReadingProfile",
        "actor": {
            "id": f"{TOOL}/users/{student}",
            "type": "Person",
            "otherIdentifiers": [
                {"type": "SystemIdentifier", "identifierType": "OneRosterSourcedId", "identifier": student}
            ],
        },
        "action": action,
        "object": {"id": TOOL, "type": "SoftwareApplication"},
        "edApp": {"id": TOOL, "type": "SoftwareApplication"},
        "eventTime": stamp(at),
    }
    if begun is not None:
        event["generated"] = {
            "id": f"{TOOL}/measures/{student}",
            "type": "AggregateMeasureCollection",
            "items": [
                {
                    "id": f"{TOOL}/measures/{student}/minutes",
                    "type": "AggregateMeasure",
                    "metric": "MinutesOnTask",
                    "metricValue": so_far / 60_000,
                    "startedAtTime": stamp(begun),
                    "endedAtTime": stamp(at),
                }
            ],
        }
    return event
