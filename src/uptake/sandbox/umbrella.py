"""Cisco Umbrella Reporting v2: activity by time window.

Rules: https://developer.cisco.com/docs/cloud-security/umbrella-api-reference-reporting-overview (from and to in
milliseconds or relative, limit up to 5000, offset up to 10000, order within one second not guaranteed).
"""

from __future__ import annotations

import re
from collections import OrderedDict
from datetime import UTC, datetime
from functools import cached_property

import numpy as np
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from uptake.sandbox.clock import Clock
from uptake.sandbox.credentials import UMBRELLA_CLIENT
from uptake.sandbox.district import SimulatedDistrict
from uptake.sandbox.exchange import Manners, exchange, json_body
from uptake.sandbox.faults import Active, Faults
from uptake.sandbox.records import chosen
from uptake.sandbox.schoolyear import DAY_MS
from uptake.sandbox.tokens import TokenDesk
from uptake.sandbox.usage import GUESTS, NETWORK, USER

DEFAULT_LIMIT, LARGEST_LIMIT, LARGEST_OFFSET = 100, 5000, 10_000
_RELATIVE = re.compile(r"^-(\d+)(days|hours|minutes|seconds)$")
_UNITS = {"days": DAY_MS, "hours": 3_600_000, "minutes": 60_000, "seconds": 1000}
_KEPT_WINDOWS = 8
_CATEGORY_IDS: dict[str, int] = {}


def refusal(status: int, message: str) -> Response:
    return json_body(orjson.dumps({"message": message, "statusCode": status}), status=status)


class UmbrellaServer:
    def __init__(self, district: SimulatedDistrict, clock: Clock, faults: Faults) -> None:
        self._district, self._clock, self._faults = district, clock, faults
        self._desk = TokenDesk(UMBRELLA_CLIENT)
        self._manners = Manners(refusal, 429, "API rate limit exceeded", self._desk.revoke)
        self._people: dict[tuple[int, int], bytes] = {}
        self._windows: OrderedDict[tuple[int, ...], tuple[np.ndarray, ...]] = OrderedDict()

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/auth/v2/token", self._issue, methods=["POST"]),
            Route("/reports/v2/activity", self._activity),
            Route("/reports/v2/activity/{type}", self._activity),
            Route("/reports/v2/total-requests", self._total),
        ]

    async def _issue(self, request: Request) -> Response:
        issued = await self._desk.issue(request)
        return await exchange(self._faults, self._manners, "umbrella/token", request, lambda _: issued)

    async def _activity(self, request: Request) -> Response:
        return await exchange(
            self._faults, self._manners, "umbrella/activity", request, lambda active: self._answer(request, active)
        )

    async def _total(self, request: Request) -> Response:
        return await exchange(
            self._faults, self._manners, "umbrella/total", request, lambda active: self._count(request, active)
        )

    def _count(self, request: Request, active: Active) -> Response:
        window = self._asked(request, active)
        if isinstance(window, Response):
            return window
        return json_body(orjson.dumps({"meta": {}, "data": {"count": len(window[0])}}))

    def _answer(self, request: Request, active: Active) -> Response:
        query = request.query_params
        kind = request.path_params.get("type")
        if kind not in (None, "dns", "proxy"):
            return refusal(404, f"no activity of type {kind}")
        window = self._asked(request, active)
        if isinstance(window, Response):
            return window
        try:
            limit, offset = int(query.get("limit", DEFAULT_LIMIT)), int(query.get("offset", 0))
        except ValueError:
            return refusal(400, "limit and offset are whole numbers")
        if not 1 <= limit <= LARGEST_LIMIT or not 0 <= offset <= LARGEST_OFFSET:
            return refusal(400, f"limit is 1 to {LARGEST_LIMIT}, offset 0 to {LARGEST_OFFSET}")
        if clamp := active.get("clamp"):
            limit = min(limit, clamp.size)
        if kind:
            is_dns = self._is_dns[window[2]]
            window = tuple(column[is_dns == (kind == "dns")] for column in window)
        ascending = query.get("order", "desc") == "asc"
        double = active.get("duplicate")
        rows = _page_rows(window[0], offset, limit, ascending=ascending, double=double.share if double else 0.0)
        body = b'{"meta":{},"data":[%b]}' % b",".join(self._json(*(column[rows] for column in window)))
        return json_body(body)

    def _asked(self, request: Request, active: Active) -> tuple[np.ndarray, ...] | Response:
        if self._desk.token(request) is None:
            return refusal(401, "Unauthorized")
        now = self._clock.now_ms
        bounds = [_moment(request.query_params.get(name), now) for name in ("from", "to")]
        if bounds[0] is None or bounds[1] is None:
            return refusal(400, "from and to are required: milliseconds, now, or such as -1days")
        vanish, late = active.get("vanish"), active.get("late")
        return self._window(bounds[0], bounds[1], now, vanish.share if vanish else 0.0, late.share if late else 0.0)

    def _window(self, start: int, end: int, now: int, vanish: float, late: float) -> tuple[np.ndarray, ...]:
        """(at, person, page, identity) of the rows of [start, end) that the vendor has by now, in order of time."""
        # Rows arrive at most some minutes late: an older window is the same at every request.
        settled = now - end > 60_000 * self._district.truths.late_rows.longest_delay_minutes
        key = (start, end, 0 if settled and not late else now, int(vanish * 1e6), int(late * 1e6))
        if key in self._windows:
            return self._windows[key]
        usage, parts = self._district.usage, []
        # A local day begins five or six hours after the UTC day of the same date.
        for day in range((start - DAY_MS // 2) // DAY_MS, (min(end, now) - 1) // DAY_MS + 1):
            rows = usage.filter_rows(int(day))
            low, high = np.searchsorted(rows.at, [start, end])
            keep = rows.served_from[low:high] <= now
            if vanish:
                keep &= ~chosen(rows.at[low:high], vanish)
            if late:
                keep &= ~(chosen(rows.at[low:high], late) & (rows.at[low:high] > now - DAY_MS))
            columns = [column[low:high] for column in (rows.at, rows.person, rows.page, rows.identity)]
            parts.append(columns if keep.all() else [column[keep] for column in columns])
        parts = [part for part in parts if len(part[0])] or [[np.zeros(0, dtype=np.int64)] * 4]
        window = tuple(np.concatenate(c) if len(c) > 1 else c[0] for c in zip(*parts, strict=True))
        self._windows[key] = window
        if len(self._windows) > _KEPT_WINDOWS:
            self._windows.popitem(last=False)
        return window

    def _json(self, at: np.ndarray, person: np.ndarray, page: np.ndarray, identity: np.ndarray) -> list[bytes]:
        pages, people = self._pages, self._people
        seconds = at // 1000
        first = int(seconds.min()) if len(at) else 0
        # Date and time are the same for all rows of a second; a page has few distinct seconds.
        distinct, which = np.unique(seconds, return_inverse=True)
        clocks = [_clock_text(second) for second in distinct.tolist()] if first else []
        rows = []
        for moment, who, what, how, second in zip(
            at.tolist(), person.tolist(), page.tolist(), identity.tolist(), which.tolist(), strict=True
        ):
            key = (who, how)
            fragment = people.get(key)
            if fragment is None:
                fragment = people[key] = self._identities(who, how)
            rows.append(b'%b%b%b"timestamp":%d}' % (pages[what], fragment, clocks[second], moment))
        return rows

    @cached_property
    def _is_dns(self) -> np.ndarray:
        return np.array([page.is_dns for page in self._district.usage.pool.pages])

    @cached_property
    def _pages(self) -> list[bytes]:
        """What a row says of the page, up to where it says who asked for it."""
        fragments = []
        for page in self._district.usage.pool.pages:
            categories = [
                {
                    "id": _CATEGORY_IDS.setdefault(label, 20 + len(_CATEGORY_IDS)),
                    "type": "content",
                    "label": label,
                    "integration": False,
                    "deprecated": False,
                }
                for label in page.categories
            ]
            row: dict[str, object] = {"type": "dns" if page.is_dns else "proxy", "verdict": page.verdict}
            row["domain"] = page.domain
            row |= {} if page.is_dns else {"url": page.url, "statuscode": 200 if page.verdict == "allowed" else 403}
            row |= {"querytype": "A", "returncode": 0} if page.is_dns else {}
            fragments.append(
                orjson.dumps(row | {"categories": categories, "threats": [], "allapplications": []})[:-1] + b","
            )
        return fragments

    def _identities(self, who: int, how: int) -> bytes:
        """The identities of a row, nearest first, and its addresses, up to where it says when."""
        people = self._district.people
        members = people.count + people.staff
        school = 0
        if who < people.count:
            school = int(people.school[who])
        elif who < members:
            school = int(people.staff_school[who - people.count])
        found = [_identity(9_000_000 + school, "network", 1, f"Network {people.schools[school].name}")]
        if how != NETWORK:
            found.insert(0, _identity(5_000_000 + who, "anyconnect", 34, f"RB-CB-{who + 1:06d}"))
        if how == USER:
            email = people.emails[who] if who < members else f"guest{who - members + 1}@guests.riverbend.example"
            # Directories are not of one mind on capital letters.
            label = email.title() if who % 37 == 5 else email
            found.insert(0, _identity(1_000_000 + who, "directory_user", 7, label))
        row = {
            "identities": found,
            "internalip": f"10.{school % 200}.{who // 250 % 250}.{who % 250 + 1}",
            "externalip": f"203.0.113.{school % 250 + 1}",
        }
        assert who < members + GUESTS
        return orjson.dumps(row)[1:-1] + b","


def _page_rows(at: np.ndarray, offset: int, limit: int, *, ascending: bool, double: float) -> np.ndarray:
    """Places in `at` (ascending instants) of one page. Rows of one second come in another order at each offset."""
    count = len(at)
    if double:
        step = max(1, round(1 / double))
        source = np.repeat(np.arange(count), np.where(np.arange(count) % step == 0, 2, 1))
    else:
        source = np.arange(count)
    count = len(source)
    low, high = (offset, offset + limit) if ascending else (count - offset - limit, count - offset)
    low, high = max(0, min(low, count)), max(0, min(high, count))
    if low >= high:
        return source[:0]
    # Only the seconds that the page touches have to be shuffled.
    first = int(np.searchsorted(at, at[source[low]] // 1000 * 1000))
    last = int(np.searchsorted(at, at[source[high - 1]] // 1000 * 1000 + 1000))
    left, right = int(np.searchsorted(source, first)), int(np.searchsorted(source, last))
    span = source[left:right]
    span = span[np.lexsort((span * 7_919 % (997 + offset % 89), at[span] // 1000))]
    page = span[low - left : high - left]
    return page if ascending else page[::-1]


def _identity(number: int, kind: str, kind_number: int, label: str) -> dict[str, object]:
    names = {"network": "Networks", "anyconnect": "Roaming Computers", "directory_user": "AD Users"}
    return {
        "id": number,
        "label": label,
        "type": {"id": kind_number, "type": kind, "label": names[kind]},
        "deleted": False,
    }


def _clock_text(second: int) -> bytes:
    moment = datetime.fromtimestamp(second, UTC)
    return f'"date":"{moment:%Y-%m-%d}","time":"{moment:%H:%M:%S}",'.encode()


def _moment(text: str | None, now: int) -> int | None:
    if text is None:
        return None
    if text == "now":
        return now
    if match := _RELATIVE.match(text):
        return now - int(match[1]) * _UNITS[match[2]]
    return int(text) if text.lstrip("-").isdigit() else None
