"""Landing a window: each row lands or waits in quarantine, whole or not at all, and nothing personal touches a disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fake_source import COURSES, PEOPLE, VISITS, FakeSource, make_project, people, visits
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from uptake.contracts import Resource, Window
from uptake.errors import PermanentError, TransientError
from uptake.landing import ledger, writer
from uptake.landing.land import LandResult, land, open_door
from uptake.landing.ledger import At
from uptake.operations.models import Outcome
from uptake.operations.session import reading
from uptake.project import Project

NOON = datetime(2026, 4, 14, 12, tzinfo=UTC)
FULL = Window.between("full", None, NOON)


class Desk:
    """A project, its door and a fake source, with `land` in one word."""

    def __init__(self, folder: Path) -> None:
        self.project = make_project(folder)
        self.district = self.project.district("lakeside")
        self.source = FakeSource()
        self.door, self.vault = open_door(self.project, self.district)

    def land(
        self,
        resource: Resource,
        rows: list[dict[str, Any]] | None = None,
        window: Window = FULL,
        *,
        now: datetime = NOON,
    ) -> LandResult:
        if rows is not None:
            self.source.rows[resource.name] = rows
        place, source, door = self.district.source("sis"), self.source, self.door
        return land(self.project, self.district, place, source, resource, window, run_id="run", door=door, now=now)

    def live(self, resource: Resource = PEOPLE) -> pa.Table:
        """All live rows, with `file`, the position of their file in the order of landing."""
        tables = [
            pq.read_table(self.project.lake / row.path, partitioning=None).append_column(
                "file", pa.repeat(pa.scalar(position), row.row_count)
            )
            for position, row in enumerate(ledger.live_files(self.project.operations, "lakeside", "sis", resource.name))
        ]
        return pa.concat_tables(tables) if tables else pa.table({})

    def outcomes(self) -> list[Outcome]:
        with reading(self.project.operations) as session:
            return list(session.scalars(select(Outcome).order_by(Outcome.id)))

    def files(self, root: Path) -> list[Path]:
        return [path for path in root.rglob("*") if path.is_file()]

    def who(self, number: int) -> str | None:
        return self.door.pseudonym("sis_user", f"sis-{number}")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    with made.vault:
        yield made


def later(days: int) -> Window:
    return Window.between("full", None, NOON + timedelta(days=days))


# ---- what lands -----------------------------------------------------------------------------------------------------


def test_a_landed_file_has_the_declared_columns_and_place(desk: Desk) -> None:
    result = desk.land(PEOPLE, people(250))
    assert (result.pulled, result.landed, result.quarantined, result.is_new) == (250, 250, 0, True)
    (row,) = ledger.live_files(desk.project.operations, "lakeside")
    today = datetime.now(UTC).date()
    assert row.path.startswith(f"district=lakeside/source=sis/resource=people/day={today}/{FULL.token}.")
    path = desk.project.lake / row.path
    assert row.content_hash[:16] == path.name.removeprefix(f"{FULL.token}.").removesuffix(".parquet")
    assert pq.read_schema(path).equals(PEOPLE.landed_schema)
    assert (row.row_count, row.deleted_count, row.byte_count) == (250, 0, path.stat().st_size)
    assert [path] == desk.files(desk.project.lake)


def test_what_landed_is_private(desk: Desk) -> None:
    desk.land(PEOPLE, people(2))
    for root in (desk.project.lake, desk.project.quarantine, desk.project.vault("lakeside")):
        assert root.stat().st_mode & 0o077 == 0


def test_events_carry_their_first_and_last_time(desk: Desk) -> None:
    hour = Window.between("interval", NOON - timedelta(hours=4), NOON - timedelta(hours=3))
    desk.land(VISITS, visits(60), hour)
    (row,) = ledger.live_files(desk.project.operations, "lakeside")
    assert row.event_min == datetime.fromisoformat("2026-04-14T08:00:00Z")
    assert row.event_max == datetime.fromisoformat("2026-04-14T08:29:30Z")


def test_the_same_rows_in_another_order_are_the_same_file(tmp_path: Path) -> None:
    hashes = set()
    for name, rows in (("one", people(300)), ("two", list(reversed(people(300))))):
        desk = Desk(tmp_path / name)
        with desk.vault:
            for key in ("pseudonym.key", "seal.key"):  # the same district in both
                source = tmp_path / "one" / "var" / "vault" / "lakeside" / key
                (tmp_path / name / "var" / "vault" / "lakeside" / key).write_bytes(source.read_bytes())
            desk.door, _ = open_door(desk.project, desk.district)
            desk.land(PEOPLE, rows)
            hashes.add(ledger.live_files(desk.project.operations, "lakeside")[0].content_hash)
    assert len(hashes) == 1


def test_a_second_pull_of_the_same_content_changes_nothing(desk: Desk) -> None:
    desk.land(PEOPLE, people(50))
    before = desk.files(desk.project.lake)
    assert not desk.land(PEOPLE, people(50)).is_new
    assert not desk.land(PEOPLE, people(50), later(7)).is_new
    assert desk.files(desk.project.lake) == before
    assert len(ledger.live_files(desk.project.operations, "lakeside")) == 1
    assert [outcome.rows_in for outcome in desk.outcomes()] == [50, 50, 50]


def test_a_rerun_of_a_window_replaces_its_rows(desk: Desk) -> None:
    hour = Window.between("interval", NOON - timedelta(hours=4), NOON - timedelta(hours=3))
    desk.land(VISITS, visits(60), hour)
    desk.land(VISITS, visits(61)[1:], hour)  # one vanished, one came late
    assert sorted(desk.live(VISITS).column("id").to_pylist()) == sorted(f"visit-{i}" for i in range(1, 61))


def test_a_window_beyond_the_sorting_limit_is_streamed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "SORT_ROWS", 150)
    rows = people(1_000)
    assert desk.land(PEOPLE, rows).landed == 1_000
    table = desk.live()
    assert table.num_rows == 1_000
    assert table.column("id").to_pylist() == [desk.door.pseudonym("sis_user", row["id"]) for row in rows]
    (row,) = ledger.live_files(desk.project.operations, "lakeside")
    assert pq.read_metadata(desk.project.lake / row.path).num_row_groups > 1


def test_a_streamed_window_that_fails_leaves_no_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "SORT_ROWS", 150)
    desk.source.errors["people"] = TransientError("away")
    with pytest.raises(TransientError):
        desk.land(PEOPLE, people(1_000))
    assert desk.files(desk.project.lake) == []


def test_an_empty_window_is_known_and_has_no_file(desk: Desk) -> None:
    hour = Window.between("interval", NOON, NOON + timedelta(hours=1))
    result = desk.land(VISITS, [], hour)
    assert (result.pulled, result.landed) == (0, 0)
    assert desk.files(desk.project.lake) == []
    assert ledger.taken_tokens(desk.project.operations, At("lakeside", "sis", "visits")) == {hour.token}


# ---- events that a vendor no longer has -----------------------------------------------------------------------------

LISTED = replace(VISITS, retention=timedelta(days=30))
MORNING = Window.between("interval", NOON - timedelta(hours=4), NOON - timedelta(hours=3))


def _visits(desk: Desk) -> list[str]:
    """Ids of the visits that count, each once, as the newest file has them."""
    return sorted(set(desk.live(LISTED).column("id").to_pylist()), key=lambda name: int(name.removeprefix("visit-")))


def _names(*numbers: int) -> list[str]:
    return [f"visit-{number}" for number in numbers]


@pytest.mark.parametrize("days", [0, 60])
def test_a_span_that_comes_back_empty_keeps_what_is_held(desk: Desk, days: int) -> None:
    desk.land(LISTED, [*visits(3), {"id": "broken", "at": "2026-04-14T08:10:00Z", "email": {}}], MORNING)
    result = desk.land(LISTED, [], MORNING, now=NOON + timedelta(days=days))
    assert _visits(desk) == _names(0, 1, 2)
    assert not result.is_new
    assert [row.row_count for row in ledger.quarantine_files(desk.project.operations, "lakeside")] == [1]
    record = desk.outcomes()[-1]
    assert (record.status, record.rows_in, record.rows_out) == ("warning", 0, 0)
    for word in ("lakeside", "sis", "visits", "2026-04-14 08:00", "2026-04-14 09:00", "3 rows"):
        assert word in (record.message or "")
    assert record.remedy
    assert (record.details or {})["kept_rows"] == 3


def test_a_span_of_which_every_row_is_broken_keeps_what_is_held(desk: Desk) -> None:
    desk.land(LISTED, visits(3), MORNING)
    result = desk.land(LISTED, [row | {"email": {}} for row in visits(3)], MORNING)
    assert _visits(desk) == _names(0, 1, 2)
    assert result.quarantined == 3 and "are held" in " ".join(result.warnings)


def test_a_span_that_the_vendor_still_lists_is_replaced_by_fewer_rows(desk: Desk) -> None:
    desk.land(LISTED, visits(60), MORNING)
    assert desk.land(LISTED, visits(7), MORNING, now=NOON + timedelta(days=20)).warnings == ()
    assert _visits(desk) == _names(*range(7))


def test_what_a_vendor_dropped_of_an_old_span_stays_beside_what_it_still_has(desk: Desk) -> None:
    """Rows 0 to 3 aged out; row 6 came late, and row 5 was corrected."""
    desk.land(LISTED, visits(6), MORNING)
    again = visits(7)[4:]
    again[1]["url"] = "https://www.example.org"
    old = NOON + timedelta(days=30)
    result = desk.land(LISTED, again, MORNING, now=old)
    assert _visits(desk) == _names(*range(7))
    newest = {row["id"]: row["url"] for row in sorted(desk.live(LISTED).to_pylist(), key=lambda row: row["file"])}
    assert newest["visit-5"] == "www.example.org"
    assert "4 rows" in result.warnings[0] and result.is_new
    record = desk.outcomes()[-1]
    assert (record.status, record.rows_in, record.rows_out, record.details) == ("warning", 3, 3, {"kept_rows": 4})
    held = desk.files(desk.project.lake)
    fewer = desk.land(LISTED, again[1:], MORNING, now=old)
    assert not fewer.is_new and fewer.warnings
    assert desk.files(desk.project.lake) == held  # it told nothing new: no file stays


def test_an_old_span_that_comes_back_whole_is_replaced(desk: Desk) -> None:
    desk.land(LISTED, visits(6), MORNING)
    assert desk.land(LISTED, visits(8), MORNING, now=NOON + timedelta(days=90)).warnings == ()
    assert len(ledger.live_files(desk.project.operations, "lakeside")) == 1
    assert _visits(desk) == _names(*range(8))


# ---- nothing is lost ------------------------------------------------------------------------------------------------

VALUES = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=8), st.just("2026-04-14T12:00:00Z"))
ROWS = st.lists(
    st.fixed_dictionaries(
        {"id": st.one_of(st.none(), st.text(max_size=4), st.integers())},
        optional=dict.fromkeys(("email", "name", "school", "grade", "is_enabled", "changed_at", "surprise"), VALUES),
    ),
    max_size=30,
)


@settings(max_examples=30, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(rows=ROWS)
def test_pulled_is_landed_plus_quarantined_whatever_comes(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    desk = Desk(tmp_path_factory.mktemp("any"))
    with desk.vault:
        result = desk.land(PEOPLE, rows)
        assert result.pulled == len(rows) == result.landed + result.quarantined
        assert desk.live().num_rows == result.landed
        held = ledger.quarantine_files(desk.project.operations, "lakeside")
        kept = [pq.read_table(desk.project.quarantine / row.path, partitioning=None) for row in held]
        assert sum(row.row_count for row in held) == sum(table.num_rows for table in kept) == result.quarantined
        (outcome,) = desk.outcomes()
        assert outcome.rows_in == (outcome.rows_out or 0) + (outcome.rows_quarantined or 0)
    desk.project.operations.dispose()


def test_a_source_that_says_another_total_is_a_warning(desk: Desk) -> None:
    desk.source.total = 9
    assert desk.land(PEOPLE, people(10)).warnings == ("The source said 9 rows, 10 came.",)
    (outcome,) = desk.outcomes()
    assert (outcome.status, outcome.source_total, outcome.rows_in) == ("warning", 9, 10)


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (TransientError("the vendor is away", remedy="wait."), TransientError, "the vendor is away"),
        (PermanentError("the scope is missing"), PermanentError, "the scope is missing"),
        (OSError(28, "No space left on device"), TransientError, "No space left"),
        (pa.ArrowInvalid("could not convert 'Given1 Family1'"), PermanentError, "broke with ArrowInvalid"),
    ],
)
def test_a_failed_window_leaves_its_outcome_and_nothing_else(
    desk: Desk, error: Exception, kind: type[Exception], text: str
) -> None:
    desk.land(PEOPLE, people(5))
    before = desk.live()
    desk.source.errors["people"] = error
    with pytest.raises(kind, match=text) as caught:
        desk.land(PEOPLE, people(500), later(1))
    assert f"window {later(1).token}" in str(caught.value)
    assert desk.live().equals(before)
    assert len(desk.files(desk.project.lake)) == 1
    outcome = desk.outcomes()[-1]
    assert (outcome.step, outcome.status, outcome.window_token) == ("pull", "failed", later(1).token)
    assert text in (outcome.message or "")
    assert "Given1" not in (outcome.message or "")


# ---- nothing personal -----------------------------------------------------------------------------------------------

SECRETS = st.text("qwxyzQWXYZ0123456789", min_size=8, max_size=14).map(lambda text: f"Zq{text}")


@settings(max_examples=20, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(
    people_rows=st.lists(
        st.fixed_dictionaries(
            {
                "id": SECRETS,
                "email": SECRETS.map(lambda text: f"{text}@x.example"),
                "name": SECRETS,
                "born_on": st.one_of(st.just("2012-05-17"), SECRETS),
                "grade": st.one_of(st.integers(1, 12), SECRETS),
                "school": st.just("north"),
                "nickname": SECRETS,
            }
        ),
        min_size=1,
        max_size=10,
    ),
    paths=st.lists(SECRETS, min_size=1, max_size=5),
)
def test_no_identifier_name_or_path_is_in_any_byte_outside_the_vault(
    tmp_path_factory: pytest.TempPathFactory, people_rows: list[dict[str, Any]], paths: list[str]
) -> None:
    desk = Desk(tmp_path_factory.mktemp("secret"))
    with desk.vault:
        desk.land(PEOPLE, people_rows)
        places = [
            {
                "id": str(number),
                "email": f"{path}@x.example",
                "url": f"https://docs.google.com/{path}?q={path}",
                "at": at,
            }
            for number, path in enumerate(paths)
            for at in ("2026-04-14T08:00:00Z", path)
        ]
        desk.source.rows["visits"] = places
        desk.land(VISITS, window=Window("file", "all-of-it"))
    desk.project.operations.dispose()
    state = desk.project.state_dir
    stored = b"".join(path.read_bytes() for path in desk.files(state) if "vault" not in path.parts)
    shown = "".join(
        json.dumps(pq.read_table(path, partitioning=None).to_pylist(), default=str)
        for path in desk.files(state)
        if path.suffix == ".parquet"
    )
    stored += shown.encode() + "".join(str(path) for path in desk.files(state)).encode()
    secrets = {text for row in people_rows for name, text in row.items() if isinstance(text, str)} | set(paths)
    for secret in secrets - {"2012-05-17", "north"}:
        assert secret.encode() not in stored
        assert secret.removesuffix("@x.example").lower().encode() not in stored


# ---- deletes --------------------------------------------------------------------------------------------------------


def _state(desk: Desk) -> dict[str, bool]:
    """pseudonym -> is deleted, as the newest row of each says."""
    newest = {row["id"]: row["_deleted"] for row in desk.live().select(["id", "_deleted"]).to_pylist()}
    return newest


def test_what_vanished_from_a_full_sync_is_marked_and_what_comes_back_is_unmarked(desk: Desk) -> None:
    rows = people(40)
    desk.land(PEOPLE, rows)
    result = desk.land(PEOPLE, rows[:6] + rows[7:], later(1))
    assert (result.pulled, result.landed, result.deleted) == (39, 39, 1)
    assert [who for who, is_deleted in _state(desk).items() if is_deleted] == [desk.who(6)]
    marked = [row for row in desk.live().to_pylist() if row["_deleted"]]
    assert [(row["school"], row["grade"], row["email"]) for row in marked] == [("school-0", None, None)]
    assert desk.land(PEOPLE, rows[:6] + rows[7:], later(2)).deleted == 0  # marked once
    assert desk.land(PEOPLE, rows, later(3)).deleted == 0
    assert not any(_state(desk).values())
    (record,) = [outcome for outcome in desk.outcomes() if (outcome.details or {}).get("deleted")]
    assert (record.rows_in, record.rows_out) == (39, 39)


def test_an_incremental_pull_marks_nothing(desk: Desk) -> None:
    desk.land(PEOPLE, people(10))
    result = desk.land(PEOPLE, people(1), Window.between("incremental", NOON, NOON + timedelta(hours=1)))
    assert result.deleted == 0
    assert not any(_state(desk).values())


def test_a_parent_that_brought_nothing_keeps_its_rows_and_is_reported(desk: Desk) -> None:
    rows = people(30, schools=3)
    desk.land(PEOPLE, rows)
    left = [row for row in rows if row["school"] != "school-1" and row["id"] != "sis-0"]
    result = desk.land(PEOPLE, left, later(1))
    assert result.deleted == 1
    assert [who for who, is_deleted in _state(desk).items() if is_deleted] == [desk.who(0)]
    (warning,) = result.warnings
    assert "1 parents (school) looks broken" in warning and "10 rows are missing" in warning
    details = desk.outcomes()[-1].details or {}
    assert details["broken_parents"] == ["school-1"]


@pytest.mark.parametrize(("lost", "is_believed"), [(25, True), (26, False)])
def test_a_mass_loss_in_one_parent_is_not_believed(desk: Desk, lost: int, is_believed: bool) -> None:
    """100 rows held; the default threshold is a quarter."""
    rows = people(100, schools=1)
    desk.land(PEOPLE, rows)
    result = desk.land(PEOPLE, rows[lost:], later(1))
    assert result.deleted == (lost if is_believed else 0)
    assert bool(result.warnings) is not is_believed


def test_a_small_class_may_lose_most_of_its_rows(desk: Desk) -> None:
    rows = people(10, schools=1)
    desk.land(PEOPLE, rows)
    assert desk.land(PEOPLE, rows[:1], later(1)).deleted == 9


def test_an_empty_full_sync_deletes_nothing(desk: Desk) -> None:
    desk.land(PEOPLE, people(10))
    result = desk.land(PEOPLE, [], later(1))
    assert result.deleted == 0
    assert "looks broken" in result.warnings[0]
    assert not any(_state(desk).values())


def test_an_empty_full_sync_of_what_was_always_empty_is_quiet(desk: Desk) -> None:
    assert desk.land(COURSES, []).warnings == ()


def test_a_row_that_moved_to_another_parent_is_not_deleted(desk: Desk) -> None:
    rows = people(40)
    desk.land(PEOPLE, rows)
    moved = [row | {"school": "school-1"} if row["id"] == "sis-4" else row for row in rows]
    assert desk.land(PEOPLE, moved, later(1)).deleted == 0
    assert not any(_state(desk).values())


def test_a_row_in_quarantine_is_not_taken_for_deleted(desk: Desk) -> None:
    rows = people(40)
    desk.land(PEOPLE, rows)
    broken = [row | {"grade": "third"} if row["id"] == "sis-4" else row for row in rows[1:]]
    result = desk.land(PEOPLE, broken, later(1))
    assert (result.quarantined, result.deleted) == (1, 1)
    assert [who for who, is_deleted in _state(desk).items() if is_deleted] == [desk.who(0)]


def test_nothing_is_deleted_while_a_rejected_row_hides_its_key(desk: Desk) -> None:
    rows = people(40)
    desk.land(PEOPLE, rows)
    result = desk.land(PEOPLE, [row | {"id": None} if row["id"] == "sis-4" else row for row in rows[1:]], later(1))
    assert result.deleted == 0
    assert "hide their key" in " ".join(result.warnings)


def test_a_rerun_of_a_full_sync_marks_the_same_rows(desk: Desk) -> None:
    rows = people(40)
    desk.land(PEOPLE, rows)
    assert desk.land(PEOPLE, rows[1:], later(1)).deleted == 1
    again = desk.land(PEOPLE, rows[1:], later(1))
    assert (again.deleted, again.is_new) == (1, False)
    assert desk.land(PEOPLE, rows[2:], later(1)).deleted == 2
    assert [who for who, is_deleted in sorted(_state(desk).items()) if is_deleted] == sorted(
        [desk.who(0) or "", desk.who(1) or ""]
    )


def test_another_source_of_the_same_kind_is_not_diffed(desk: Desk) -> None:
    """Two student information systems in one district: neither deletes the other's people."""
    desk.land(PEOPLE, people(30))
    project = Project(desk.project.config, desk.project.config_path)
    other = desk.district.source("sis").model_copy(update={"name": "other_sis"})
    source = FakeSource()
    source.rows["people"] = [row | {"id": f"x{row['id']}"} for row in people(30)]
    result = land(project, desk.district, other, source, PEOPLE, later(1), run_id="run", door=desk.door, now=NOON)
    assert (result.deleted, result.warnings) == (0, ())


def test_landed_files_can_be_read_by_duckdb_with_their_names(desk: Desk) -> None:
    desk.land(PEOPLE, people(7))
    (row,) = ledger.live_files(desk.project.operations, "lakeside")
    path = str(desk.project.lake / row.path)
    found = duckdb.connect().execute(
        "SELECT count(*), any_value(filename) FROM read_parquet([?], filename = true)", [path]
    )
    assert found.fetchone() == (7, path)
