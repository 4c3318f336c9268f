"""What waits in quarantine can be read without a name in sight, and can come back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fake_source import PEOPLE, FakeSource, make_project, people

from uptake.contracts import Batch, Field, Reject, Resource, Window
from uptake.errors import PermanentError
from uptake.landing import ledger
from uptake.landing.door import Door
from uptake.landing.land import land, open_door
from uptake.landing.quarantine import HIDDEN, read_redacted, redact, unseal
from uptake.landing.replay import ReplayResult, replay
from uptake.operations.models import QuarantineFile
from uptake.parsing import parse_records
from uptake.project import Project

NOON = datetime(2026, 4, 14, 12, tzinfo=UTC)
FULL = Window.between("full", None, NOON)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path)


@pytest.fixture
def door(project: Project) -> Iterator[Door]:
    made, vault = open_door(project, project.district("lakeside"))
    with vault:
        yield made


def pull(project: Project, door: Door, rows: list[dict[str, Any]], window: Window = FULL) -> None:
    source = FakeSource()
    source.rows["people"] = rows
    district = project.district("lakeside")
    land(project, district, district.source("sis"), source, PEOPLE, window, run_id="run", door=door, now=NOON)


def waiting(project: Project) -> list[QuarantineFile]:
    return ledger.quarantine_files(project.operations, "lakeside")


def live_ids(project: Project) -> list[str]:
    files = ledger.live_files(project.operations, "lakeside")
    return [key for row in files for key in pq.read_table(project.lake / row.path, partitioning=None)["id"].to_pylist()]


BROKEN = [
    people(1)[0] | {"id": "sis-7", "grade": "third", "email": "Kid7@x.example"},
    people(1)[0] | {"id": "sis-8", "grade": "4b"},
    people(1)[0] | {"id": "sis-9", "changed_at": "Yesterday, 3 pm"},
    people(1)[0] | {"id": None},
]


# ---- reading it -----------------------------------------------------------------------------------------------------


def test_rejects_are_grouped_by_reason_and_column(project: Project, door: Door) -> None:
    pull(project, door, people(5) + BROKEN)
    found = sorted((row.reason, row.column_name, row.row_count) for row in waiting(project))
    assert found == [("missing_key", "id", 1), ("not_integer", "grade", 2), ("not_timestamp", "changed_at", 1)]
    for row in waiting(project):
        assert row.path.startswith("district=lakeside/source=sis/resource=people/day=")
        assert pq.read_metadata(project.quarantine / row.path).num_rows == row.row_count


def test_a_row_is_shown_without_a_name_and_unsealed_whole(project: Project, door: Door) -> None:
    pull(project, door, BROKEN[:1])
    (row,) = waiting(project)
    ((number, shown),) = read_redacted(project.quarantine, row.path, limit=5)
    assert number == 1
    assert json.loads(shown) == {
        "id": door.pseudonym("sis_user", "sis-7"),
        "email": door.pseudonym("email", "kid7@x.example"),
        "name": HIDDEN,
        "born_on": HIDDEN,
        "school": HIDDEN,
        "grade": "aaaaa",
        "is_enabled": True,
        "changed_at": "2026-04-14T12:00:00Z",
    }
    (reject,) = unseal(project.quarantine, row.path, door)
    assert json.loads(reject.raw) == BROKEN[0]
    assert (reject.reason, reject.column) == ("not_integer", "grade")


@pytest.mark.parametrize(
    ("raw", "reason", "column", "field", "shown"),
    [
        ('{"id": "1", "grade": "O\'Neil-7"}', "not_integer", "grade", "grade", "a'aaaa-9"),
        ('{"id": "1", "grade": "Zoë 𝔘ñí"}', "not_integer", "grade", "grade", "aaa aaa"),
        ('{"id": "1", "grade": 7}', "not_timestamp", "changed_at", "grade", 7),
        ('{"id": "1", "grade": "07"}', "not_timestamp", "changed_at", "grade", "07"),
        ('{"id": "1", "grade": "Kim"}', "not_timestamp", "changed_at", "grade", HIDDEN),
        ('{"id": "1", "grade": true}', "not_timestamp", "changed_at", "grade", HIDDEN),
        ('{"id": "1", "grade": {"name": "Kim"}}', "not_integer", "grade", "grade", '{"aaaa":"aaa"}'),
        ('{"id": "1", "is_enabled": "Kim"}', "not_integer", "grade", "is_enabled", HIDDEN),
        ('{"id": "1", "changed_at": "2026-04-14 08:00"}', "not_integer", "grade", "changed_at", "2026-04-14 08:00"),
        ('{"id": "1", "name": "Kim"}', "not_string", "name", "name", HIDDEN),
        ('{"id": "1", "born_on": "2012-05-17"}', "not_integer", "grade", "born_on", HIDDEN),
        ('{"id": ["Kim"]}', "not_string", "id", "id", HIDDEN),
    ],
)
def test_only_what_cannot_be_a_name_is_shown(
    door: Door, raw: str, reason: str, column: str, field: str, shown: object
) -> None:
    assert json.loads(redact(PEOPLE, door, Reject(reason, column, raw)))[field] == shown


@pytest.mark.parametrize("raw", ["Kim,Lee,2012", "", "[1, 2]", '"Kim"', '{"id": "cut'])
def test_what_is_no_object_is_hidden_whole(door: Door, raw: str) -> None:
    assert redact(PEOPLE, door, Reject("truncated", None, raw)) == HIDDEN


def test_a_value_is_found_at_its_path(door: Door) -> None:
    resource = Resource(
        "r", (Field("user_id", path="links.user", identifier="u"), Field("n", pa.int64(), path="links.n")), key=("n",)
    )
    shown = json.loads(redact(resource, door, Reject("r", None, '{"links": {"user": 5, "n": 6}}')))
    assert shown == {"user_id": door.pseudonym("u", "5"), "n": 6}
    assert json.loads(redact(resource, door, Reject("r", None, '{"links": "Kim"}'))) == {}


def test_unknown_columns_are_named_and_their_values_sealed(project: Project, door: Door) -> None:
    rows = [row | {"home_address": f"{index} Elm St"} for index, row in enumerate(people(3))]
    pull(project, door, rows + people(150)[3:])
    assert waiting(project) == []
    (path,) = project.quarantine.rglob("*.unknown.parquet")
    (portion,) = pq.read_table(path, partitioning=None).to_pylist()
    assert (portion["columns"], portion["row_count"]) == (["home_address"], 100)
    assert b"Elm" not in path.read_bytes()
    raw = door.keyring.seal.decrypt(portion["sealed"])
    table = pa.ipc.open_stream(raw).read_all()
    assert table["home_address"].to_pylist()[:4] == ["0 Elm St", "1 Elm St", "2 Elm St", None]
    assert table["key.id"].to_pylist()[0] == door.pseudonym("sis_user", "sis-0")


# ---- bringing it back -----------------------------------------------------------------------------------------------

# The contract after it was mended: the grade is text now.
MENDED = replace(PEOPLE, fields=tuple(Field("grade") if field.name == "grade" else field for field in PEOPLE.fields))


def bring_back(project: Project, door: Door, source: FakeSource, held: QuarantineFile) -> ReplayResult:
    district = project.district("lakeside")
    return replay(project, district, district.source("sis"), source, held, run_id="run", door=door)


def mended() -> FakeSource:
    source = FakeSource()
    source.resources["people"] = MENDED
    return source


def test_rows_come_back_when_the_contract_was_mended(project: Project, door: Door) -> None:
    pull(project, door, people(2) + BROKEN[:2])
    (held,) = waiting(project)
    assert bring_back(project, door, mended(), held) == ReplayResult(rows=2, replayed=2, still_rejected=0)
    assert waiting(project) == []
    assert sorted(live_ids(project)) == sorted(
        door.pseudonym("sis_user", f"sis-{number}") or "" for number in (0, 1, 7, 8)
    )
    newest = next(row for row in ledger.live_files(project.operations, "lakeside") if row.row_count == 2)
    assert newest.landed_at is not None
    with pytest.raises(PermanentError, match="replayed"):
        bring_back(project, door, mended(), ledger.quarantine_file(project.operations, held.id) or held)


def test_rows_that_still_do_not_fit_stay(project: Project, door: Door) -> None:
    pull(project, door, BROKEN[:2])
    (held,) = waiting(project)
    assert bring_back(project, door, FakeSource(), held) == ReplayResult(rows=2, replayed=0, still_rejected=2)
    (still,) = waiting(project)
    assert still.id == held.id
    assert live_ids(project) == []


def test_some_come_back_and_the_rest_stays_in_a_file_of_its_own(project: Project, door: Door) -> None:
    pull(project, door, BROKEN[:2])
    (held,) = waiting(project)

    class HalfMended(FakeSource):
        def reparse(self, resource: Resource, raws: Sequence[str]) -> Batch:
            rows = [json.loads(raw) for raw in raws]
            return parse_records(resource, [row | {"grade": 3} if row["grade"] == "third" else row for row in rows])

    assert bring_back(project, door, HalfMended(), held) == ReplayResult(rows=2, replayed=1, still_rejected=1)
    assert live_ids(project) == [door.pseudonym("sis_user", "sis-7")]
    (rest,) = waiting(project)
    assert (rest.row_count, rest.window_token) == (1, held.window_token)
    assert json.loads(unseal(project.quarantine, rest.path, door)[0].raw)["id"] == "sis-8"


def test_a_replayed_row_does_not_win_over_a_newer_one(project: Project, door: Door) -> None:
    pull(project, door, BROKEN[:1], Window.between("incremental", NOON, NOON.replace(hour=13)))
    (held,) = waiting(project)
    pull(project, door, [BROKEN[0] | {"grade": 5}], Window.between("incremental", NOON, NOON.replace(hour=14)))
    bring_back(project, door, mended(), held)
    newest = ledger.live_files(project.operations, "lakeside")[-1]
    assert pq.read_table(project.lake / newest.path, partitioning=None)["grade"].to_pylist() == [5]


def test_pulling_the_window_again_takes_the_replay_back(project: Project, door: Door) -> None:
    window = Window.between("incremental", NOON, NOON.replace(hour=13))
    pull(project, door, people(1) + BROKEN[:1], window)
    (held,) = waiting(project)
    bring_back(project, door, mended(), held)
    pull(project, door, [*people(1), BROKEN[0] | {"grade": 3}], window)
    assert sorted(live_ids(project)) == sorted(door.pseudonym("sis_user", name) or "" for name in ("sis-0", "sis-7"))
    assert waiting(project) == []


def test_a_file_that_was_pulled_again_is_not_replayed(project: Project, door: Door) -> None:
    pull(project, door, BROKEN[:1])
    (held,) = waiting(project)
    pull(project, door, people(1))
    with pytest.raises(PermanentError, match="pulled again"):
        bring_back(project, door, mended(), ledger.quarantine_file(project.operations, held.id) or held)


def test_text_that_is_no_object_stays(project: Project, door: Door) -> None:
    class CutShort(FakeSource):
        def pull(self, resource: Resource, window: Window) -> Iterator[Batch]:
            yield Batch(resource.schema.empty_table(), [Reject("truncated", None, '{"id": "cut')])

    district = project.district("lakeside")
    land(project, district, district.source("sis"), CutShort(), PEOPLE, FULL, run_id="run", door=door, now=NOON)
    (held,) = waiting(project)
    assert bring_back(project, door, FakeSource(), held) == ReplayResult(rows=1, replayed=0, still_rejected=1)
