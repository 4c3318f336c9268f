"""Files of Canvas Live Events: either form, however they are wrapped, and that nothing in a file breaks its pull."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from dropped import NOW, drop
from hypothesis import given, settings
from hypothesis import strategies as st

from uptake import pipeline
from uptake.contracts import Batch
from uptake.project import Project
from uptake.sources.base import Home
from uptake.sources.liveevents import LiveEvents, LiveEventsSettings, canvas_raw
from uptake.sources.liveevents.source import CanvasEvents

KEY = bytes(range(32))
CALIPER = Path(__file__).parents[3] / "shared" / "data" / "caliper"
SHARD = 2107 * 10**13


def raw(name: str = "asset_accessed", *, body: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    told = {
        "event_name": name,
        "event_time": "2026-02-03T15:00:00.335Z",
        "hostname": "maple.instructure.example",
        "root_account_id": str(SHARD + 1),
        "user_id": str(SHARD + 20),
        "user_login": "zoe.lind@maple.example",
        "user_sis_id": "s20",
        "client_ip": "10.1.2.3",
        "user_agent": "Mozilla/5.0 (who knows)",
        "url": "https://maple.instructure.example/courses/1?who=zoe",
    } | metadata
    told = {name: value for name, value in told.items() if value is not None}
    return {"metadata": told, "body": body if body is not None else {"asset_type": "course", "asset_name": "Zoe's"}}


def caliper(number: int = 1, **changes: Any) -> dict[str, Any]:
    """As Canvas sends it: one event in each envelope."""
    person = {"user_login": "zoe.lind@maple.example", "user_sis_id": "s20", "root_account_id": str(SHARD + 1)}
    event = {
        "@context": "http://purl.imsglobal.org/ctx/caliper/v1p1",
        "id": f"urn:uuid:2b6d64bf-5b31-4e2f-b389-{number:012x}",
        "type": "NavigationEvent",
        "actor": {
            "id": f"urn:instructure:canvas:user:{SHARD + 20}",
            "type": "Person",
            "extensions": {"com.instructure.canvas": person},
        },
        "action": "NavigatedTo",
        "object": {"id": "urn:instructure:canvas:course:1", "type": "CourseOffering"},
        "eventTime": "2026-02-03T15:00:00.335Z",
        "edApp": {"id": "http://maple.instructure.example/", "type": "SoftwareApplication"},
    }
    envelope = {
        "sensor": "http://maple.instructure.example/",
        "dataVersion": "http://purl.imsglobal.org/ctx/caliper/v1p1",
    }
    return envelope | {"sendTime": "2026-02-03T15:00:01Z", "data": [event | changes]}


def opened(folder: Path) -> LiveEvents:
    entry = {"name": "events", "kind": "live_events", "folder": folder / "drop"}
    source = LiveEvents(LiveEventsSettings.model_validate(entry), None)
    (folder / "notes").mkdir(exist_ok=True)
    source.settle(Home(folder / "notes", KEY))
    return source


def take(folder: Path) -> tuple[list[dict[str, Any]], list[str], int]:
    """Rows, reasons of rejects, and how many events were left out, of all files."""
    source = opened(folder)
    (resource,) = source.resources.values()
    windows = source.windows(resource, since=None, until=NOW, full=False)
    batches = [batch for window in windows for batch in source.pull(resource, window)]
    rows = [row for batch in batches for row in batch.table.to_pylist()]
    reasons = [reject.reason for batch in batches for reject in batch.rejects]
    return rows, reasons, sum(_left_out(batch) for batch in batches)


def _left_out(batch: Batch) -> int:
    return int(batch.note.split(": ")[1].split()[0]) if batch.note and "left out" in batch.note else 0


def parsed(*events: Any) -> tuple[Batch, int]:
    lines = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return CanvasEvents().parse(pa.array(lines, pa.string()), KEY)


# --- what an event becomes ---------------------------------------------------------------------------------------


def test_both_forms_of_an_event_say_the_same() -> None:
    own, _ = parsed(raw())
    pushed, _ = parsed(caliper())
    (mine,), (theirs,) = own.table.to_pylist(), pushed.table.to_pylist()
    for name in ("eventTime", "type", "action", "actor_id", "actor_sis_id", "actor_email", "actor_canvas_id"):
        assert mine[name] == theirs[name] is not None, name
    assert mine["actor_canvas_id"] == "20", "the number that Canvas' API has"
    assert (mine["ed_app"], theirs["ed_app"]) == (
        "https://maple.instructure.example/",
        "http://maple.instructure.example/",
    )
    assert own.unknown == {} and not own.rejects and not pushed.rejects


@pytest.mark.parametrize(
    ("metadata", "canvas_id"),
    [
        ({}, "20"),
        ({"user_id": str(SHARD * 2 + 20)}, str(SHARD * 2 + 20)),
        ({"root_account_id": None}, str(SHARD + 20)),
        ({"user_id": "20"}, "20"),
    ],
)
def test_a_person_of_another_shard_keeps_the_long_number(metadata: dict[str, Any], canvas_id: str) -> None:
    (row,) = parsed(raw(**metadata))[0].table.to_pylist()
    assert row["actor_canvas_id"] == canvas_id


OTHERS = (
    raw("course_updated"),
    raw("grade_change"),
    raw("submission_updated", user_id=None, job_id="1020"),
    raw(real_user_id=str(SHARD + 9)),
    raw("asset_accessed", user_id=None, user_sis_id=None, user_login=None),
)
USE = (
    raw(),
    raw("logged_in", body={"redirect_url": "https://x.example/?who=zoe"}),
    raw("quiz_submitted", user_login="zlind", user_sis_id=None, body={"quiz_id": "7"}),
    raw("submission_created", body={"body": "My essay", "user_id": "5"}),
    raw(real_user_id=str(SHARD + 20), hostname=None, body={"asset_type": "Zoe Lind's page"}),
    raw(event_time="yesterday"),
    raw(event_time=None),
)


def test_columns_and_one_by_one_say_the_same() -> None:
    """A line of the other form sends all of them the long way."""
    events = [*USE, *OTHERS] * 3
    quick, quick_out = parsed(*events)
    slow, slow_out = parsed(*events, caliper())
    assert slow.table.slice(1).equals(quick.table), "Caliper's stand first"
    assert slow.table.num_rows == quick.table.num_rows + 1
    assert quick_out == slow_out == 3 * len(OTHERS)
    assert [(r.reason, r.raw) for r in quick.rejects] == [(r.reason, r.raw) for r in slow.rejects]
    assert [r.reason for r in quick.rejects] == ["not_timestamp", "missing_required"] * 3
    assert quick.table.column("object_type").to_pylist()[:5] == [
        "course",
        "SoftwareApplication",
        "Attempt",
        "Attempt",
        None,
    ]
    emails = quick.table.column("actor_email").to_pylist()[:3]
    assert emails == ["zoe.lind@maple.example", "zoe.lind@maple.example", None]


def test_every_use_is_named_as_caliper_names_things() -> None:
    for name, use in canvas_raw.USES.items():
        (row,) = parsed(raw(name))[0].table.to_pylist()
        assert (row["type"], row["action"]) == (use.type, use.action)
        assert row["object_type"] == (use.object_type or "course")


def test_a_reject_is_read_again_from_its_own_text(tmp_path: Path) -> None:
    source, text = opened(tmp_path), json.dumps(raw(event_time="yesterday"))
    (resource,) = source.resources.values()
    (reject,) = parsed(text)[0].rejects
    assert reject.raw == text
    again = source.reparse(resource, [reject.raw.replace("yesterday", "2026-02-03T15:00:00Z")])
    assert again.table.num_rows == 1


# --- how they lie in files ---------------------------------------------------------------------------------------


def _queue(events: Sequence[Any]) -> str:
    messages = [{"MessageId": str(n), "ReceiptHandle": "x", "Body": json.dumps(e)} for n, e in enumerate(events)]
    return json.dumps({"Messages": messages}, indent=4)


WRAPPINGS: dict[str, Callable[[Sequence[Any]], str]] = {
    "a line each": lambda events: "\n".join(map(json.dumps, events)),
    "firehose": lambda events: "".join(map(json.dumps, events)),
    "two a line": lambda events: "\n".join(
        json.dumps(a) + " " + json.dumps(b) for a, b in zip(events[::2], events[1::2], strict=True)
    ),
    "an array": json.dumps,
    "a pretty array": lambda events: json.dumps(events, indent=2),
    "pretty, one after the other": lambda events: "\n".join(json.dumps(event, indent=2) for event in events),
    "a dump of the queue": _queue,
    "called by the queue": lambda events: json.dumps(
        {"Records": [{"messageId": "1", "body": json.dumps(e)} for e in events]}
    ),
    "notifications": lambda events: "\n".join(
        json.dumps({"Type": "Notification", "MessageId": "1", "Message": json.dumps(event)}) for event in events
    ),
    "a bus": lambda events: "\n".join(json.dumps({"source": "canvas", "detail": event}) for event in events),
    "messages of notifications": lambda events: "\n".join(
        json.dumps({"MessageId": "1", "Body": json.dumps({"Type": "Notification", "Message": json.dumps(event)})})
        for event in events
    ),
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_however_they_are_wrapped_they_are_the_same_events(tmp_path: Path, wrapping: str) -> None:
    events = [raw(), caliper(1), raw("logged_in"), caliper(2), *OTHERS, raw("logged_out")]
    drop(tmp_path / "drop", "stream-1-2026-02-03", WRAPPINGS[wrapping](events))
    rows, reasons, left_out = take(tmp_path)
    assert (len(rows), reasons, left_out) == (5, [], len(OTHERS))
    assert sorted(row["action"] for row in rows) == [
        "LoggedIn",
        "LoggedOut",
        "NavigatedTo",
        "NavigatedTo",
        "NavigatedTo",
    ]
    assert len({row["event_key"] for row in rows}) == 5
    assert {row["actor_sis_id"] for row in rows} == {"s20"}


def test_an_event_that_a_queue_gave_twice_has_one_key(tmp_path: Path) -> None:
    drop(tmp_path / "drop", "a.json", json.dumps(raw()) + "\n" + json.dumps(raw()))
    drop(tmp_path / "drop", "b.json.gz", WRAPPINGS["firehose"]([raw(), raw("logged_in")]))
    rows, _, _ = take(tmp_path)
    assert len(rows) == 4 and len({row["event_key"] for row in rows}) == 2


@pytest.mark.parametrize(
    "line", ['{"metadata": 3}', "[1, 2]", '{"a": ', '{"Body": "not json"}', '{"Body": " "}', '"text"', "{}"]
)
def test_what_is_no_event_is_a_reject_each(tmp_path: Path, line: str) -> None:
    drop(tmp_path / "drop", "a.json", "\n".join([json.dumps(raw()), line, json.dumps(raw("logged_in"))]))
    rows, reasons, left_out = take(tmp_path)
    assert len(rows) == 2 and left_out == 0
    assert reasons == ["unreadable"] * (2 if line.startswith("[") else 1)


def test_a_file_of_something_else_is_refused_whole(tmp_path: Path) -> None:
    drop(tmp_path / "drop", "readme.txt", "these are\nour events\n")
    rows, reasons, _ = take(tmp_path)
    assert (rows, reasons) == ([], ["unreadable"])


@pytest.mark.skipif(not CALIPER.is_dir(), reason="../shared/data/caliper is not here")
@pytest.mark.parametrize("version", ["v1p1", "v1p2"])
def test_the_standards_own_examples_are_all_accounted_for(tmp_path: Path, version: str) -> None:
    """Each event lands; each description of an entity is left out; what is neither (a 1.2 endpoint's settings) is a
    reject."""
    events = entities = others = 0
    for path in sorted((CALIPER / version).glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        for item in document.get("data", [document]):
            is_event = "action" in item or str(item.get("type", "")).endswith("Event")
            events += is_event
            entities += not is_event and "type" in item
            others += not is_event and "type" not in item
        drop(tmp_path / "drop", path.name, path.read_text(encoding="utf-8"))
    rows, reasons, left_out = take(tmp_path)
    assert events > 40
    assert (len(rows), reasons, left_out) == (events, ["unreadable"] * others, entities)


# --- whatever is in a file ---------------------------------------------------------------------------------------

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def _event(draw: st.DrawFn) -> Any:
    """One event with something wrong in it."""
    event = draw(st.sampled_from([raw(), raw("logged_in"), raw("course_created"), caliper()]))
    event = json.loads(json.dumps(event))
    place = draw(st.sampled_from([event, event.get("metadata", event), (event.get("data") or [event])[0]]))
    names = [*place, "user_id", "event_time", "actor", "eventTime"]
    place[draw(st.sampled_from([name for name in names if name != "data"]))] = draw(_JSON)
    return event


@settings(max_examples=100, deadline=None)
@given(events=st.lists(_event(), min_size=1, max_size=4), glue=st.sampled_from(["\n", "", " \n", "\n,\n"]))
def test_what_was_read_is_landed_quarantined_or_left_out(events: list[Any], glue: str) -> None:
    lines = [line for line in glue.join(map(json.dumps, events)).split("\n") if line.strip()]
    batch, left_out = parsed(*lines)
    assert batch.pulled + left_out == len(events) + lines.count(",")
    assert batch.table.num_rows + len(batch.rejects) == batch.pulled
    slow, slow_out = CanvasEvents()._parse_each(lines, KEY)
    assert slow.table.equals(batch.table) and slow_out == left_out
    assert [(reject.reason, reject.raw) for reject in slow.rejects] == [(r.reason, r.raw) for r in batch.rejects]


_WRAPPED = st.dictionaries(st.sampled_from(["Messages", "Records", "data", "Body", "body", "Message", "detail"]), _JSON)


@settings(max_examples=100, deadline=None)
@given(lines=st.lists(_JSON | _WRAPPED | st.lists(_WRAPPED, max_size=2), min_size=1, max_size=3))
def test_no_wrapping_breaks_the_reader(lines: list[Any]) -> None:
    batch, left_out = parsed(*map(json.dumps, lines))
    assert batch.table.num_rows == left_out == 0
    assert {reject.reason for reject in batch.rejects} <= {"unreadable"}


@settings(max_examples=80, deadline=None)
@given(content=st.binary(max_size=300) | st.text(alphabet='{}[]",:\\\n 1a', max_size=200).map(str.encode))
def test_no_bytes_break_a_pull(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("events")
    drop(folder / "drop", "a.json", content)
    rows, reasons, _ = take(folder)
    assert rows == [] and all(reasons)


def test_a_document_nested_too_deep_is_a_reject(tmp_path: Path) -> None:
    drop(tmp_path / "drop", "a.json", json.dumps(raw()) + "\n" + "[" * 100_000 + "\n")
    rows, reasons, _ = take(tmp_path)
    assert (len(rows), reasons) == (1, ["unreadable"])


# --- the whole way -----------------------------------------------------------------------------------------------

CONFIG = """
state_dir: state
districts:
  - id: maple
    name: Maple Valley
    time_zone: America/Chicago
    calendar:
      school_years:
        - {name: 2025-26, starts_on: 2025-08-18, ends_on: 2026-06-05}
    sources:
      - {name: events, kind: live_events, folder: drop, settle_seconds: 0}
"""
# Long enough not to be met by chance in what is sealed.
PERSONAL = (b"zoe.lind", b"10.1.2.3", b"mozilla/5", b"who=zoe", b"/courses/1", b"my essay", b'"s20"')


def test_nothing_personal_of_an_event_reaches_the_disk_in_clear(tmp_path: Path) -> None:
    events = [*USE, *OTHERS, caliper(), caliper(2, eventTime="yesterday"), {"zoe": "lind"}]
    drop(tmp_path / "drop", "a.json", WRAPPINGS["a line each"](events))
    (tmp_path / "uptake.yaml").write_text(CONFIG)
    project = Project.load(tmp_path / "uptake.yaml")
    counts = pipeline.pull(project, "maple", "events").counts()
    assert (counts["pulled"], counts["landed"], counts["quarantined"]) == (10, 6, 4)
    files = [path for folder in (project.lake, project.quarantine) for path in folder.rglob("*") if path.is_file()]
    assert len(files) >= 2
    for path in files:
        content = path.read_bytes().lower()
        assert [text for text in PERSONAL if text in content] == [], path
    assert pipeline.pull(project, "maple", "events").counts()["pulled"] == 0  # each file once
