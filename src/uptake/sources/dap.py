"""Instructure's Data Access Platform: tables as jobs that end in files.

Protocol: https://developerdocs.instructure.com/services/dap/query-api/query-api-reference (a job is made, asked after
and ends in objects; an object is traded for an address that holds for 15 minutes and needs no credential; jobs and
objects are kept for 24 hours) and its limits, https://developerdocs.instructure.com/services/dap/limits-policies (five
new jobs a minute).
Why it is spoken here and not by Instructure's own package: docs/decisions/0024-canvas-data-by-the-shared-client.md.

A line of a file is `{"meta": {"ts", "action"}, "key": {...}, "value": {...}}`; a deleted record has action `D` and no
value, and a value that is null is left out.
"""

from __future__ import annotations

import collections
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import orjson

from uptake.errors import ContractError, PermanentError, TransientError, UptakeError
from uptake.sources.dropfolder.content import DAMAGED_GZIP, open_plain
from uptake.sources.http import WAIT, HttpClient, NotFound

JOBS_A_MINUTE = 5
_MINUTE = 60.0
_POLLS = (1.0, 2.0, 4.0, 8.0, 15.0)  # seconds between questions after a job; the last goes on
_ADDRESSES = 3
_BLOCK = 16 << 20


class TooOld(PermanentError):
    """The changes since a moment are not known any more: a snapshot is needed."""


@dataclass(frozen=True, slots=True)
class Result:
    """reached: the state of the table that was given out, from which the next increment goes on; ISO 8601."""

    objects: tuple[str, ...]
    reached: str
    schema_version: int


def error_of(response: httpx.Response) -> UptakeError | None:
    """What an answer that is not 200 says by its own words; its message is not shown."""
    try:
        answer = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return None
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict):
        return None
    kind = error.get("type")
    if kind == "AccountUnderMaintenance":
        return TransientError("the account is under maintenance", remedy=WAIT)
    if kind in ("AccountDisabled", "AccountNotOnboarded"):
        return PermanentError(
            f"Canvas Data 2 is not open to this account ({kind})",
            remedy="ask Instructure to turn on Canvas Data 2 for the account of this key.",
        )
    if "since" in error:
        return TooOld(
            "the changes since the last pull are not known any more",
            remedy="nothing: the next pull reads the whole table.",
        )
    return None


class Dap:
    """Tables of one account. patience_seconds: how long one job is waited for."""

    def __init__(
        self,
        client: HttpClient,
        *,
        patience_seconds: float,
        sleep: Callable[[float], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._patience = patience_seconds
        self._sleep = sleep
        self._clock = clock
        self._made: collections.deque[float] = collections.deque(maxlen=JOBS_A_MINUTE)

    def tables(self, namespace: str, *, is_probe: bool = False) -> list[str]:
        answer = self._client.get(f"dap/query/{namespace}/table", is_probe=is_probe).data
        found = answer.get("tables") if isinstance(answer, dict) else None
        if not isinstance(found, list):
            raise _strange(f"the list of tables of {namespace}")
        return [str(name) for name in found]

    def require_columns(self, namespace: str, table: str, columns: Iterable[str]) -> None:
        """Raises ContractError where the table's schema does not have one of the columns."""
        answer = self._client.get(f"dap/query/{namespace}/table/{table}/schema").data
        schema = answer.get("schema") if isinstance(answer, dict) else None
        known = schema.get("properties") if isinstance(schema, dict) else None
        if not isinstance(known, dict):
            raise _strange(f"the schema of {table}")
        if missing := sorted(set(columns) - known.keys()):
            raise ContractError(
                f"table {table} has no {', '.join(missing)} in version {answer.get('version')} of its schema",
                remedy="Uptake must learn this version of the table; report it with the version.",
            )

    def query(self, namespace: str, table: str, since: str | None) -> Result:
        """The table as it is, or what changed in it since a moment that an earlier answer reached.

        Raises TooOld, TransientError where the job fails or takes longer than it is waited for.
        """
        asked = {"format": "jsonl"} | ({"since": since} if since else {})
        self._pace()
        job = self._job(self._client.post(f"dap/query/{namespace}/table/{table}/data", data=asked).data, table)
        until, polls = self._clock() + self._patience, iter(_POLLS)
        wait = 0.0
        while (status := job.get("status")) in ("waiting", "running"):
            wait = next(polls, wait)
            if self._clock() + wait > until:
                raise TransientError(
                    f"the job for {table} is not done after {self._patience / 60:g} minutes",
                    remedy="nothing at once: the same job is asked after again. If it lasts, raise `job_minutes`.",
                )
            self._sleep(wait)
            try:
                job = self._job(self._client.get(f"dap/job/{job['id']}").data, table)
            except NotFound as error:
                raise TransientError(f"the job for {table} is gone", remedy=WAIT) from error
        if status != "complete":
            raise TransientError(f"the job for {table} failed", remedy=WAIT)
        objects = job.get("objects")
        reached = job.get("until", job.get("at"))
        if not isinstance(objects, list) or _moment(reached) is None:
            raise _strange(f"the finished job for {table}")
        ids = tuple(str(each["id"]) for each in objects if isinstance(each, dict) and "id" in each)
        return Result(ids, str(reached), int(job.get("schema_version") or 0))

    def blocks(self, result: Result) -> Iterator[bytes]:
        """Whole lines of the files, some MB at once. Raises TransientError where a file is damaged."""
        with tempfile.TemporaryDirectory(prefix="uptake-dap-") as folder:
            for number, object_id in enumerate(result.objects):
                file = Path(folder) / str(number)
                self._fetch(object_id, file)
                yield from _lines(file)
                file.unlink()

    def _pace(self) -> None:
        now = self._clock()
        if len(self._made) == JOBS_A_MINUTE and now - self._made[0] < _MINUTE:
            self._sleep(_MINUTE - (now - self._made[0]))
        self._made.append(self._clock())

    def _job(self, answer: Any, table: str) -> dict[str, Any]:
        if not isinstance(answer, dict) or not isinstance(answer.get("id"), str):
            raise _strange(f"the job for {table}")
        return answer

    def _fetch(self, object_id: str, file: Path) -> None:
        for number in range(1, _ADDRESSES + 1):
            try:
                self._client.save(self._address(object_id), file)
                return
            except NotFound as error:  # an address holds for some minutes only, and an object for a day
                if number == _ADDRESSES:
                    raise TransientError(error.message, remedy=WAIT) from error

    def _address(self, object_id: str) -> str:
        answer = self._client.post("dap/object/url", data=[{"id": object_id}]).data
        urls = answer.get("urls") if isinstance(answer, dict) else None
        place = urls.get(object_id) if isinstance(urls, dict) else None
        if not isinstance(place, dict) or not isinstance(place.get("url"), str):
            raise _strange("the address of an object")
        return place["url"]


def _lines(file: Path) -> Iterator[bytes]:
    rest = b""
    try:
        with open_plain(file) as opened:
            while block := opened.read(_BLOCK):
                whole, found, rest = (rest + block).rpartition(b"\n")
                if found:
                    yield whole
                else:
                    rest = whole + rest
    except (OSError, EOFError, *DAMAGED_GZIP) as error:
        raise TransientError("a file came damaged or cut short", remedy=WAIT) from error
    if rest.strip():
        yield rest


def _moment(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None


def _strange(what: str) -> ContractError:
    return ContractError(f"{what} is not as documented", remedy="check that the source's url and kind are right.")
