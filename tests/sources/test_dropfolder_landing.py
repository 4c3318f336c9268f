"""Dropped files through the whole door: landed once, quarantined with a reason, and back again once they are mended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from dropped import drop, write_mapping
from sqlalchemy import select

from uptake import pipeline
from uptake.errors import ConfigError
from uptake.landing import ledger
from uptake.landing.ledger import At
from uptake.operations.models import Outcome
from uptake.operations.session import reading
from uptake.project import Project

AT = At("lakeside", "dropped", "visits")
COLUMNS = [
    {"header": "Id", "required": True},
    {"header": "Student e-mail", "name": "student", "identifier": "email"},
    {"header": "First name", "name": "first_name", "vault": "given_name"},
    {"header": "Born", "type": "date", "drop": True},
    {"header": "Page", "url": True},
    {"header": "Day", "type": "date"},
]
HEADER = "Id,Student e-mail,First name,Born,Page,Day\n"
ROW = "1,Zoe.Lind@lakeside.example,Zoe,2012-03-04,https://docs.example/forms/secret?q=me,2026-01-05\n"
NAMES = (b"Zoe", b"Lind", b"zoe", b"lind@", b"2012-03-04", b"secret")


class Office:
    """A district with one drop folder and one mapping."""

    def __init__(self, folder: Path, **source: Any) -> None:
        self.folder = folder
        self.drop = folder / "drop"
        self.drop.mkdir()
        self.mapping()
        entry = {"name": "dropped", "kind": "dropfolder", "folder": "drop", "mappings": "mapping.yaml"} | source
        (folder / "uptake.yaml").write_text(
            yaml.safe_dump(
                {
                    "state_dir": "var",
                    "districts": [
                        {
                            "id": "lakeside",
                            "name": "Lakeside",
                            "time_zone": "America/Chicago",
                            "calendar": {
                                "school_years": [
                                    {"name": "2025-26", "starts_on": "2025-08-18", "ends_on": "2026-06-05"}
                                ]
                            },
                            "sources": [entry],
                        }
                    ],
                }
            )
        )

    def mapping(self, **changes: Any) -> None:
        write_mapping(self.folder, **{"columns": COLUMNS, "person": "student"} | changes)

    @property
    def project(self) -> Project:
        """Read afresh, as each run of the command does."""
        return Project.load(self.folder / "uptake.yaml")

    def pull(self, **asked: Any) -> pipeline.ResourceSummary:
        (summary,) = pipeline.pull(self.project, "lakeside", "dropped", **asked).resources
        return summary

    def live(self) -> list[dict[str, Any]]:
        project = self.project
        files = ledger.live_files(project.operations, "lakeside", "dropped", "visits")
        return [row for file in files for row in pq.read_table(project.lake / file.path, partitioning=None).to_pylist()]

    def last_outcome(self) -> Outcome:
        with reading(self.project.operations) as session:
            outcome = session.scalars(select(Outcome).filter_by(step="land").order_by(Outcome.id.desc())).first()
        assert outcome is not None
        return outcome


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_a_row_lands_without_a_name(office: Office) -> None:
    drop(office.drop, "a.csv", HEADER + ROW)
    summary = office.pull()
    assert (summary.pulled, summary.landed, summary.quarantined) == (1, 1, 0)
    (row,) = office.live()
    assert set(row) == {"id", "student", "page", "day", "_deleted"}
    assert len(row["student"]) == 32
    assert row["page"] == "docs.example"
    for path in [*office.project.lake.rglob("*"), *office.project.quarantine.rglob("*")]:
        if path.is_file():
            content = path.read_bytes()
            assert not [name for name in NAMES if name in content]


def test_a_file_is_taken_once_whatever_it_is_called(office: Office) -> None:
    drop(office.drop, "a.csv", HEADER + ROW)
    assert office.pull().windows == 1
    assert office.pull().windows == 0
    drop(office.drop, "b.csv", HEADER + ROW)
    assert office.pull().windows == 0
    assert office.pull(full=True).windows == 1
    assert len(office.live()) == 1
    drop(office.drop, "a.csv", HEADER + ROW + ROW.replace("1,", "2,", 1))
    assert office.pull().windows == 1
    assert [row["id"] for row in office.live()] == ["1", "1", "2"]


def test_a_file_that_proves_unreadable_after_its_first_rows_lands_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uptake.sources.dropfolder.content.IN_MEMORY", 1000)
    monkeypatch.setattr("uptake.sources.dropfolder.readers._LARGE_BLOCK", 512)
    monkeypatch.setattr("uptake.landing.writer.SORT_ROWS", 3)  # so that rows are in the draft already
    rows = [ROW.replace("1,", f"{n},", 1) for n in range(20)] + ["wrong,row\n"]
    drop(office.drop, "a.csv", HEADER + "".join(rows) + '"20,' + ROW)
    summary = office.pull()
    assert (summary.pulled, summary.landed, summary.quarantined) == (1, 0, 1)
    assert office.live() == [] and list(office.project.lake.rglob("*.*")) == []
    (held,) = ledger.quarantine_files(office.project.operations, "lakeside")
    assert held.reason == "unclosed_quote"
    drop(office.drop, "a.csv", HEADER + "".join(rows))
    assert [office.pull().landed, len(office.live())] == [20, 20]


def test_pulled_is_landed_and_quarantined(office: Office) -> None:
    bad = ROW.replace("1,", "2,", 1).replace("2026-01-05", "soon")
    drop(office.drop, "a.csv", HEADER + ROW + bad + "3,only\n")
    summary = office.pull()
    assert (summary.pulled, summary.landed, summary.quarantined) == (3, 1, 2)
    held = ledger.quarantine_files(office.project.operations, "lakeside")
    assert {(file.reason, file.column_name, file.row_count) for file in held} == {
        ("not_date", "day", 1),
        ("wrong_column_count", None, 1),
    }
    for file in held:
        content = (office.project.quarantine / file.path).read_bytes()
        assert not [name for name in NAMES if name in content]


def test_a_changed_header_keeps_the_whole_file_out_and_says_what_changed(office: Office) -> None:
    drop(office.drop, "a.csv", HEADER.replace("Day", "Date") + ROW)
    summary = office.pull()
    assert (summary.pulled, summary.landed, summary.quarantined) == (1, 0, 1)
    outcome = office.last_outcome()
    assert outcome.status == "warning"
    assert outcome.message is not None
    assert "a.csv: missing: Day (renamed to Date?); new: Date." in outcome.message
    assert office.live() == []


def test_a_refused_file_lands_by_itself_once_its_mapping_is_mended(office: Office) -> None:
    drop(office.drop, "a.csv", HEADER.replace("Day", "Date") + ROW)
    office.pull()
    office.pull()
    assert len(ledger.quarantine_files(office.project.operations, "lakeside")) == 1
    office.mapping(columns=[*COLUMNS[:-1], {"header": ["Day", "Date"], "name": "day", "type": "date"}])
    summary = office.pull()
    assert (summary.windows, summary.landed) == (1, 1)
    assert ledger.quarantine_files(office.project.operations, "lakeside") == []
    assert office.pull().windows == 0


def test_quarantined_rows_are_replayed_with_the_mended_mapping(office: Office) -> None:
    drop(office.drop, "a.csv", HEADER + ROW.replace("2026-01-05", "05.01.2026"))
    office.pull()
    (held,) = ledger.quarantine_files(office.project.operations, "lakeside")
    office.mapping(columns=[*COLUMNS[:-1], COLUMNS[-1] | {"formats": ["%d.%m.%Y"]}])
    result = pipeline.replay(office.project, held)
    assert (result.rows, result.replayed) == (1, 1)
    (row,) = office.live()
    assert (row["id"], row["day"].isoformat(), len(row["student"])) == ("1", "2026-01-05", 32)
    assert ledger.quarantine_files(office.project.operations, "lakeside") == []


def test_unknown_columns_are_reported_and_sealed(office: Office) -> None:
    office.mapping(allow_extra=True)
    drop(office.drop, "a.csv", HEADER.replace("\n", ",Nickname\n") + ROW.replace("\n", ",Zoe-Zoe\n"))
    summary = office.pull()
    assert summary.landed == 1
    assert any("Nickname" in warning for warning in summary.warnings)
    stored = [path for path in office.project.state_dir.rglob("*") if path.is_file() and "vault" not in path.parts]
    assert not [path for path in stored if b"Zoe-Zoe" in path.read_bytes()]


# ---- files that are each the whole list -----------------------------------------------------------------------------


@pytest.fixture
def register(office: Office) -> Office:
    office.mapping(full_list=True, columns=[{"header": "Id", "required": True}, {"header": "Tool"}], person=None)
    return office


def held(office: Office) -> dict[str, str | None]:
    """Tool by id of the rows that the newest files leave; None where the row is marked deleted."""
    return {row["id"]: None if row["_deleted"] else row["tool"] for row in office.live()}


def test_a_row_that_a_newer_list_lacks_is_marked_and_unmarked_when_it_comes_back(register: Office) -> None:
    drop(register.drop, "list.csv", "Id,Tool\n1,a\n2,b\n", age=900)
    assert register.pull().deleted == 0
    drop(register.drop, "list.csv", "Id,Tool\n2,b\n3,c\n", age=800)
    summary = register.pull()
    assert (summary.pulled, summary.landed, summary.deleted) == (2, 2, 1)
    assert held(register) == {"1": None, "2": "b", "3": "c"}
    drop(register.drop, "new/list.csv", "Id,Tool\n1,a\n2,b\n3,c\n", age=700)
    assert register.pull().deleted == 0
    assert held(register) == {"1": "a", "2": "b", "3": "c"}


def test_without_the_declaration_nothing_is_marked(register: Office) -> None:
    register.mapping(columns=[{"header": "Id", "required": True}, {"header": "Tool"}], person=None)
    drop(register.drop, "list.csv", "Id,Tool\n1,a\n", age=900)
    register.pull()
    drop(register.drop, "list.csv", "Id,Tool\n2,b\n", age=800)
    assert register.pull().deleted == 0
    assert held(register) == {"1": "a", "2": "b"}


def test_a_list_that_is_put_back_counts_again(register: Office) -> None:
    old, new = "Id,Tool\n1,a\n2,b\n", "Id,Tool\n1,other\n2,b\n3,c\n"
    for content, age in ((old, 900), (new, 800), (old, 700)):
        drop(register.drop, "list.csv", content, age=age)
        assert register.pull().windows == 1
        assert register.pull().windows == 0
    assert held(register) == {"1": "a", "2": "b", "3": None}
    drop(register.drop, "list.csv", new, age=600)
    register.pull()
    assert held(register) == {"1": "other", "2": "b", "3": "c"}
    assert register.pull(full=True).windows == 1
    assert held(register) == {"1": "other", "2": "b", "3": "c"}


def test_several_new_lists_are_taken_in_the_order_of_their_age(register: Office) -> None:
    drop(register.drop, "b.csv", "Id,Tool\n1,a\n", age=900)
    drop(register.drop, "a.csv", "Id,Tool\n2,b\n", age=800)
    summary = register.pull()
    assert (summary.windows, summary.deleted) == (2, 1)
    assert held(register) == {"1": None, "2": "b"}
    assert register.pull(full=True).windows == 1
    assert held(register) == {"1": None, "2": "b"}


def test_a_list_that_is_older_than_the_one_that_counts_is_told_of_once_and_not_taken(register: Office) -> None:
    drop(register.drop, "new.csv", "Id,Tool\n2,b\n", age=800)
    register.pull()
    drop(register.drop, "old.csv", "Id,Tool\n1,a\n", age=900)
    assert register.pull().windows == 0
    outcome = register.last_outcome()
    assert outcome.status == "warning" and "is older than the list that counts" in (outcome.message or "")
    register.pull()
    assert register.last_outcome().id == outcome.id
    assert held(register) == {"2": "b"}


def test_a_list_that_is_cut_short_marks_nothing(register: Office) -> None:
    rows = [f"{number},t\n" for number in range(60)]
    drop(register.drop, "list.csv", "Id,Tool\n" + "".join(rows), age=900)
    register.pull()
    drop(register.drop, "list.csv", "Id,Tool\n" + "".join(rows[:30]), age=800)
    summary = register.pull()
    assert summary.deleted == 0 and "looks broken" in summary.warnings[0]
    drop(register.drop, "list.csv", "Id,Tool\n" + "".join(rows[1:]) + "9,x,surplus\n", age=700)
    summary = register.pull()
    assert (summary.deleted, summary.quarantined) == (0, 1)  # the broken line may be the row that seems to be gone
    drop(register.drop, "list.csv", "Id\n1\n", age=600)
    assert register.pull().deleted == 0
    assert list(held(register).values()) == ["t"] * 60


def test_one_file_that_cannot_be_read_does_not_stop_the_others(office: Office) -> None:
    drop(office.drop, "a.csv", b"\x00\xff\xfe nonsense", age=9000)
    drop(office.drop, "b.csv.gz", b"\x1f\x8b broken", age=8000)
    drop(office.drop, "c.csv", HEADER + ROW, age=7000)
    summary = office.pull()
    assert (summary.windows, summary.landed, summary.quarantined) == (3, 1, 2)


def test_a_file_that_is_still_being_written_waits_for_the_next_pull(office: Office) -> None:
    path = drop(office.drop, "a.csv", HEADER + ROW, age=1)
    assert office.pull().windows == 0
    drop(office.drop, "a.csv", path.read_bytes() + ROW.replace("1,", "2,", 1).encode())
    assert office.pull().landed == 2


def test_a_wrong_mapping_is_one_line_when_the_configuration_is_read(office: Office) -> None:
    office.mapping(colour="red")
    with pytest.raises(ConfigError) as caught:
        office.project.district("lakeside")
    assert "mapping.yaml line" in str(caught.value)
    assert "colour: unknown key" in str(caught.value)
