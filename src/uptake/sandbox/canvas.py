"""Canvas LMS REST API, read only: what mirrors the roster, and the page views.

Rules: https://developerdocs.instructure.com/services/canvas (10 rows a page by default and 100 at most, opaque Link
paging, 403 "Rate Limit Exceeded" with X-Rate-Limit-Remaining, page views newest first for the last 30 days).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import numpy as np
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from uptake.sandbox.clock import Clock
from uptake.sandbox.credentials import CANVAS_TOKEN
from uptake.sandbox.district import SimulatedDistrict
from uptake.sandbox.exchange import Manners, exchange, json_body
from uptake.sandbox.faults import Active, Faults
from uptake.sandbox.habits import LMS_HOST, LTI_PATH
from uptake.sandbox.names import FAMILY, GIVEN
from uptake.sandbox.outcomes import ASSESSMENT, CATEGORIES, GRADEBOOK_FROM
from uptake.sandbox.people import ENDED, GRADES, SUBJECTS, TOMBSTONE, VANISH
from uptake.sandbox.records import chosen, doubled
from uptake.sandbox.roster import class_id, stamp
from uptake.sandbox.schoolyear import DAY_MS, NEVER, instant
from uptake.sandbox.tokens import bearer

SHARD = 10_970_000_000_000_000  # ids of a big Canvas host: beyond 2**53, so a double would lose the last digit
DEFAULT_PER_PAGE, LARGEST_PER_PAGE = 10, 100
PAGE_VIEW_DAYS = 30
BUCKET, REFILL_PER_SECOND = 700.0, 50.0  # cost units of a token; Canvas refills some units each second
ACTS = (
    ("courses", "show", ""),
    ("assignments", "show", "/assignments/{}"),
    ("wiki_pages", "show", "/pages/{}"),
    ("quizzes/quizzes", "show", "/quizzes/{}"),
)
Rows = list[dict[str, Any]]


def refusal(status: int, message: str) -> Response:
    if status in (403, 429):
        return Response(
            f"{status} Forbidden ({message})" if status == 403 else message, status, media_type="text/plain"
        )
    return json_body(orjson.dumps({"errors": [{"message": message}]}), status=status)


class CanvasServer:
    def __init__(self, district: SimulatedDistrict, clock: Clock, faults: Faults) -> None:
        self._district, self._clock, self._faults = district, clock, faults
        self._revoked_until_asked_again = False
        self._left, self._left_at = BUCKET, time.monotonic()
        self._manners = Manners(refusal, 403, "Rate Limit Exceeded", self._revoke)
        self._activity_day = district.year.first
        self._seconds: np.ndarray | None = None
        self._last: np.ndarray | None = None

    @property
    def routes(self) -> list[Route]:
        api = "/api/v1"
        account, course = f"{api}/accounts/{{account}}", f"{api}/courses/{{course}}"
        places: tuple[tuple[str, str, Callable[[Request, int], Rows | None]], ...] = (
            (f"{api}/accounts", "accounts", lambda request, now: self._accounts()[:1]),
            (f"{account}/sub_accounts", "accounts", lambda request, now: self._accounts()[1:]),
            (f"{account}/terms", "terms", lambda request, now: self._terms()),
            (f"{account}/courses", "courses", lambda request, now: self._courses),
            (f"{account}/users", "users", lambda request, now: self._users(now)),
            (f"{course}/sections", "sections", self._of_course(self._sections)),
            (f"{course}/enrollments", "enrollments", self._of_course(self._enrollments)),
            (f"{course}/assignments", "assignments", self._of_course(self._assignments)),
            (f"{course}/students/submissions", "submissions", self._of_course(self._submissions)),
            (f"{api}/users/{{user}}/page_views", "page_views", self._page_views),
        )
        routes = [Route(path, self._listing(name, rows)) for path, name, rows in places]
        return [*routes, Route(account, self._account), Route(f"{api}/users/self", self._self)]

    def _listing(self, name: str, rows: Callable[[Request, int], Rows | None]) -> Callable[..., Any]:
        async def endpoint(request: Request) -> Response:
            return await exchange(
                self._faults, self._manners, f"canvas/{name}", request,
                lambda active: self._answer(request, name, rows, active),
            )  # fmt: skip

        return endpoint

    async def _account(self, request: Request) -> Response:
        return await exchange(
            self._faults, self._manners, "canvas/accounts", request,
            lambda _: self._guarded(request) or self._paid(json_body(orjson.dumps(self._accounts()[0]))),
        )  # fmt: skip

    async def _self(self, request: Request) -> Response:
        me = {"id": SHARD + 999_999, "name": "Uptake service account (simulated)"}
        return await exchange(
            self._faults, self._manners, "canvas/users", request,
            lambda _: self._guarded(request) or self._paid(json_body(orjson.dumps(me))),
        )  # fmt: skip

    def _revoke(self, request: Request) -> None:
        self._revoked_until_asked_again = True

    def _guarded(self, request: Request) -> Response | None:
        """A refusal, or None: the token is good, the account is ours and there is quota left."""
        revoked, self._revoked_until_asked_again = self._revoked_until_asked_again, False
        if revoked or bearer(request) != CANVAS_TOKEN:
            return refusal(401, "Invalid access token.")
        if request.path_params.get("account", "self") not in ("self", "1", str(SHARD + 1)):
            return refusal(404, "The specified resource does not exist.")
        moment = time.monotonic()
        self._left = min(BUCKET, self._left + (moment - self._left_at) * REFILL_PER_SECOND)
        self._left_at = moment
        if self._left <= 0:
            response = refusal(403, "Rate Limit Exceeded")
            response.headers["X-Rate-Limit-Remaining"] = "0.0"
            return response
        return None

    def _paid(self, response: Response) -> Response:
        cost = 0.05 + len(response.body) / 2_000_000
        self._left -= cost
        response.headers["X-Request-Cost"] = f"{cost:.4f}"
        response.headers["X-Rate-Limit-Remaining"] = f"{self._left:.1f}"
        return response

    def _answer(
        self, request: Request, name: str, rows: Callable[[Request, int], Rows | None], active: Active
    ) -> Response:
        if refused := self._guarded(request):
            return refused
        try:
            found = rows(request, self._clock.now_ms)
            per_page = int(request.query_params.get("per_page", DEFAULT_PER_PAGE))
            offset = _offset(request)
        except ValueError as error:
            return refusal(400, str(error))
        if found is None:
            return refusal(404, "The specified resource does not exist.")
        found = self._spoiled(found, name, active)
        clamp = active.get("clamp")
        per_page = max(1, min(per_page, clamp.size if clamp else LARGEST_PER_PAGE))
        page: Any = found[offset : offset + per_page]
        if name == "terms":
            page = {"enrollment_terms": page}
        following = offset + per_page if offset + per_page < len(found) else None
        headers = {} if "no_totals" in active and following is None else {"Link": _links(request, offset, following)}
        return self._paid(json_body(orjson.dumps(page), headers))

    def _spoiled(self, rows: Rows, name: str, active: Active) -> Rows:
        vanish, late, double = active.get("vanish"), active.get("late"), active.get("duplicate")
        if vanish:
            rows = [row for row in rows if not _chosen(row, vanish.share)]
        if late and name == "page_views":
            yesterday = stamp(self._clock.now_ms - DAY_MS)
            rows = [row for row in rows if not (row["created_at"] > yesterday and _chosen(row, late.share))]
        return doubled(rows, double.share) if double else rows

    def _of_course(self, rows: Callable[[Request, int, int], Rows]) -> Callable[[Request, int], Rows | None]:
        def of_course(request: Request, now: int) -> Rows | None:
            text = request.path_params["course"]
            class_ = int(text) - SHARD - 1 if text.isdigit() else -1
            return rows(request, now, class_) if class_ in self._course_numbers else None

        return of_course

    # What there is ------------------------------------------------------------------------------------------------

    @cached_property
    def _course_numbers(self) -> frozenset[int]:
        return frozenset(np.flatnonzero(self._district.people.classes.grade >= GRADEBOOK_FROM).tolist())

    def _accounts(self) -> Rows:
        root = {"id": SHARD + 1, "name": "Riverbend Unified School District (simulated)", "parent_account_id": None}
        schools = [
            {"id": SHARD + 2 + s.number, "name": s.name, "parent_account_id": SHARD + 1, "sis_account_id": s.sourced_id}
            for s in self._district.people.schools
        ]
        root |= {"sis_account_id": "ORG-000"}
        both = [root, *schools]
        return [
            row | {"root_account_id": None if row is root else SHARD + 1, "workflow_state": "active"} for row in both
        ]

    def _terms(self) -> Rows:
        year = self._district.year
        spans = ((year.first, year.last), year.fall, year.spring)
        return [
            {
                "id": SHARD + 1 + number,
                "name": name,
                "sis_term_id": f"TERM-{number}",
                "start_at": stamp(year.midnight(np.array([first]))[0]),
                "end_at": stamp(year.midnight(np.array([last]))[0] + DAY_MS),
                "workflow_state": "active",
            }
            for number, (name, (first, last)) in enumerate(zip(("2025-26", "Fall", "Spring"), spans, strict=True))
        ]

    @cached_property
    def _courses(self) -> Rows:
        c = self._district.people.classes
        return [
            {
                "id": SHARD + 1 + n,
                "sis_course_id": class_id(n),
                "name": f"{SUBJECTS[c.subject[n]].capitalize()} {GRADES[c.grade[n]]}-{c.section[n] + 1}",
                "course_code": f"{GRADES[c.grade[n]]}-{c.subject[n]}-{c.section[n] + 1}",
                "enrollment_term_id": SHARD + 1 + int(c.term[n]),
                "workflow_state": "available",
                "account_id": SHARD + 2 + int(c.school[n]),
                "root_account_id": SHARD + 1,
                "start_at": None,
                "end_at": None,
            }
            for n in sorted(self._course_numbers)
        ]

    def _sections(self, request: Request, now: int, class_: int) -> Rows:
        return [
            {
                "id": SHARD + 1 + class_,
                "course_id": SHARD + 1 + class_,
                "sis_section_id": f"{class_id(class_)}-S",
                "sis_course_id": class_id(class_),
                "name": "Section 1",
            }
        ]

    def user_id(self, person: int) -> int:
        """Canvas id of a student (index below the count of students) or of a member of staff."""
        return SHARD + 1 + person

    def _users(self, now: int) -> Rows:
        people = self._district.people
        born = people.year.midnight(people.enters_on)
        gone = people.is_leaver & (people.exit_kind != ENDED) & (people.year.midnight(people.leaves_on + 1) <= now)
        there = np.flatnonzero((people.grade >= GRADEBOOK_FROM) & (born <= now) & ~gone).tolist()
        names = [(people.given[i], people.family[i], people.student_id(i), born[i]) for i in there]
        start = people.year.midnights[0]
        names += [
            (people.staff_given[j], people.staff_family[j], people.staff_id(j), start) for j in range(people.staff)
        ]
        persons = [*there, *range(people.count, people.count + people.staff)]
        return [
            {
                "id": self.user_id(person),
                "name": f"{GIVEN[given]} {FAMILY[family]}",
                "sortable_name": f"{FAMILY[family]}, {GIVEN[given]}",
                "short_name": GIVEN[given],
                "sis_user_id": sis,
                "login_id": people.emails[person],
                "email": people.emails[person],
                "created_at": stamp(created),
            }
            for person, (given, family, sis, created) in zip(persons, names, strict=True)
        ]

    @cached_property
    def _rows_of_class(self) -> dict[int, np.ndarray]:
        """Student enrolment rows by class."""
        e = self._district.enrolments
        order = np.argsort(e.class_, kind="stable")
        classes, starts = np.unique(e.class_[order], return_index=True)
        return dict(zip(classes.tolist(), np.split(order, starts[1:]), strict=True))

    def _enrollments(self, request: Request, now: int, class_: int) -> Rows:
        e, people = self._district.enrolments, self._district.people
        states = set(request.query_params.getlist("state[]")) or {"active", "invited"}
        seconds, last = self._activity(now)
        begins = people.year.midnight(e.begins_on)
        found: Rows = []
        for row in self._rows_of_class.get(class_, np.zeros(0, dtype=np.int64)).tolist():
            is_over = e.changed[row] <= now
            if e.born[row] > now or (is_over and e.how[row] == VANISH):
                continue
            state = "active" if not is_over else "deleted" if e.how[row] == TOMBSTONE else "completed"
            if not is_over and begins[row] > now:
                state = "creation_pending"
            if state in states:
                found.append(
                    self._enrollment(row, int(e.student[row]), class_, "StudentEnrollment", state)
                    | {
                        "last_activity_at": stamp(last[row]) if last[row] else None,
                        "total_activity_time": int(seconds[row]),
                        "created_at": stamp(e.born[row]),
                        "updated_at": stamp(e.changed[row] if is_over else e.born[row]),
                    }
                )
        if "active" in states:
            teacher = people.count + int(people.classes.teacher[class_])
            loaded = stamp(people.year.midnights[0])
            found.append(
                self._enrollment(len(e) + class_, teacher, class_, "TeacherEnrollment", "active")
                | {"last_activity_at": None, "total_activity_time": 0, "created_at": loaded, "updated_at": loaded}
            )
        return found

    def _enrollment(self, number: int, person: int, class_: int, kind: str, state: str) -> dict[str, Any]:
        return {
            "id": SHARD + 1 + number,
            "user_id": self.user_id(person),
            "course_id": SHARD + 1 + class_,
            "course_section_id": SHARD + 1 + class_,
            "type": kind,
            "role": kind,
            "enrollment_state": state,
        }

    @cached_property
    def _items_of_class(self) -> dict[int, list[int]]:
        items = self._district.outcomes.items
        found: dict[int, list[int]] = {}
        for item in np.flatnonzero(items.category != ASSESSMENT).tolist():
            found.setdefault(int(items.class_[item]), []).append(item)
        return found

    def _assignments(self, request: Request, now: int, class_: int) -> Rows:
        items, year = self._district.outcomes.items, self._district.year
        found = []
        for item in self._items_of_class.get(class_, []):
            due = int(year.midnight(items.due_on[item : item + 1])[0])
            created = due - 5 * DAY_MS
            if created <= now:
                found.append(
                    {
                        "id": SHARD + 1 + item,
                        "course_id": SHARD + 1 + class_,
                        "name": f"{CATEGORIES[items.category[item]][1]} {items.number[item] + 1}",
                        "due_at": stamp(due + DAY_MS - 1000),
                        "unlock_at": None,
                        "points_possible": 100.0,
                        "grading_type": "points",
                        "workflow_state": "published",
                        "created_at": stamp(created),
                        "updated_at": stamp(created),
                    }
                )
        return found

    @cached_property
    def _results_of_class(self) -> dict[int, np.ndarray]:
        r, items = self._district.outcomes.results, self._district.outcomes.items
        regular = np.flatnonzero(items.category[r.item] != ASSESSMENT)
        order = regular[np.argsort(r.class_[regular], kind="stable")]
        classes, starts = np.unique(r.class_[order], return_index=True)
        return dict(zip(classes.tolist(), np.split(order, starts[1:]), strict=True))

    def _submissions(self, request: Request, now: int, class_: int) -> Rows:
        r, items, year = self._district.outcomes.results, self._district.outcomes.items, self._district.year
        submitted, graded = (_when(request, name) for name in ("submitted_since", "graded_since"))
        found = []
        for row in self._results_of_class.get(class_, np.zeros(0, dtype=np.int64)).tolist():
            item, graded_at = int(r.item[row]), int(r.born[row])
            is_missing, is_late = bool(r.is_missing[row]), row % 11 == 3
            due_end = int(year.midnight(items.due_on[item : item + 1])[0]) + 23 * 3_600_000
            handed_in = (
                None if is_missing else min(due_end + (4 * 3_600_000 if is_late else -row % 9 * 3_600_000), graded_at)
            )
            if graded_at > now and (handed_in is None or handed_in > now):
                continue
            is_graded = graded_at <= now
            if (submitted and (handed_in or 0) < submitted) or (graded and not (is_graded and graded_at >= graded)):
                continue
            found.append(
                {
                    "id": SHARD + 1 + row,
                    "assignment_id": SHARD + 1 + item,
                    "user_id": self.user_id(int(r.student[row])),
                    "score": None if is_missing or not is_graded else float(r.score[row]),
                    "submitted_at": stamp(handed_in) if handed_in else None,
                    "graded_at": stamp(graded_at) if is_graded and not is_missing else None,
                    "workflow_state": "unsubmitted" if is_missing else "graded" if is_graded else "submitted",
                    "late": is_late and not is_missing,
                    "missing": is_missing,
                }
            )
        return found

    # What happened ------------------------------------------------------------------------------------------------

    def _rows_on(self, day: int) -> np.ndarray:
        """int64 (student, subject): the enrolment row in force that day, or -1."""
        e, people = self._district.enrolments, self._district.people
        rows = np.full((people.count, len(SUBJECTS)), -1, dtype=np.int64)
        valid = np.flatnonzero((e.begins_on <= day) & (day <= e.ended_on))
        rows[e.student[valid], people.classes.subject[e.class_[valid]]] = valid
        return rows

    @staticmethod
    def _row_of_view(rows: np.ndarray, person: np.ndarray, slot: np.ndarray) -> np.ndarray:
        """Enrolment row of each view; an elective that is not held this term stands for mathematics."""
        row = rows[person, np.maximum(slot, 0)]
        return np.where(row < 0, rows[person, 0], row)

    def _activity(self, now: int) -> tuple[np.ndarray, np.ndarray]:
        """(seconds, instant of the last view or 0) by enrolment row, up to this moment."""
        usage, year = self._district.usage, self._district.year
        today = _local_day(year.midnights, now) + year.first
        if self._seconds is None or self._last is None or today < self._activity_day:
            count = len(self._district.enrolments)
            self._seconds, self._last = np.zeros(count), np.zeros(count, dtype=np.int64)
            self._activity_day = year.first
        for day in range(self._activity_day, today):
            self._add_day(usage.views(day), day, NEVER, self._seconds, self._last)
        self._activity_day = max(today, self._activity_day)
        seconds, last = self._seconds.copy(), self._last.copy()
        self._add_day(usage.views(today), today, now, seconds, last)
        return seconds, last

    def _add_day(self, views: Any, day: int, until: int, seconds: np.ndarray, last: np.ndarray) -> None:
        mine = (views.at <= until) & (views.slot >= 0)
        rows = self._row_of_view(self._rows_on(day), views.person[mine], views.slot[mine])
        held = rows >= 0
        np.add.at(seconds, rows[held], views.seconds[mine][held])
        np.maximum.at(last, rows[held], views.at[mine][held])

    def _page_views(self, request: Request, now: int) -> Rows | None:
        text, people, year = request.path_params["user"], self._district.people, self._district.year
        person = int(text) - SHARD - 1 if text.isdigit() else -1
        if not 0 <= person < people.count + people.staff:
            return None
        oldest = now - PAGE_VIEW_DAYS * DAY_MS
        start = max(_when(request, "start_time") or oldest, oldest)
        end = min(_when(request, "end_time") or now, now)
        found: Rows = []
        first = max(year.first, year.first + _local_day(year.midnights, start))
        last = min(year.last, year.first + _local_day(year.midnights, end))
        for day in range(last, first - 1, -1):
            views = self._district.usage.views(day)
            low, high = np.searchsorted(views.person, [person, person + 1])
            for row in range(int(low), int(high)):
                if start <= views.at[row] <= end:
                    found.append(self._page_view(views, row, day))
        return found

    def _page_view(self, views: Any, row: int, day: int) -> dict[str, Any]:
        e, person, at = self._district.enrolments, int(views.person[row]), int(views.at[row])
        is_lti = views.slot[row] < 0
        enrolment = int(
            self._row_of_view(self._day_rows(day), views.person[row : row + 1], views.slot[row : row + 1])[0]
        )
        course = SHARD + 1 + int(e.class_[enrolment]) if enrolment >= 0 else None
        controller, action, path = ACTS[int(views.act[row])]
        asset = SHARD + 1 + (person * 31 + at // 60_000) % 5000
        url = f"https://{LMS_HOST}/courses/{course}{path.format(asset)}"
        if is_lti:
            controller, action, course = "external_tools", "show", None
            url = f"https://{LMS_HOST}{LTI_PATH}?launch_type=global_navigation"
        key = hashlib.blake2b(f"{person}:{at}:{row}".encode(), digest_size=16).digest()
        real = int(views.real[row])
        return {
            "id": str(UUID(bytes=key)),
            "url": url,
            "context_type": "Account" if is_lti else "Course",
            "asset_type": "ContextExternalTool" if is_lti else "Assignment" if "assign" in controller else None,
            "controller": controller,
            "action": action,
            "interaction_seconds": float(views.seconds[row]),
            "created_at": stamp(at),
            "user_request": bool(views.is_user_request[row]),
            "participated": None if is_lti else controller.startswith(("assign", "quiz")),
            "http_method": "get",
            "user_agent": "Mozilla/5.0 (X11; CrOS x86_64)",
            "links": {
                "user": self.user_id(person),
                "context": SHARD + 1 if is_lti else course,
                "asset": None,
                "real_user": self.user_id(self._district.people.count + real) if real >= 0 else None,
                "account": SHARD + 1,
            },
        }

    def _day_rows(self, day: int) -> np.ndarray:
        if day not in self._kept_rows:
            if len(self._kept_rows) > PAGE_VIEW_DAYS + 5:
                self._kept_rows.clear()
            self._kept_rows[day] = self._rows_on(day)
        return self._kept_rows[day]

    @cached_property
    def _kept_rows(self) -> dict[int, np.ndarray]:
        return {}


def _local_day(midnights: np.ndarray, moment: int) -> int:
    """Place of the local day of an instant among the days of the year; below 0 before it."""
    return int(np.searchsorted(midnights, moment, side="right")) - 1


def _when(request: Request, name: str) -> int | None:
    """Raises ValueError for a value that is no date and time."""
    text = request.query_params.get(name)
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{name} needs an offset")
    return instant(moment)


def _chosen(row: dict[str, Any], share: float) -> bool:
    text = str(row["id"]).encode()
    number = int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "big")
    return bool(chosen(np.array([number]), share)[0])


def _offset(request: Request) -> int:
    """The place that an opaque page token stands for. Raises ValueError for a token that we did not give."""
    token = request.query_params.get("page")
    if not token:
        return 0
    try:
        text = base64.urlsafe_b64decode(token.removeprefix("bookmark:").encode()).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise ValueError("page is not a bookmark of ours") from error
    place, _, mark = text.partition(".")
    if not token.startswith("bookmark:") or mark != _mark(place):
        raise ValueError("page is not a bookmark of ours")
    return int(place)


def _mark(place: str) -> str:
    return hashlib.blake2b(f"bookmark {place}".encode(), digest_size=6).hexdigest()


def _links(request: Request, offset: int, following: int | None) -> str:
    """RFC 8288, with opaque page tokens and without `last`, which Canvas leaves out of costly lists."""

    def link(place: int, rel: str) -> str:
        token = base64.urlsafe_b64encode(f"{place}.{_mark(str(place))}".encode()).decode()
        query = [(name, value) for name, value in request.query_params.multi_items() if name != "page"]
        return f'<{request.url.replace(query=urlencode([*query, ("page", f"bookmark:{token}")]))}>; rel="{rel}"'

    links = [link(offset, "current"), link(0, "first")]
    if following is not None:
        links.append(link(following, "next"))
    return ",".join(links)
