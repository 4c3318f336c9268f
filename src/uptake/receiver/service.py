"""What stands behind each of the receiver's addresses.

A request's way: who is it (key), may it (district, kind, rate, size), is it a document of its format, then the spool.
The answer 2xx is given after fsync, and only then. Each worker process has segments of its own, so several may run.
Nothing that a sender wrote is logged: neither body, nor header, nor query.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request

from uptake.config import District
from uptake.errors import ConfigError
from uptake.project import Project
from uptake.receiver.answers import Refused, unavailable
from uptake.receiver.commit import LaneCommitter
from uptake.receiver.keys import KeyBook, Sender, presented
from uptake.receiver.limits import GZIP_MAGIC, NotGzip, Rate, TooLarge, gunzip
from uptake.receiver.spool import Delivery, Lane, SegmentWriter, SpoolBroken, SpoolFull, open_lane, spool_folder
from uptake.receiver.xapi import KnownIds

Made = TypeVar("Made")
log = logging.getLogger("uptake.receiver")

MIB = 2**20
PAUSED = "paused"
_LARGE = 256 * 1024  # a larger body is unpacked and looked at in a thread, so that small ones need not wait for it
_LOOK_EVERY_SECONDS = 1.0
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="uptake", Basic realm="uptake"'}


@dataclass(frozen=True, slots=True)
class Received:
    """A request that may go on. `body` is as it came, `content` without gzip."""

    sender: Sender
    district: District
    body: bytes
    content: bytes
    received_at: datetime

    @property
    def is_gzip(self) -> bool:
        return self.body is not self.content


class Receiver:
    """What all requests share: keys, rates, lanes."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.settings = project.config.receiver
        self.keys = KeyBook(project)
        self.rate = Rate(self.settings.requests_per_second)
        self.known_ids = KnownIds.empty()
        self._pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="spool")
        self._lanes: dict[tuple[str, str, str], tuple[Lane, LaneCommitter]] = {}
        self._made_keys: dict[tuple[str, str], bytes] = {}
        self._stalled: dict[str, str] = {}
        self._key_lock = asyncio.Lock()
        self._looking: asyncio.Task[None] | None = None

    # ---- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        await asyncio.to_thread(self.keys.read)
        await self._look()
        self._looking = asyncio.create_task(self._look_again())

    async def stop(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
        for _, committer in self._lanes.values():
            await committer.close()
        self._pool.shutdown()

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            for _, committer in self._lanes.values():
                committer.rotate_if_old()
            try:
                await self._look()
            except (SQLAlchemyError, OSError) as error:
                log.warning("keys or spool cannot be looked at: %s", type(error).__name__)

    async def _look(self) -> None:
        """Keys that changed, districts that were paused, spools that nobody empties."""
        if self.keys.is_due():
            await asyncio.to_thread(self.keys.read)
        self._stalled = await asyncio.to_thread(self._find_stalled)

    def _find_stalled(self) -> dict[str, str]:
        found = {}
        too_old = datetime.now(UTC) - timedelta(hours=self.settings.max_wait_hours)
        for district in self.project.config.districts:
            folder = spool_folder(self.project, district.id)
            if (folder / PAUSED).exists():
                found[district.id] = "paused"
            elif any(
                (begun := Lane(lane, b"").oldest()) is not None and begun < too_old
                for lane in folder.glob("*/*")
                if lane.is_dir()
            ):
                found[district.id] = "not_pulled"
        return found

    async def problem(self) -> Refused | None:
        """Why nothing can be kept just now; None when it can."""
        folder = self.project.state_dir
        found = await asyncio.to_thread(os.statvfs, folder)
        if found.f_bavail * found.f_frsize < self.settings.reserve_mb * MIB:
            return unavailable("disk_full", "no room is left for the spool", 60)
        return None

    # ---- a request --------------------------------------------------------------------------------------------------

    async def receive(self, request: Request, kind: str, *, media_types: frozenset[str] | None = None) -> Received:
        """Everything that does not depend on what the document says. Raises Refused."""
        sender = await self._sender(request)
        district = self._district(request, sender, kind)
        if (wait := self.rate.wait(sender.key_id)) > 0:
            raise Refused(429, "rate", "too many requests with this key", math.ceil(wait))
        self._insist_on_pull(district)
        if media_types is not None:
            media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if media_type not in media_types:
                raise Refused(415, "media_type", f"send {' or '.join(sorted(filter(None, media_types)))}")
        body = await self._body(request)
        content = await self._content(request, body)
        return Received(sender, district, body, content, datetime.now(UTC))

    async def keep(self, received: Received, resource: str, body: bytes | None = None) -> None:
        """Spool the request's body, or another one made from it; returns when it is on disk. Raises Refused."""
        delivery = Delivery(
            received.received_at,
            received.sender.sensor,
            received.body if body is None else body,
            received.is_gzip and body is None,
        )
        committer = self._lane(received.sender, resource)
        try:
            await committer.append(delivery.pack())
        except SpoolFull as error:
            raise unavailable("disk_full", "no room is left; keep it and send it again", 60) from error
        except SpoolBroken as error:
            log.error("the spool cannot be written: %s", error)
            raise unavailable("spool", "it cannot be kept just now; send it again") from error

    def made_key(self, sender: Sender) -> bytes:
        """A secret of the sender's district, under which ids are made from content."""
        name = (sender.district, sender.source)
        if name not in self._made_keys:
            self._made_keys[name] = open_lane(self.project, *name, "").event_key
        return self._made_keys[name]

    async def _sender(self, request: Request) -> Sender:
        found = presented(request.headers.get("authorization", ""))
        if found is None:
            raise Refused(401, "no_key", "an Authorization header with a key is needed", headers=_CHALLENGE)
        if self.keys.is_due(found[0]):
            async with self._key_lock:
                if self.keys.is_due(found[0]):
                    try:
                        await asyncio.to_thread(self.keys.read)
                    except SQLAlchemyError as error:
                        raise unavailable("keys", "keys cannot be looked up just now") from error
        sender = self.keys.sender(*found)
        if sender is None:
            raise Refused(401, "wrong_key", "this key is not known, expired or revoked", headers=_CHALLENGE)
        return sender

    def _district(self, request: Request, sender: Sender, kind: str) -> District:
        """The key's own district, whose source takes this kind of events; no other one is even admitted to exist."""
        if request.path_params["district"] != sender.district:
            raise Refused(403, "other_district", "this key is for another district")
        try:
            district = self.project.district(sender.district)
            is_right = district.source(sender.source).kind == kind
        except ConfigError as error:
            raise Refused(403, "no_source", "the key's source is no longer configured") from error
        if not is_right:
            raise Refused(403, "other_kind", "this key is for another kind of events")
        return district

    def _insist_on_pull(self, district: District) -> None:
        reason = self._stalled.get(district.id)
        if reason == "paused":
            raise unavailable("paused", "the district's pipeline is paused; send it again later", 300)
        if reason is not None:
            raise unavailable("not_pulled", "what was sent before still waits; send it again later", 300)

    async def _body(self, request: Request) -> bytes:
        limit = int(self.settings.max_body_mb * MIB)
        too_large = Refused(413, "body_size", f"a body may have at most {self.settings.max_body_mb:g} MiB")
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > limit:
            raise too_large
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise too_large
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _content(self, request: Request, body: bytes) -> bytes:
        encoding = request.headers.get("content-encoding", "").strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise Refused(415, "encoding", "a body may be plain or gzip")
        if not body.startswith(GZIP_MAGIC):
            if encoding.endswith("gzip") and body:
                raise Refused(400, "not_gzip", "the body is not gzip, although its header says so")
            return body
        limit = int(self.settings.max_unpacked_mb * MIB)
        try:
            return await in_thread_if_large(body, lambda: gunzip(body, limit))
        except TooLarge as error:
            most = self.settings.max_unpacked_mb
            raise Refused(413, "unpacked_size", f"a body may have at most {most:g} MiB after gzip") from error
        except NotGzip as error:
            raise Refused(400, "not_gzip", "the body is damaged gzip") from error

    def _lane(self, sender: Sender, resource: str) -> LaneCommitter:
        name = (sender.district, sender.source, resource)
        if name not in self._lanes:
            lane = open_lane(self.project, *name)
            writer = SegmentWriter(
                lane,
                segment_bytes=int(self.settings.segment_mb * MIB),
                segment_seconds=self.settings.segment_seconds,
                reserve_bytes=int(self.settings.reserve_mb * MIB),
            )
            self._lanes[name] = lane, LaneCommitter(writer, self._pool)
        return self._lanes[name][1]


async def in_thread_if_large(body: bytes, work: Callable[[], Made]) -> Made:
    return await asyncio.to_thread(work) if len(body) > _LARGE else work()
