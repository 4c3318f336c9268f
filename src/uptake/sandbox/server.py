"""The sandbox's HTTP server: three vendors and a control desk on one port."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from uptake.sandbox.canvas import CanvasServer
from uptake.sandbox.clock import Clock
from uptake.sandbox.district import SimulatedDistrict
from uptake.sandbox.exchange import json_body
from uptake.sandbox.faults import Fault, Faults
from uptake.sandbox.oneroster import OneRosterServer
from uptake.sandbox.roster import Roster
from uptake.sandbox.sender import Receiver, Sender
from uptake.sandbox.truths import truths_text
from uptake.sandbox.umbrella import UmbrellaServer

SAVE_EVERY_SECONDS = 2.0


class ClockSetting(BaseModel):
    model_config = ConfigDict(extra="forbid")

    now: datetime | None = None
    speed: float | None = None


class Sandbox:
    """One simulated district, its clock and its faults, ready to be served."""

    def __init__(self, district: SimulatedDistrict, clock: Clock) -> None:
        self.district, self.clock, self.faults = district, clock, Faults()
        self.sender = Sender(district, clock)

    @property
    def app(self) -> Starlette:
        control = [
            Route("/_sandbox/clock", self._get_clock),
            Route("/_sandbox/clock", self._set_clock, methods=["POST"]),
            Route("/_sandbox/faults", self._get_faults),
            Route("/_sandbox/faults", self._put_fault, methods=["PUT"]),
            Route("/_sandbox/faults", self._delete_faults, methods=["DELETE"]),
            Route("/_sandbox/truths", self._get_truths),
            Route("/_sandbox/sender", self._get_sender),
            Route("/_sandbox/sender", self._start_sender, methods=["POST"]),
        ]
        vendors = (
            OneRosterServer(Roster(self.district), self.clock, self.faults),
            CanvasServer(self.district, self.clock, self.faults),
            UmbrellaServer(self.district, self.clock, self.faults),
        )
        routes = [route for vendor in vendors for route in vendor.routes]
        return Starlette(routes=[*control, *routes], lifespan=self._lifespan)

    @contextlib.asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        saving = asyncio.create_task(self._keep_saving())
        try:
            yield
        finally:
            saving.cancel()
            self.sender.stop()
            self.clock.save()

    async def _keep_saving(self) -> None:
        """A killed server resumes at most a moment back."""
        while True:
            self.clock.save()
            await asyncio.sleep(SAVE_EVERY_SECONDS)

    def _clock_answer(self) -> Response:
        now = self.clock.now.isoformat(timespec="seconds").replace("+00:00", "Z")
        return json_body(orjson.dumps({"now": now, "speed": self.clock.speed}))

    async def _get_clock(self, request: Request) -> Response:
        return self._clock_answer()

    async def _set_clock(self, request: Request) -> Response:
        try:
            setting = ClockSetting.model_validate_json(await request.body())
            self.clock.set(now=setting.now, speed=setting.speed)
        except ValueError as error:  # pydantic's ValidationError is one
            return _unprocessable(error)
        return self._clock_answer()

    async def _get_faults(self, request: Request) -> Response:
        return json_body(orjson.dumps([rule.model_dump() for rule in self.faults.rules]))

    async def _put_fault(self, request: Request) -> Response:
        try:
            self.faults.add(Fault.model_validate_json(await request.body()))
        except ValidationError as error:
            return _unprocessable(error)
        return await self._get_faults(request)

    async def _delete_faults(self, request: Request) -> Response:
        query = request.query_params
        return json_body(orjson.dumps({"removed": self.faults.clear(query.get("endpoint"), query.get("fault"))}))

    async def _get_sender(self, request: Request) -> Response:
        return json_body(orjson.dumps({"sent": self.sender.sent}))

    async def _start_sender(self, request: Request) -> Response:
        try:
            self.sender.start(Receiver.model_validate_json(await request.body()))
        except ValidationError as error:
            return _unprocessable(error)
        return await self._get_sender(request)

    async def _get_truths(self, request: Request) -> Response:
        return Response(truths_text(), media_type="application/yaml")


def _unprocessable(error: ValueError) -> Response:
    return json_body(orjson.dumps({"error": " ".join(str(error).split())}), status=422)


def make_sandbox(
    students: int, *, state: Path | None, now: datetime | None = None, speed: float | None = None
) -> Sandbox:
    """state: folder of the clock's file (None: nothing is kept). now, speed: overrule what is kept there."""
    district = SimulatedDistrict(students)
    clock = Clock(district.year, district.truths.clock_starts_at, file=state / "clock.json" if state else None)
    if now is not None or speed is not None:
        clock.set(now=now, speed=speed)
    return Sandbox(district, clock)
