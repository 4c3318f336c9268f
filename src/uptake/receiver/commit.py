"""Group commit: requests that wait at the same time share one write and one fsync."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from uptake.receiver.spool import SegmentWriter

GROUP_BYTES = 32 * 2**20


class LaneCommitter:
    """One lane's queue. While a group is being synced the next one gathers, so that the disk sets the pace and a busy
    receiver syncs no more often than an idle one. Used from one event loop."""

    def __init__(self, writer: SegmentWriter, pool: ThreadPoolExecutor) -> None:
        self._writer = writer
        self._pool = pool
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None
        self._is_closing = False

    async def append(self, packed: bytes) -> None:
        """Returns when the delivery is on disk. Raises SpoolFull or SpoolBroken."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((packed, done))
        self._start()
        await done

    def rotate_if_old(self) -> None:
        """Hand an idle segment over to the pull once it is old enough."""
        if self._writer.is_old:
            self._is_closing = True
            self._start()

    async def close(self) -> None:
        """Write what waits, and hand the segment over."""
        self._is_closing = True
        self._start()
        if self._task is not None:
            await self._task

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while self._waiting or self._is_closing:
            group = self._next_group()
            if group:
                await self._commit(group)
            elif self._is_closing:
                self._is_closing = False
                await self._in_thread(self._writer.close)

    def _next_group(self) -> list[tuple[bytes, asyncio.Future[None]]]:
        size = count = 0
        for packed, _ in self._waiting:
            size += len(packed)
            count += 1
            if size >= GROUP_BYTES:
                break
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group

    async def _commit(self, group: list[tuple[bytes, asyncio.Future[None]]]) -> None:
        failure: Exception | None = None
        try:
            await self._in_thread(lambda: self._writer.append([packed for packed, _ in group]))
        except Exception as error:  # noqa: BLE001 - whoever waits is told, whatever it was
            failure = error
        for _, done in group:
            if done.done():  # its client has gone
                continue
            if failure is None:
                done.set_result(None)
            else:
                done.set_exception(failure)

    async def _in_thread(self, work: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._pool, work)
