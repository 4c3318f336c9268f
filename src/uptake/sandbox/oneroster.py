"""OneRoster REST bindings 1.2 and 1.1: rostering and gradebook, read only.

Rules: https://www.imsglobal.org/sites/default/files/spec/oneroster/v1p2/rostering-restbinding/OneRosterv1p2RosteringService_RESTBindv1p0.html
(limit 100 by default, offset, filter, X-Total-Count, Link, scopes, imsx error payloads) and
https://www.imsglobal.org/oneroster-v11-final-specification (one service, older shapes, signatures beside tokens).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from uptake.sandbox import v1p1
from uptake.sandbox.clock import Clock
from uptake.sandbox.credentials import ONEROSTER_CLIENT
from uptake.sandbox.exchange import Manners, exchange, json_body
from uptake.sandbox.faults import Active, Faults
from uptake.sandbox.records import Hiding, doubled
from uptake.sandbox.roster import Roster
from uptake.sandbox.schoolyear import instant
from uptake.sandbox.signatures import is_signed
from uptake.sandbox.tokens import TokenDesk

ROSTERING = "/ims/oneroster/rostering/v1p2"
GRADEBOOK = "/ims/oneroster/gradebook/v1p2"
V1P1 = "/ims/oneroster/v1p1"
_SCOPE = "https://purl.imsglobal.org/spec/or/v1p2/scope/"
CORE, FULL, DEMOGRAPHICS = (f"{_SCOPE}{name}.readonly" for name in ("roster-core", "roster", "roster-demographics"))
GRADES_CORE, GRADES_FULL = (f"{_SCOPE}{name}.readonly" for name in ("gradebook-core", "gradebook"))
SCOPES = frozenset({CORE, FULL, DEMOGRAPHICS, GRADES_CORE, GRADES_FULL})
DEFAULT_LIMIT, LARGEST_LIMIT = 100, 10_000
_GRADEBOOK = frozenset({"categories", "lineItems", "results"})
_FILTER = re.compile(r"^dateLastModified\s*(>=|>)\s*'([^']+)'$")
_CODES = {
    400: "invaliddata", 401: "unauthorisedrequest", 403: "forbidden", 404: "unknownobject", 422: "invaliddata",
    429: "server_busy",
}  # fmt: skip


def refusal(status: int, message: str) -> Response:
    body = {
        "imsx_codeMajor": "failure",
        "imsx_severity": "error",
        "imsx_description": message,
        "imsx_CodeMinor": {
            "imsx_codeMinorField": [
                {
                    "imsx_codeMinorFieldName": "TargetEndSystem",
                    "imsx_codeMinorFieldValue": _CODES.get(status, "internal_server_error"),
                }
            ]
        },
    }
    return json_body(orjson.dumps(body), status=status)


@dataclass(frozen=True)
class Question:
    """What a request asks for; `since` is an instant, of the filter on dateLastModified."""

    limit: int
    offset: int
    since: int | None
    inclusive: bool

    @classmethod
    def of(cls, request: Request) -> Question:
        """Raises ValueError that says what is not understood: nothing asked for is passed over in silence."""
        query = request.query_params
        if unsupported := sorted(set(query) - {"limit", "offset", "filter", "sort", "orderBy"}):
            raise ValueError(f"unsupported parameter: {', '.join(unsupported)}")
        if query.get("sort", "sourcedId") != "sourcedId" or query.get("orderBy", "asc") != "asc":
            raise ValueError("rows are sorted by sourcedId, ascending")
        limit, offset = int(query.get("limit", DEFAULT_LIMIT)), int(query.get("offset", 0))
        if limit < 1 or offset < 0:
            raise ValueError("limit is at least 1, offset at least 0")
        if not (text := query.get("filter")):
            return cls(limit, offset, None, False)
        match = _FILTER.match(text.strip())
        if not match:
            raise ValueError("the only filter is dateLastModified>'...' or >='...'")
        return cls(limit, offset, instant(datetime.fromisoformat(match[2])), match[1] == ">=")


class OneRosterServer:
    def __init__(self, roster: Roster, clock: Clock, faults: Faults) -> None:
        self._roster, self._clock, self._faults = roster, clock, faults
        older = {scope.replace("v1p2", "v1p1") for scope in SCOPES - {GRADES_CORE}}
        self._desk = TokenDesk(ONEROSTER_CLIENT, SCOPES | older)
        self._manners = Manners(refusal, 429, "too many requests", self._desk.revoke)

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/token", self._issue, methods=["POST"]),
            Route(f"{ROSTERING}/{{collection}}", self._rostering),
            Route(f"{GRADEBOOK}/{{collection}}", self._gradebook),
            Route(f"{V1P1}/{{collection}}", self._v1p1),
        ]

    async def _issue(self, request: Request) -> Response:
        issued = await self._desk.issue(request)
        return await exchange(self._faults, self._manners, "oneroster/token", request, lambda _: issued)

    async def _rostering(self, request: Request) -> Response:
        return await self._collection(request, is_gradebook=False)

    async def _gradebook(self, request: Request) -> Response:
        return await self._collection(request, is_gradebook=True)

    async def _v1p1(self, request: Request) -> Response:
        name = request.path_params["collection"]
        if name not in self._roster.collections:
            return refusal(404, f"no collection {name}")
        return await exchange(
            self._faults,
            self._manners,
            f"oneroster11/{name}",
            request,
            lambda active: self._answer(request, name, active, is_v1p1=True),
        )

    async def _collection(self, request: Request, *, is_gradebook: bool) -> Response:
        name = request.path_params["collection"]
        if name not in self._roster.collections or (name in _GRADEBOOK) != is_gradebook:
            return refusal(404, f"no collection {name}")
        return await exchange(
            self._faults,
            self._manners,
            f"oneroster/{name}",
            request,
            lambda active: self._answer(request, name, active),
        )

    def _refused(self, request: Request, name: str, *, is_v1p1: bool) -> Response | None:
        """None for who may read the collection."""
        if is_v1p1 and is_signed(request):
            return None
        token = self._desk.token(request)
        if token is None:
            return refusal(401, "no valid token")
        accepted = {GRADES_CORE, GRADES_FULL} if name in _GRADEBOOK else {CORE, FULL}
        if name == "demographics":
            accepted = {DEMOGRAPHICS}
        if is_v1p1:
            accepted = {scope.replace("v1p2", "v1p1") for scope in accepted}
        return None if accepted & token.scopes else refusal(403, f"the token has no scope for {name}")

    def _answer(self, request: Request, name: str, active: Active, *, is_v1p1: bool = False) -> Response:
        if (refused := self._refused(request, name, is_v1p1=is_v1p1)) is not None:
            return refused
        try:
            question = Question.of(request)
        except ValueError as error:
            return refusal(400, str(error))
        limit, offset = question.limit, question.offset
        rows = self._rows(name, question, active)
        clamp = active.get("clamp")
        limit = min(limit, clamp.size if clamp else LARGEST_LIMIT)
        page = rows[offset : offset + limit]
        if is_v1p1:
            page = [v1p1.downgraded(name, row) for row in page]
        body = b'{"%b":[%b]}' % (name.encode(), b",".join(page))
        return json_body(body, {} if "no_totals" in active else self._totals(request, len(rows), limit, offset))

    def _rows(self, name: str, question: Question, active: Active) -> list[bytes]:
        now = self._clock.now_ms
        vanish, late, double = active.get("vanish"), active.get("late"), active.get("duplicate")
        hiding = Hiding(
            school=self._broken_school(name, now, active),
            vanish=vanish.share if vanish else 0.0,
            vanish_school=self._school(vanish.school) if vanish and vanish.school else -1,
            late=late.share if late else 0.0,
        )
        records = self._roster.collections[name]()
        rows = records.at(now, since=question.since, inclusive=question.inclusive, hiding=hiding)
        return doubled(rows, double.share) if double else rows

    def _broken_school(self, name: str, now: int, active: Active) -> int:
        """The school whose enrolments are not served, by plan or by fault; -1 for none."""
        if name != "enrollments":
            return -1
        district, fault = self._roster.district, active.get("roster_feed")
        if fault:
            school = self._school(fault.school) if fault.school else district.broken_school
            return school if fault.state == "broken" else -1
        return district.broken_school if now >= instant(district.truths.broken_roster_feed.from_at) else -1

    def _school(self, sourced_id: str) -> int:
        return next((s.number for s in self._roster.people.schools if s.sourced_id == sourced_id), -1)

    @staticmethod
    def _totals(request: Request, total: int, limit: int, offset: int) -> dict[str, str]:
        def link(start: int, rel: str) -> str:
            query = dict(request.query_params) | {"limit": str(limit), "offset": str(start)}
            return f'<{request.url.replace(query=urlencode(query))}>; rel="{rel}"'

        links = [link(0, "first"), link(max(0, (total - 1) // limit * limit), "last")]
        if offset + limit < total:
            links.append(link(offset + limit, "next"))
        if offset:
            links.append(link(max(0, offset - limit), "prev"))
        return {"X-Total-Count": str(total), "Link": ", ".join(links)}
