"""What the sources bring is what the simulated district holds, row by row, on good days and on bad ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pyarrow as pa
import pytest

from uptake.contracts import Batch, Resource, Window
from uptake.credentials import Credential
from uptake.errors import PermanentError, TransientError
from uptake.parsing import parse_records
from uptake.sandbox.credentials import CANVAS_TOKEN, ONEROSTER_CLIENT, UMBRELLA_CLIENT
from uptake.sandbox.roster import Roster
from uptake.sandbox.running import RunningSandbox, running_sandbox
from uptake.sources import canvas, oneroster, umbrella
from uptake.sources.api import ApiSource
from uptake.sources.base import Home, Settles
from uptake.sources.registry import KINDS

# A vendor by the name of its endpoints; one kind may speak in several ways.
KIND_OF = {"oneroster11": "oneroster", "oneroster11_signed": "oneroster"}
CREDENTIALS = {
    "oneroster": Credential(*ONEROSTER_CLIENT),
    "oneroster11": Credential(*ONEROSTER_CLIENT),
    "oneroster11_signed": Credential(*ONEROSTER_CLIENT),
    "canvas": Credential("", CANVAS_TOKEN),
    "umbrella": Credential(*UMBRELLA_CLIENT),
}
# A page of Canvas and of Umbrella holds few rows here, so that every walk has several pages.
OPTIONS: dict[str, dict[str, Any]] = {
    "oneroster": {"page_size": 40},
    "oneroster11": {"page_size": 40, "version": "1.1"},
    "oneroster11_signed": {"page_size": 40, "version": "1.1", "auth": "oauth1_hmac_sha256"},
    "canvas": {"page_size": 15},
    "umbrella": {"page_size": 50},
}
FAULTS: dict[str, dict[str, Any]] = {
    "throttle": {"times": 2, "retry_after": 1},
    "expire": {"times": 1, "after": 1},
    "error500": {"times": 2, "after": 1},
    "truncate": {"times": 1},
    "html": {"times": 2},
    "slow": {"times": 1, "seconds": 0.9},
    "clamp": {"size": 9},
    "no_totals": {},
    "duplicate": {"share": 0.2},
}
ENDPOINTS = [
    *(("oneroster", name) for name in oneroster.RESOURCES),
    *(("oneroster11", name) for name in oneroster.RESOURCES),
    ("oneroster11_signed", "users"),
    *(("canvas", name) for name in canvas.RESOURCES),
    *(("umbrella", name) for name in umbrella.RESOURCES),
]
# What 1.1 has no word for.
NOT_IN_1P1 = {"lineItems": ["school_sourcedId"], "results": ["class_sourcedId"], "categories": ["weight"]}
# A Canvas token is made by a person: nothing here could renew it (there is a test of its own for that). A signature
# does not expire.
LASTING = {"canvas", "oneroster11_signed"}
# A late answer costs its time, and the client that all resources share waits for it: one resource of each vendor.
AWAITED = set({kind: (kind, name) for kind, name in reversed(ENDPOINTS)}.values())
BAD_DAYS = [
    (*place, fault)
    for place in ENDPOINTS
    for fault in FAULTS
    if not (place[0] in LASTING and fault == "expire") and (fault != "slow" or place in AWAITED)
]
SCHOOL_MORNING = datetime(2026, 4, 13, 13, 0, tzinfo=UTC)  # a Monday, eight o'clock in Chicago
HOURS = 4


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    with running_sandbox(state=tmp_path_factory.mktemp("sandbox"), students=60) as running:
        yield running


@pytest.fixture(autouse=True)
def mended(sandbox: RunningSandbox, waits: list[float]) -> Iterator[None]:
    yield
    sandbox.mend()


def opened(sandbox: RunningSandbox, vendor: str, **options: Any) -> ApiSource:
    kind = KIND_OF.get(vendor, vendor)
    model = KINDS[kind].settings_model
    values = {"name": "s", "kind": kind, "connection": "demo", "url": sandbox.base_url, "timeout_seconds": 0.6}
    source = KINDS[kind](model.model_validate(values | OPTIONS[vendor] | options), CREDENTIALS[vendor])
    assert isinstance(source, ApiSource)
    if isinstance(source, Settles):
        source.settle(Home(Path("unused"), bytes(32)))
    return source


def declared(vendor: str, name: str) -> Resource:
    return KINDS[KIND_OF.get(vendor, vendor)].declared[name]  # type: ignore[attr-defined]


def window_of(resource: Resource, sandbox: RunningSandbox) -> Window:
    if resource.kind == "event":
        length = timedelta(days=1) if resource.name == "page_views" else timedelta(hours=HOURS)
        start = SCHOOL_MORNING.replace(hour=0) if resource.name == "page_views" else SCHOOL_MORNING
        return Window.between("interval", start, start + length)
    return Window.between("full", None, sandbox.sandbox.clock.now)


def pulled(source: Any, resource: Resource, window: Window) -> Batch:
    batches = list(source.pull(resource, window))
    assert [reject.reason for batch in batches for reject in batch.rejects] == []
    assert {name for batch in batches for name in batch.unknown} == set()
    tables = [batch.table for batch in batches] or [resource.schema.empty_table()]
    return Batch(pa.concat_tables(tables), source_total=batches[-1].source_total if batches else None)


def rows(resource: Resource, table: pa.Table) -> list[dict[str, Any]]:
    """Distinct rows by key, in the order of the key."""
    found = {tuple(str(row[name]) for name in resource.key): row for row in table.to_pylist()}
    return [found[key] for key in sorted(found)]


class Held:
    """What the simulated district holds, read by other ways than the sources'."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self._sandbox = sandbox
        self._roster = Roster(sandbox.district)
        self._known: dict[str, list[dict[str, Any]]] = {}

    def rows(self, kind: str, resource: Resource) -> list[dict[str, Any]]:
        if kind.startswith("oneroster11"):
            return [as_of_1p1(resource.name, row) for row in self.rows("oneroster", resource)]
        place = f"{kind}/{resource.name}"
        if place not in self._known:
            raw = getattr(self, f"_{kind}")(resource.name)
            self._known[place] = rows(resource, parse_records(resource, raw).table)
        return self._known[place]

    def _oneroster(self, name: str, since: datetime | None = None) -> list[Any]:
        after = int(since.timestamp() * 1000) if since else None
        now = self._sandbox.sandbox.clock.now_ms
        return [orjson.loads(row) for row in self._roster.collections[name]().at(now, since=after, inclusive=True)]

    def since(self, resource: Resource, since: datetime) -> list[dict[str, Any]]:
        return rows(resource, parse_records(resource, self._oneroster(resource.name, since)).table)

    def _canvas(self, name: str) -> list[Any]:
        """A plain walk, 100 rows a page, of each list there is."""
        with httpx.Client(
            base_url=self._sandbox.base_url, headers={"Authorization": f"Bearer {CANVAS_TOKEN}"}
        ) as client:

            def listed(path: str, **params: Any) -> list[Any]:
                found: list[Any] = []
                answer = client.get(f"/api/v1/{path}", params={"per_page": 100, **params})
                while True:
                    body = answer.raise_for_status().json()
                    found += body["enrollment_terms"] if isinstance(body, dict) else body
                    if "next" not in answer.links:
                        return found
                    answer = client.get(answer.links["next"]["url"])

            courses = listed("accounts/self/courses")
            states = ["active", "invited", "creation_pending", "completed", "inactive", "deleted"]
            match name:
                case "accounts":
                    return [client.get("/api/v1/accounts/self").json(), *listed("accounts/self/sub_accounts")]
                case "terms" | "users":
                    return listed(f"accounts/self/{name}")
                case "courses":
                    return courses
                case "submissions":
                    return [
                        row | {"course_id": course["id"]}
                        for course in courses
                        for row in listed(f"courses/{course['id']}/students/submissions", **{"student_ids[]": "all"})
                    ]
                case "page_views":
                    start = SCHOOL_MORNING.replace(hour=0)
                    span = {"start_time": start.isoformat(), "end_time": (start + timedelta(days=1)).isoformat()}
                    return [
                        view
                        for user in listed("accounts/self/users")
                        for view in listed(f"users/{user['id']}/page_views", **span)
                        if view["created_at"] < "2026-04-14"
                    ]
                case _:
                    extra = {"state[]": states} if name == "enrollments" else {}
                    return [r for c in courses for r in listed(f"courses/{c['id']}/{name}", **extra)]


def as_of_1p1(name: str, row: dict[str, Any]) -> dict[str, Any]:
    """A typed row, without what 1.1 has no word for; its gradebook knows days and no times."""
    midnight = {"hour": 0, "minute": 0, "second": 0, "microsecond": 0}
    days = {field: row[field].replace(**midnight) for field in ("assignDate", "dueDate") if name == "lineItems"}
    return row | days | dict.fromkeys(NOT_IN_1P1.get(name, ()))


@pytest.fixture(scope="module")
def held(sandbox: RunningSandbox) -> Held:
    return Held(sandbox)


def expected(held: Held, sandbox: RunningSandbox, kind: str, resource: Resource) -> Callable[[pa.Table], None]:
    """Asserts that a pulled table is what is held."""
    if kind != "umbrella":
        return lambda table: _same(rows(resource, table), held.rows(kind, resource))
    start = int(SCHOOL_MORNING.timestamp() * 1000)
    usage = sandbox.district.usage
    day = usage.filter_rows(start // 86_400_000)
    inside = (
        (day.at >= start) & (day.at < start + HOURS * 3_600_000) & (day.served_from <= sandbox.sandbox.clock.now_ms)
    )
    truth = sorted(
        (moment, usage.pool.pages[page].domain)
        for moment, page in zip(day.at[inside].tolist(), day.page[inside].tolist(), strict=True)
    )
    assert len(truth) > 100

    def compare(table: pa.Table) -> None:
        found = {row["event_key"]: row for row in table.to_pylist()}.values()
        assert sorted((int(row["timestamp"].timestamp() * 1000), row["domain"]) for row in found) == truth

    return compare


def _same(found: list[dict[str, Any]], truth: list[dict[str, Any]]) -> None:
    assert len(found) == len(truth)
    assert found == truth


@pytest.mark.parametrize(("kind", "name"), ENDPOINTS)
def test_every_resource_is_what_the_district_holds(sandbox: RunningSandbox, held: Held, kind: str, name: str) -> None:
    resource = declared(kind, name)
    with opened(sandbox, kind) as source:
        batch = pulled(source, resource, window_of(resource, sandbox))
    assert batch.table.num_rows > 0
    expected(held, sandbox, kind, resource)(batch.table)
    if kind.startswith("oneroster"):
        assert batch.source_total == batch.table.num_rows


@pytest.mark.parametrize(("kind", "name", "fault"), BAD_DAYS)
def test_a_bad_day_costs_no_row(sandbox: RunningSandbox, held: Held, kind: str, name: str, fault: Any) -> None:
    resource = declared(kind, name)
    compare = expected(held, sandbox, kind, resource)
    sandbox.fault(f"{kind.removesuffix('_signed')}/{name}", fault, **FAULTS[fault])
    with opened(sandbox, kind) as source:
        batch = pulled(source, resource, window_of(resource, sandbox))
    compare(batch.table)
    if fault == "no_totals":
        assert batch.source_total is None


@pytest.mark.parametrize("fault", ["throttle", "error500", "html", "truncate", "slow"])
def test_a_token_endpoint_on_a_bad_day(sandbox: RunningSandbox, fault: Any) -> None:
    sandbox.fault("oneroster/token", fault, **FAULTS[fault])
    sandbox.fault("umbrella/token", fault, **FAULTS[fault])
    for kind in ("oneroster", "umbrella"):
        with opened(sandbox, kind) as source:
            assert "answers" in source.probe()  # type: ignore[attr-defined]


@pytest.mark.parametrize("method", ["oauth1_hmac_sha256", "oauth1_hmac_sha1"])
def test_signatures_of_both_methods_are_taken(sandbox: RunningSandbox, method: str) -> None:
    with opened(sandbox, "oneroster11_signed", auth=method) as source:
        assert "OneRoster 1.1" in source.probe()  # type: ignore[attr-defined]


def test_a_canvas_token_that_is_over_is_a_matter_for_a_person(sandbox: RunningSandbox) -> None:
    sandbox.fault("canvas/courses", "expire", times=1)
    with opened(sandbox, "canvas") as source, pytest.raises(PermanentError) as caught:
        pulled(source, canvas.RESOURCES["courses"], window_of(canvas.RESOURCES["courses"], sandbox))
    assert "'demo'" in caught.value.remedy


@pytest.mark.parametrize("kind", CREDENTIALS)
@pytest.mark.parametrize("fault", ["throttle", "error500", "html", "truncate"])
def test_a_fault_that_stays_is_left_to_the_scheduler(sandbox: RunningSandbox, kind: str, fault: Any) -> None:
    sandbox.fault(f"{kind.removesuffix('_signed')}/*", fault, retry_after=2)
    with opened(sandbox, kind) as source, pytest.raises(TransientError):
        source.probe()  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_a_wrong_secret_names_the_connection(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setitem(CREDENTIALS, kind, Credential("who", "wrong"))
    with opened(sandbox, kind) as source, pytest.raises(PermanentError) as caught:
        source.probe()  # type: ignore[attr-defined]
    assert "'demo'" in caught.value.remedy


@pytest.mark.parametrize(
    ("vendor", "name"),
    [*(("oneroster", name) for name in oneroster.RESOURCES), ("oneroster11", "users"), ("oneroster11_signed", "users")],
)
def test_what_changed_since_a_day_is_all_that_changed(
    sandbox: RunningSandbox, held: Held, vendor: str, name: str
) -> None:
    resource = oneroster.RESOURCES[name]
    since = datetime(2026, 2, 1, tzinfo=UTC)
    with opened(sandbox, vendor) as source:
        window = source.windows(resource, since=since, until=sandbox.sandbox.clock.now, full=False)[0]  # type: ignore[attr-defined]
        batch = pulled(source, resource, window)
    assert window.mode == "incremental"
    _same(rows(resource, batch.table), held.since(resource, since))


def test_submissions_since_a_day_are_those_handed_in_or_graded_since(sandbox: RunningSandbox, held: Held) -> None:
    resource = canvas.RESOURCES["submissions"]
    since = datetime(2026, 2, 1, tzinfo=UTC)
    with opened(sandbox, "canvas") as source:
        found = rows(resource, pulled(source, resource, Window.between("incremental", since, since)).table)
    everything = held.rows("canvas", resource)
    moments = ("submitted_at", "graded_at")
    recent = [row for row in everything if any(row[name] and row[name] >= since for name in moments)]
    old = [row for row in everything if not any(row[name] and row[name] >= since for name in moments)]
    assert recent and all(row in found for row in recent)
    assert all(row in everything for row in found)
    assert len(found) < len(recent) + len(old) / 10  # missing work may come along: it was marked as missing since


def test_page_views_are_asked_only_of_people_who_may_have_any(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = canvas.RESOURCES["page_views"]
    asked: list[str] = []
    with opened(sandbox, "canvas") as source:
        get = source.client.get

        def watched(path: Any, params: Any = None) -> Any:
            if "page_views" in str(path):
                asked.append(str(path))
            return get(path, params)

        monkeypatch.setattr(source.client, "get", watched)
        last_hour = sandbox.sandbox.clock.now - timedelta(hours=1)
        pulled(source, resource, Window.between("interval", last_hour, last_hour + timedelta(hours=1)))
        few = len(asked)
        asked.clear()
        pulled(source, resource, window_of(resource, sandbox))
    assert few < len(asked)


def test_all_hours_of_a_day_are_the_day(sandbox: RunningSandbox) -> None:
    resource = umbrella.RESOURCES["activity"]
    day = Window.between("interval", datetime(2026, 4, 13, tzinfo=UTC), datetime(2026, 4, 14, tzinfo=UTC))
    with opened(sandbox, "umbrella") as source:
        whole = pulled(source, resource, day).table
        hours = [
            pulled(source, resource, window).table
            for window in source.windows(resource, since=day.start, until=day.start + timedelta(hours=23.5), full=False)  # type: ignore[attr-defined, operator]
        ]
    together = pa.concat_tables(hours)
    assert len(hours) == 24
    assert sorted(whole["event_key"].to_pylist()) == sorted(together["event_key"].to_pylist())
