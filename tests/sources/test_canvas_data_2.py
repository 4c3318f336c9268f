"""Canvas Data 2 over a server that speaks its protocol: jobs, objects, addresses that run out, changes, deletions."""

from __future__ import annotations

import gzip
import json
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asked_district import MORNING, AskedDistrict
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_vendor import Asked, Reply, Vendor, token_reply

from uptake.contracts import Batch, Window
from uptake.credentials import Credential
from uptake.errors import ContractError, PermanentError, TransientError
from uptake.parsing import by_name, keys_only, parse_records
from uptake.rows import RowReader
from uptake.sources.base import Home
from uptake.sources.canvas import RESOURCES as REST
from uptake.sources.canvas_data_2 import _ALL, TABLES, CanvasData2, CanvasData2Settings, _decoded, _parted, _with_place
from uptake.sources.dap import Dap

NOW = datetime(2026, 4, 14, 18, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=4)
FULL = Window.between("full", None, NOW)
AT = "2026-04-14T13:37:00Z"


def record(key: int | str, *, action: str = "U", **value: Any) -> dict[str, Any]:
    """A line; what is None is left out, as the vendor does."""
    given = {name: each for name, each in value.items() if each is not None}
    line = {"meta": {"ts": AT, "action": action}, "key": {"id": key}}
    return line if action == "D" else line | {"value": given}


class Platform:
    """tables: what a job for a table gives, each file a list of lines. `waits`: how often a job is still running."""

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor
        self.tables: dict[str, list[Sequence[Any]]] = {}
        self.jobs: list[tuple[str, dict[str, Any]]] = []
        self.waits = 0
        self.reached = AT
        self.schema: dict[str, set[str]] = {}
        self._left: dict[str, int] = {}
        vendor.on("/ids/auth/login", token_reply())
        vendor.on("/dap/object/url", self._addresses)
        for table in [*TABLES.values(), None]:
            name, space = (table.name, table.namespace) if table else ("pseudonyms", "canvas")
            base = f"/dap/query/{space}/table/{name}"
            vendor.on(f"{base}/schema", self._schema(name))
            vendor.on(f"{base}/data", self._made(name))

    def _schema(self, name: str) -> Callable[[Asked], Reply]:
        columns = {column for table in TABLES.values() if table.name == name for column in table.asked}
        columns |= {"id", "user_id", "unique_id", "sis_user_id", "workflow_state"} if name == "pseudonyms" else set()
        return lambda _: Reply(
            {"version": 7, "schema": {"properties": {each: {} for each in self.schema.get(name, columns)}}}
        )

    def _made(self, name: str) -> Callable[[Asked], Reply]:
        def make(asked: Asked) -> Reply:
            query = json.loads(asked.body)
            number = len(self.jobs)
            self.jobs.append((name, query))
            job = f"{name}-{number}"
            self._left[job] = self.waits
            self.vendor.on(f"/dap/job/{job}", lambda _: self._state(job, name, query))
            return self._state(job, name, query)

        return make

    def _state(self, job: str, name: str, query: dict[str, Any]) -> Reply:
        if self._left[job] > 0:
            self._left[job] -= 1
            return Reply({"id": job, "status": "running"})
        objects = []
        for number, lines in enumerate(self.tables.get(name, [])):
            objects.append({"id": f"{job}/part-{number}"})
            text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
            self.vendor.on(f"/files/{job}/part-{number}", Reply(gzip.compress(text.encode())))
        end = {"since": query["since"], "until": self.reached} if "since" in query else {"at": self.reached}
        return Reply({"id": job, "status": "complete", "objects": objects, "schema_version": 7, **end})

    def _addresses(self, asked: Asked) -> Reply:
        ids = [each["id"] for each in json.loads(asked.body)]
        return Reply(
            {"urls": {each: {"url": f"{self.vendor.url}/files/{each}?X-Amz-Signature=secret"} for each in ids}}
        )


@pytest.fixture
def platform(vendor: Vendor) -> Platform:
    return Platform(vendor)


@pytest.fixture
def district(platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> AskedDistrict:
    place = {"kind": "canvas_data_2", "url": platform.vendor.url, "host": "lakeside.instructure.com"}
    return AskedDistrict(tmp_path, monkeypatch, ("us-east-1#id", "secret"), **place)


def source(platform: Platform, notes: Path, **options: Any) -> CanvasData2:
    values = {"name": "lms", "kind": "canvas_data_2", "connection": "cd2", "url": platform.vendor.url}
    settings = CanvasData2Settings.model_validate(values | {"host": "lakeside.instructure.com"} | options)
    made = CanvasData2(settings, Credential("us-east-1#id", "secret"))
    made.settle(Home(notes, secrets.token_bytes(32)))
    return made


def pulled(canvas: CanvasData2, name: str, window: Window = FULL) -> list[Batch]:
    return list(canvas.pull(canvas.resources[name], window))


def rows(batches: Sequence[Batch], *, gone: bool = False) -> list[dict[str, Any]]:
    assert [reject for batch in batches for reject in batch.rejects] == []
    return [row for batch in batches if batch.is_deletion == gone for row in batch.table.to_pylist()]


def test_what_lands_is_shaped_as_the_rest_api_lands_it() -> None:
    for name, resource in _ALL.items():
        if name in REST:
            assert resource.landed_schema == REST[name].landed_schema and resource.key == REST[name].key
    assert set(TABLES) == set(_ALL)
    assert all(set(table.columns) <= {field.name for field in _ALL[name].fields} for name, table in TABLES.items())


def test_a_snapshot_then_what_changed_since_it(platform: Platform, tmp_path: Path) -> None:
    platform.tables["courses"] = [
        [record(1, name="A", sis_source_id="C1", conclude_at="2026-06-05T00:00:00Z")],
        [record(2, name="B")],
    ]
    with source(platform, tmp_path) as canvas:
        courses = canvas.resources["courses"]
        (window,) = canvas.windows(courses, since=None, until=NOW, full=True)
        first = rows(pulled(canvas, "courses", window))
    assert [(row["id"], row["sis_course_id"]) for row in first] == [(1, "C1"), (2, None)]
    assert first[0]["end_at"] == datetime(2026, 6, 5, tzinfo=UTC)

    platform.tables["courses"] = [[record(2, name="B2"), record(1, action="D")]]
    platform.reached = "2026-04-14T17:37:00Z"
    with source(platform, tmp_path) as canvas:
        (window,) = canvas.windows(courses, since=NOW, until=LATER, full=False)
        batches = pulled(canvas, "courses", window)
    assert window.mode == "incremental"
    assert [row["name"] for row in rows(batches)] == ["B2"]
    assert [row["id"] for row in rows(batches, gone=True)] == [1]
    assert platform.jobs == [
        ("courses", {"format": "jsonl"}),
        ("courses", {"format": "jsonl", "since": AT}),
    ]
    with source(platform, tmp_path) as canvas:
        pulled(canvas, "courses", canvas.windows(courses, since=LATER, until=LATER, full=False)[0])
    assert platform.jobs[-1][1]["since"] == "2026-04-14T17:37:00Z", "on from the vendor's own state, which lags"


def test_without_a_note_of_the_state_everything_is_read(platform: Platform, tmp_path: Path) -> None:
    with source(platform, tmp_path) as canvas:
        (window,) = canvas.windows(canvas.resources["courses"], since=NOW, until=LATER, full=False)
    assert window.mode == "full"


def test_a_vendor_that_asks_for_a_snapshot_gets_one_at_the_next_pull(platform: Platform, tmp_path: Path) -> None:
    with source(platform, tmp_path) as canvas:
        courses = canvas.resources["courses"]
        pulled(canvas, "courses")
        error = {"error": {"type": "x.SnapshotRequired", "uuid": "u", "message": "m", "since": AT, "until": None}}
        platform.vendor.once("/dap/query/canvas/table/courses/data", Reply(error, 400))
        (window,) = canvas.windows(courses, since=NOW, until=LATER, full=False)
        with pytest.raises(TransientError, match="not known any more"):
            pulled(canvas, "courses", window)
        assert canvas.windows(courses, since=NOW, until=LATER, full=False)[0].mode == "full"


def test_users_have_the_ids_of_their_best_login(platform: Platform, tmp_path: Path) -> None:
    platform.tables["users"] = [
        [record(20, name="Kim C."), record(21, name="Lee"), record(22, name="Gone", workflow_state="deleted")]
    ]
    login = {"user_id": 20, "workflow_state": "active"}
    platform.tables["pseudonyms"] = [
        [
            record(1, **login | {"workflow_state": "suspended"}, sis_user_id="old", unique_id="old@x"),
            record(2, **login, sis_user_id=None, unique_id="kim@x"),
            record(3, **login, sis_user_id="s20", unique_id="kim@lakeside.example"),
            record(4, **login, sis_user_id="later", unique_id="later@x"),
        ]
    ]
    with source(platform, tmp_path) as canvas:
        found = rows(batches := pulled(canvas, "users"))
    assert [(row["id"], row["sis_user_id"], row["login_id"]) for row in found] == [
        ("20", "s20", "kim@lakeside.example"),
        ("21", None, None),
    ]
    assert not any(batch.is_deletion for batch in batches), "the diff of the whole table finds who is gone"


def test_only_assignments_of_courses_are_taken_and_only_named_columns(platform: Platform, tmp_path: Path) -> None:
    platform.tables["assignments"] = [
        [
            record(5, context_type="Course", context_id=1, title="Essay", description="<p>Kim, rewrite this</p>"),
            record(6, context_type="Account", context_id=9, title="No"),
        ]
    ]
    with source(platform, tmp_path) as canvas:
        (batch,) = pulled(canvas, "assignments")
    assert batch.table.select(["id", "course_id", "name"]).to_pylist() == [{"id": 5, "course_id": 1, "name": "Essay"}]
    assert not batch.unknown


def test_the_web_log_has_no_attention_and_says_which_requests_a_program_made(
    platform: Platform, tmp_path: Path
) -> None:
    at = {"timestamp": "2026-04-14T09:00:00Z", "interaction_micros": 250_000}
    lines = [
        record("a", user_id=20, url="/courses/1", http_method="GET", http_status="200", **at),
        record("b", user_id=20, url="https://other.example/api/v1/x", real_user_id=9, participated=True, **at),
        record("c", user_id=None, url="/login", **at),
    ]
    for shape in (lines, [*lines, "{broken"]):
        platform.tables["web_logs"] = [shape]
        with source(platform, tmp_path) as canvas:
            resource = canvas.resources["web_logs"]
            (window,) = canvas.windows(resource, since=None, until=NOW, full=False)
            batches = pulled(canvas, "web_logs", window)
        found = [row for batch in batches for row in batch.table.to_pylist()]
        assert [(row["url"], row["is_api"], row["real_user_id"]) for row in found] == [
            ("https://lakeside.instructure.com/courses/1", False, None),
            ("https://other.example/api/v1/x", True, "9"),
        ]
        assert window.mode == "file" and batches[-1].note == "1 requests were nobody's: nobody was signed in."
        assert [r.reason for batch in batches for r in batch.rejects] == ["unreadable"] * (len(shape) - 3)


def test_each_pull_of_the_web_log_has_a_window_of_its_own(platform: Platform, tmp_path: Path) -> None:
    """The vendor's state may not have moved between two pulls: the third must not be taken for the second."""
    tokens = []
    for number in range(3):
        with source(platform, tmp_path) as canvas:
            since, until = NOW + timedelta(hours=number), NOW + timedelta(hours=number + 1)
            resource = canvas.resources["web_logs"]
            (window,) = canvas.windows(resource, since=since if number else None, until=until, full=False)
            pulled(canvas, "web_logs", window)
            tokens.append(window.token)
    assert len(set(tokens)) == 3
    assert [query.get("since") for _, query in platform.jobs] == [None, AT, AT]


def test_a_job_is_asked_after_and_not_for_ever(platform: Platform, tmp_path: Path, waits: list[float]) -> None:
    platform.waits = 3
    platform.tables["courses"] = [[record(1, name="A")]]
    with source(platform, tmp_path) as canvas:
        assert len(rows(pulled(canvas, "courses"))) == 1
    assert waits == [1.0, 2.0, 4.0]
    platform.waits = 99
    with source(platform, tmp_path, job_minutes=0.01) as canvas, pytest.raises(TransientError, match="is not done"):
        pulled(canvas, "courses")


def test_five_jobs_a_minute(platform: Platform, tmp_path: Path) -> None:
    slept: list[float] = []
    now = [1000.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    with source(platform, tmp_path) as canvas:
        dap = Dap(canvas.client, patience_seconds=60, sleep=sleep, clock=lambda: now[0])
        for _ in range(7):
            now[0] += 1
            dap.query("canvas", "courses", None)
    assert slept == [55.0]


def test_an_address_that_ran_out_is_asked_for_again_and_gets_no_credential(
    platform: Platform, tmp_path: Path, waits: list[float]
) -> None:
    platform.tables["courses"] = [[record(1, name="A")]]
    platform.vendor.once("/files/courses-0/part-0", Reply(b"<Error/>", 403), Reply(b"", 503))
    with source(platform, tmp_path) as canvas:
        assert len(rows(pulled(canvas, "courses"))) == 1
    asked = [each for each in platform.vendor.asked if each.path.startswith("/files")]
    assert len(asked) == 3 and not any("authorization" in each.headers for each in asked)


@pytest.mark.parametrize("gone", ["/dap/job/courses-0", "/dap/object/url"])
def test_what_the_vendor_has_forgotten_is_asked_for_again_later(
    platform: Platform, tmp_path: Path, waits: list[float], gone: str
) -> None:
    platform.waits = 1
    platform.tables["courses"] = [[record(1, name="A")]]
    platform.vendor.once(gone, *[Reply({"error": {"type": "NotFound", "uuid": "u", "message": "m"}}, 404)] * 3)
    with source(platform, tmp_path) as canvas, pytest.raises(TransientError):
        pulled(canvas, "courses")


@pytest.mark.parametrize("cut", [5, 40])
def test_a_file_that_is_cut_short_is_no_table(platform: Platform, tmp_path: Path, waits: list[float], cut: int) -> None:
    whole = gzip.compress("\n".join(json.dumps(record(n, name="A")) for n in range(50)).encode())
    platform.tables["courses"] = [[record(1)]]
    platform.vendor.once("/files/courses-0/part-0", Reply(whole[:-cut]))
    with source(platform, tmp_path) as canvas, pytest.raises(TransientError, match="damaged or cut short"):
        pulled(canvas, "courses")
    assert not list(tmp_path.iterdir()), "the state is not noted as reached"


def test_a_schema_without_a_column_stops_the_table(platform: Platform, tmp_path: Path) -> None:
    platform.schema["courses"] = TABLES["courses"].asked - {"sis_source_id"}
    with source(platform, tmp_path) as canvas, pytest.raises(ContractError) as caught:
        pulled(canvas, "courses")
    assert caught.value.message == "table courses has no sis_source_id in version 7 of its schema"
    assert platform.jobs == []


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        ("AccountUnderMaintenance", TransientError, "under maintenance"),
        ("AccountDisabled", PermanentError, "not open to this account"),
        ("AccountNotOnboarded", PermanentError, "not open to this account"),
        ("Other", PermanentError, "refused the credential"),
    ],
)
def test_a_refusal_says_who_must_do_what(
    platform: Platform, tmp_path: Path, waits: list[float], kind: str, error: type[Exception], message: str
) -> None:
    body = {"error": {"type": kind, "uuid": "u", "message": "Kim Carter's account"}}
    platform.vendor.on("/dap/query/canvas/table/courses/schema", Reply(body, 403))
    with source(platform, tmp_path, retry_seconds=1) as canvas, pytest.raises(error, match=message) as caught:
        pulled(canvas, "courses")
    assert "Kim" not in str(caught.value)


def test_a_failed_job_is_tried_again_later(platform: Platform, tmp_path: Path) -> None:
    failed = {"id": "j", "status": "failed", "error": {"type": "x", "uuid": "u", "message": "m"}}
    platform.vendor.on("/dap/query/canvas/table/courses/data", Reply(failed))
    with source(platform, tmp_path) as canvas, pytest.raises(TransientError, match="the job for courses failed"):
        pulled(canvas, "courses")


def test_a_probe_lists_the_tables_and_looks_for_the_web_log(platform: Platform, tmp_path: Path) -> None:
    platform.vendor.on("/dap/query/canvas/table", Reply({"tables": ["courses", "users"]}))
    platform.vendor.on("/dap/query/canvas_logs/table", Reply({"tables": []}))
    with source(platform, tmp_path) as canvas, pytest.raises(PermanentError, match="no web log") as caught:
        canvas.probe()
    assert "`web_logs: false`" in caught.value.remedy
    with source(platform, tmp_path, web_logs=False) as canvas:
        assert "has 2 tables" in canvas.probe()
        assert "web_logs" not in canvas.resources
    platform.vendor.on("/dap/query/canvas_logs/table", Reply({"tables": ["web_logs"]}))
    with source(platform, tmp_path) as canvas:
        assert "has 2 tables" in canvas.probe()


# --- whatever is in a line ---------------------------------------------------------------------------------------

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=2),
    max_leaves=4,
)


@st.composite
def _line(draw: st.DrawFn) -> Any:
    """A line of a table with something wrong in it, or nothing."""
    value = {"user_id": 20, "url": "/courses/1", "workflow_state": "active", "context_type": "Course", "name": "x"}
    line: Any = record("a", timestamp="2026-04-14T09:00:00Z", **value)
    place = draw(st.sampled_from([line, line["meta"], line["key"], line["value"]]))
    if draw(st.booleans()):
        place[draw(st.sampled_from([*place, "id"]))] = draw(_JSON)
    return draw(st.sampled_from([line, line, line, draw(_JSON)]))


@settings(max_examples=100, deadline=None)
@given(name=st.sampled_from(list(TABLES)), pages=st.lists(st.lists(_line(), min_size=1, max_size=3), max_size=3))
def test_every_line_is_a_row_a_reject_a_deletion_or_left_out(name: str, pages: list[list[Any]]) -> None:
    table, read = TABLES[name], RowReader("rows")
    contract = by_name(_ALL[name])
    for page in pages:
        block = "\n".join(map(json.dumps, page)).encode()
        kept, gone, left_out = _parted(_decoded(block, read), table)
        batch = parse_records(contract, _with_place(kept, "x.example") if name == "web_logs" else kept)
        assert batch.pulled + len(gone) + left_out == len(page)
        assert not batch.unknown
        parse_records(keys_only(contract), gone)


# --- through the whole door --------------------------------------------------------------------------------------


def test_a_pull_goes_on_where_the_vendor_had_come_and_not_where_our_clock_was(
    platform: Platform, district: AskedDistrict
) -> None:
    platform.tables["courses"] = [[record(1, name="A"), record(2, name="B")]]
    platform.tables["users"] = [[record(20, name="Zoelle Lindqvist"), record(21, name="Lee")]]
    platform.tables["pseudonyms"] = [[record(1, user_id=20, unique_id="zl@school.example", workflow_state="active")]]
    at = {"user_id": 20, "timestamp": "2026-04-14T09:00:00Z"}
    platform.tables["web_logs"] = [[record("a", url="/courses/1?q=secret-word", **at)]]
    first = district.pull()
    assert {name: found.landed for name, found in first.items() if found.landed} == {
        "courses": 2,
        "users": 2,
        "web_logs": 1,
    }
    assert first["users"].mode == "full" and first["web_logs"].mode == "incremental"
    kept = district.bytes_at_rest()
    assert not [word for word in (b"Lindqvist", b"zl@school", b"secret-word") if word in kept]

    platform.tables["courses"] = [[record(2, name="B2"), record(1, action="D")]]
    platform.tables["web_logs"] = [[record("a", url="/courses/1", **at), record("b", url="/courses/2", **at)]]
    platform.reached = "2026-04-14T10:37:00Z"
    district.later(hours=4)
    second = district.pull()
    assert second["users"].mode == "not due"
    assert {name: row["name"] for name, row in district.current("courses").items()} == {2: "B2"}
    assert len(district.landed("web_logs")) == 3, "what overlaps lands again and is one request behind the door"
    assert {query.get("since") for name, query in platform.jobs[-8:]} == {AT}

    district.later(hours=4)
    district.pull(resources=["courses", "web_logs"])
    assert [query.get("since") for _, query in platform.jobs[-2:]] == ["2026-04-14T10:37:00Z"] * 2


def test_a_pull_that_failed_is_made_up_by_the_next(platform: Platform, district: AskedDistrict) -> None:
    platform.tables["courses"] = [[record(1, name="A")]]
    district.pull(resources=["courses"])
    platform.reached = "2026-04-14T10:37:00Z"
    platform.tables["courses"] = [[record(1, name="A2")]]
    platform.vendor.once("/files/courses-1/part-0", Reply(gzip.compress(b"x" * 1000)[:-9]))
    district.later(hours=4)
    with pytest.raises(TransientError, match="damaged or cut short"):
        district.pull(resources=["courses"])
    district.later(hours=4)
    assert district.pull(resources=["courses"])["courses"].landed == 1
    assert [query.get("since") for _, query in platform.jobs] == [None, AT, AT]


def test_who_is_no_longer_in_the_daily_snapshot_is_gone(platform: Platform, district: AskedDistrict) -> None:
    people = [record(number, name="x") for number in range(20, 30)]
    platform.tables["users"] = [people]
    platform.tables["pseudonyms"] = [[]]
    district.pull(resources=["users"])
    platform.tables["users"] = [[record(29, name="x", workflow_state="deleted"), *people[:9]]]
    district.now = MORNING + timedelta(days=1, hours=1)
    found = district.pull(resources=["users"])["users"]
    assert (found.landed, found.deleted) == (9, 1)
    assert district.pseudonym("canvas_user", "29") not in district.current("users")
