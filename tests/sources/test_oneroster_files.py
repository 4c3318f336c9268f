"""Rosters as CSV files: which deliveries are taken, what becomes of their rows, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from rosters import (
    HOUR,
    ORG,
    USER,
    aged,
    manifest,
    members,
    opened,
    reasons,
    rows_of,
    sheet,
    table,
    taken,
    windows,
    zipped,
)

from uptake.contracts import Window
from uptake.errors import TransientError
from uptake.sources.oneroster import RESOURCES
from uptake.sources.oneroster.files import OneRosterFiles, OneRosterFilesSettings
from uptake.sources.oneroster.sheets import ONEROSTER
from uptake.sources.places.base import Listed, RemotePlace
from uptake.sources.places.local import LocalPlace

SDS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "oneroster-sds"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "drop").mkdir()
    return tmp_path / "drop"


# ---- OneRoster 1.1 and 1.2 ------------------------------------------------------------------------------------------


def test_a_zip_of_1_1_lands_in_the_model(folder: Path) -> None:
    user = USER | {"sourcedId": "u1", "role": "student", "orgSourcedIds": "s1,s2", "email": "a@x.example"}
    tables = {
        "orgs": [ORG, {"sourcedId": "s2", "name": "South", "type": "school", "parentSourcedId": "d1"}],
        "users": [user | {"password": "hunter2", "phone": "555-0100"}],
        "classes": [{"sourcedId": "c1", "title": "Maths", "schoolSourcedId": "s1", "termSourcedIds": "t1, t2"}],
        "demographics": [{"sourcedId": "u1", "birthDate": "2016-02-03", "asian": "TRUE", "white": "false"}],
        "lineItems": [{"sourcedId": "l1", "classSourcedId": "c1", "dueDate": "2026-01-05", "resultValueMax": "10"}],
    }
    zipped(folder / "roster.zip", members("1.1", tables))
    source = opened(folder)
    assert [row["parent_sourcedId"] for row in rows_of(source, "orgs")] == [None, "d1"]
    (user_row,) = rows_of(source, "users")
    assert user_row["grades"] == ["03", "04"] and user_row["primaryOrg_sourcedId"] == "s1"
    assert [(role["role"], role["roleType"], role["org_sourcedId"]) for role in user_row["roles"]] == [
        ("student", "primary", "s1"),
        ("student", "secondary", "s2"),
    ]
    assert not {"phone", "password"} & set(user_row)
    (class_row,) = rows_of(source, "classes")
    assert class_row["terms"] == ["t1", "t2"] and class_row["grades"] is None
    (person,) = rows_of(source, "demographics")
    assert (person["asian"], person["white"], person["metadata_disability"]) == (True, False, None)
    (item,) = rows_of(source, "lineItems")
    assert item["dueDate"] == datetime(2026, 1, 5, tzinfo=UTC) and item["resultValueMax"] == 10
    assert windows(source, "results") == []


@pytest.mark.parametrize("role_file", ["roles", "userRoles"])
def test_roles_of_1_2_come_from_their_own_file(folder: Path, role_file: str) -> None:
    roles = [
        {"userSourcedId": "u1", "roleType": "primary", "role": "student", "orgSourcedId": "s1"},
        {"userSourcedId": "u1", "roleType": "secondary", "role": "aide", "orgSourcedId": "s2", "endDate": "2026-06-01"},
        {"userSourcedId": "u1", "roleType": "secondary", "role": "proctor", "status": "tobedeleted"},
        {"userSourcedId": "u9", "roleType": "primary", "role": "teacher", "orgSourcedId": "s1"},
    ]
    users = [USER | {"sourcedId": "u1", "primaryOrgSourcedId": "s3"}, USER | {"sourcedId": "u2"}]
    zipped(folder / "roster.zip", members("1.2", {"users": users, role_file: roles}))
    (batch,) = taken(opened(folder), "users")
    first, second = batch.table.to_pylist()
    assert [(role["role"], role["endDate"]) for role in first["roles"]] == [
        ("student", None),
        ("aide", date(2026, 6, 1)),
    ]
    assert first["primaryOrg_sourcedId"] == "s3" and second["roles"] is None
    assert [(reject.reason, reject.column) for reject in batch.rejects] == [("unknown_user", "roles")]


@pytest.mark.parametrize("names", [["users"], ["roles"]])
def test_users_and_their_roles_belong_together(folder: Path, names: list[str]) -> None:
    zipped(folder / "roster.zip", members("1.2", {name: [] for name in names}))
    (batch,) = taken(opened(folder), "users")
    assert [reject.reason for reject in batch.rejects] == ["missing_file"]
    assert "belong together" in (batch.note or "")


def test_a_delta_says_so_and_holds_back_users_whose_roles_were_not_sent(folder: Path) -> None:
    users = [
        USER | {"sourcedId": "u1", "status": "active", "dateLastModified": "2026-01-01T00:00:00.000Z"},
        USER | {"sourcedId": "u2", "status": "active"},
        USER | {"sourcedId": "u3", "status": "tobedeleted"},
    ]
    roles = [{"userSourcedId": "u1", "roleType": "primary", "role": "student", "orgSourcedId": "s1"}]
    zipped(folder / "delta.zip", members("1.2", {"users": users, "roles": roles, "orgs": [ORG]}, "delta", orgs="bulk"))
    source = opened(folder)
    assert [window.is_change for name in ("users", "orgs") for window in windows(source, name)] == [True, False]
    (batch,) = taken(source, "users")
    assert [(row["sourcedId"], row["status"]) for row in batch.table.to_pylist()] == [
        ("u1", "active"),
        ("u3", "tobedeleted"),
    ]
    assert [reject.reason for reject in batch.rejects] == ["roles_not_sent"]
    again = source.reparse(source.resources["users"], [reject.raw for reject in batch.rejects])
    assert again.table.num_rows == 0 and [reject.reason for reject in again.rejects] == ["roles_not_sent"]


def test_a_role_that_does_not_fit_holds_its_user_back_and_may_come_back(folder: Path) -> None:
    roles = [{"userSourcedId": "u1", "role": "student", "orgSourcedId": "s1", "beginDate": "08/17/2026"}]
    zipped(folder / "roster.zip", members("1.2", {"users": [USER | {"sourcedId": "u1"}], "roles": roles}))
    source = opened(folder)
    (batch,) = taken(source, "users")
    assert [(reject.reason, reject.column) for reject in batch.rejects] == [("not_list", "roles")]
    mended = batch.rejects[0].raw.replace("08/17/2026", "2026-08-17")
    again = source.reparse(source.resources["users"], [mended, "a,b,c"])
    assert again.table.to_pylist()[0]["roles"][0]["beginDate"] == date(2026, 8, 17)
    assert [reject.reason for reject in again.rejects] == ["not_replayable"]


def test_a_mark_the_case_of_headers_and_a_folder_inside_do_not_matter(folder: Path) -> None:
    files = members("1.1", {"orgs": [ORG]})
    head, _, body = files["orgs.csv"].partition("\r\n")
    content = "\ufeff" + head.upper() + "\r\n" + body
    zipped(folder / "a.zip", {"export/Manifest.csv": "\ufeff" + files["manifest.csv"], "export/ORGS.csv": content})
    assert rows_of(opened(folder), "orgs")[0]["name"] == "North"


def test_extensions_are_read_where_they_are_known_and_reported_where_some_are(folder: Path) -> None:
    files = members("1.2", {"demographics": [], "orgs": [ORG]})
    files["demographics.csv"] = table(
        [{"sourcedId": "u1", "metadata.disability": "true", "metadata.homeless": "true"}],
        [*ONEROSTER["1.2"].sheets["demographics"][0].columns, "metadata.homeless"],
    )
    head, _, body = files["orgs.csv"].partition("\r\n")
    files["orgs.csv"] = f"{head},metadata.colour\r\n{body.strip()},blue\r\n"
    zipped(folder / "a.zip", files)
    source = opened(folder)
    (batch,) = taken(source, "demographics")
    assert batch.table.to_pylist()[0]["metadata_disability"] is True
    assert dict(batch.unknown) == {"metadata.homeless": ["true"]}
    assert rows_of(source, "orgs")[0]["sourcedId"] == "s1"


# ---- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.replace("parentSourcedId", "parentId"), "missing: parentSourcedId (renamed to parentId?)"),
        (lambda text: text.replace("identifier", "identifier,Nickname"), "new: Nickname"),
        (lambda text: text.replace("type", "name"), "twice: name"),
    ],
)
def test_a_changed_header_refuses_its_file_and_no_other(folder: Path, change: Any, told: str) -> None:
    files = members("1.1", {"orgs": [ORG], "courses": [{"sourcedId": "k1"}]})
    zipped(folder / "a.zip", files | {"orgs.csv": change(files["orgs.csv"])})
    source = opened(folder)
    (batch,) = taken(source, "orgs")
    assert [reject.reason for reject in batch.rejects] == ["changed_header"] and told in (batch.note or "")
    assert "North" not in (batch.note or "")
    assert len(rows_of(source, "courses")) == 1


def test_a_file_that_the_manifest_names_is_missing(folder: Path) -> None:
    zipped(folder / "a.zip", members("1.1", {"orgs": [ORG]}, courses="bulk"))
    source = opened(folder)
    (batch,) = taken(source, "courses")
    assert [reject.reason for reject in batch.rejects] == ["missing_file"]
    assert "courses.csv is not there, although manifest.csv names it" in (batch.note or "")
    assert len(rows_of(source, "orgs")) == 1


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"orgs.csv": "sourcedId\n"}, "missing_manifest"),
        ({"manifest.csv": ""}, "empty"),
        ({"manifest.csv": "propertyName,value\noneroster.version,1.0\n"}, "wrong_manifest"),
        ({"manifest.csv": "propertyName,value\nfile.users,bulk\n"}, "wrong_manifest"),
        ({"manifest.csv": "propertyName,value\noneroster.version,1.1\nfile.users,some\n"}, "wrong_manifest"),
        ({"manifest.csv": manifest("1.1"), "../orgs.csv": "x"}, "unsafe_name"),
        ({"manifest.csv": manifest("1.1"), "/etc/orgs.csv": "x"}, "unsafe_name"),
        ({"manifest.csv": manifest("1.1"), "a\\..\\..\\orgs.csv": "x"}, "unsafe_name"),
        ({"manifest.csv": manifest("1.1"), "a/orgs.csv": "x", "b/orgs.csv": "y"}, "unreadable"),
    ],
)
def test_a_zip_that_is_wrong_as_a_whole_is_refused_once(folder: Path, files: dict[str, str], reason: str) -> None:
    zipped(folder / "a.zip", files)
    source = opened(folder)
    found = {name: reasons(source, name) for name in source.resources}
    assert {name: told for name, told in found.items() if told} == {"orgs": [reason]}


def test_a_zip_bomb_is_refused_before_it_is_unpacked(folder: Path) -> None:
    zipped(folder / "a.zip", {"manifest.csv": manifest("1.1", orgs="bulk"), "orgs.csv": b"0" * (80 << 20)})
    (batch,) = taken(opened(folder), "orgs")
    assert [reject.reason for reject in batch.rejects] == ["too_large"]


def test_a_zip_larger_than_any_roster_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uptake.sources.oneroster.deliveries.LARGEST_BYTES", 10)
    zipped(folder / "a.zip", members("1.1", {"orgs": [ORG]}))
    assert reasons(opened(folder), "orgs") == ["too_large"]


def test_a_damaged_member_refuses_what_is_made_of_it(folder: Path) -> None:
    path = zipped(folder / "a.zip", members("1.1", {"orgs": [ORG] * 50}))
    content = bytearray(path.read_bytes())
    place = content.find(b"orgs.csv") + len("orgs.csv") + 5
    content[place : place + 8] = b"\x00\xff" * 4
    path.write_bytes(content)
    aged(path, HOUR)
    assert reasons(opened(folder), "orgs") == ["unreadable"]


def test_a_zip_of_a_version_that_nobody_knows_is_refused(folder: Path) -> None:
    path = zipped(folder / "a.zip", members("1.1", {"orgs": [ORG]}))
    content = bytearray(path.read_bytes())
    content[content.find(b"PK\x01\x02") + 6] = 200  # "version needed to extract" of the first member
    path.write_bytes(content)
    aged(path, 2 * HOUR)
    assert reasons(opened(folder), "orgs") == ["unreadable"]


# ---- which deliveries are taken, and when ---------------------------------------------------------------------------


def test_a_resource_is_known_by_its_own_files(folder: Path) -> None:
    tables = {"orgs": [ORG], "courses": [{"sourcedId": "k1"}]}
    zipped(folder / "monday.zip", members("1.1", tables), age=2 * HOUR)
    zipped(folder / "tuesday.zip", members("1.1", tables | {"courses": []}), age=HOUR)
    source = opened(folder)
    assert len(windows(source, "orgs")) == 1 and len(windows(source, "courses")) == 2
    (window,) = windows(source, "orgs")
    assert window.end is not None and (datetime.now(UTC) - window.end).total_seconds() < 1.5 * HOUR


def test_a_delivery_that_was_looked_at_is_not_opened_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zipped(folder / "a.zip", members("1.1", {"orgs": [ORG]}))
    before = windows(opened(folder), "orgs")
    looks: list[str] = []
    monkeypatch.setattr(OneRosterFiles, "_parts", lambda self, delivery: looks.append(delivery.name) or {})
    assert windows(opened(folder), "orgs") == before and looks == []
    (folder.parent / "notes" / "parts.json").write_text("{")
    windows(opened(folder), "orgs")
    assert looks == ["a.zip"]


def test_a_zip_that_is_being_written_is_left(folder: Path) -> None:
    path = zipped(folder / "a.zip", members("1.1", {"orgs": [ORG]}), age=2)
    assert windows(opened(folder), "orgs") == []
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    aged(path, 1800)
    assert windows(opened(folder), "orgs") == []
    aged(path, 2 * HOUR)
    assert reasons(opened(folder), "orgs") == ["unreadable"]


def test_a_folder_of_files_is_a_delivery_once_it_is_whole(folder: Path) -> None:
    for name, content in members("1.1", {"orgs": [ORG]}, users="bulk").items():
        (folder / name).write_text(content)
        aged(folder / name, 1800)
    assert windows(opened(folder), "orgs") == []  # users.csv may still come
    (folder / "users.csv").write_text(sheet("1.1", "users", [USER | {"sourcedId": "u1", "role": "student"}]))
    assert windows(opened(folder), "orgs") == []  # it is being written
    aged(folder / "users.csv", 600)
    source = opened(folder)
    assert len(rows_of(source, "orgs")) == len(rows_of(source, "users")) == 1


def test_a_folder_that_stays_without_a_file_is_told(folder: Path) -> None:
    for name, content in members("1.1", {"orgs": [ORG]}, users="bulk").items():
        (folder / name).write_text(content)
        aged(folder / name, 2 * HOUR)
    source = opened(folder)
    assert len(rows_of(source, "orgs")) == 1 and reasons(source, "users") == ["missing_file"]


def test_a_delivery_that_goes_away_is_left_to_the_next_pull(folder: Path) -> None:
    path = zipped(folder / "a.zip", members("1.1", {"orgs": [ORG]}))
    source = opened(folder)
    (window,) = windows(source, "orgs")
    path.unlink()
    with pytest.raises(TransientError, match="changed or taken away"):
        list(source.pull(source.resources["orgs"], window))
    with pytest.raises(TransientError, match="no delivery"):
        list(source.pull(source.resources["orgs"], Window("file", "file-0000000000000000")))


def test_probe_counts_deliveries(folder: Path) -> None:
    zipped(folder / "a.zip", members("1.1", {"orgs": [ORG]}))
    (folder / "b").mkdir()
    (folder / "b" / "orgs.csv").write_text("x")
    (folder / "notes.csv").write_text("x")
    assert opened(folder).probe() == f"{folder}: 1 zips, 1 folders of CSV files"


# ---- School Data Sync -----------------------------------------------------------------------------------------------

needs_samples = pytest.mark.skipif(not SDS.is_dir(), reason="Microsoft's sample files are not beside the project")


def sds(tmp_path: Path, version: str, dialect: str) -> OneRosterFiles:
    folder = tmp_path / "drop"
    folder.mkdir()
    for path in (SDS / version).glob("*.csv"):
        (folder / path.name).write_bytes(path.read_bytes())
        aged(folder / path.name, HOUR)
    return opened(folder, dialect=dialect)


@needs_samples
@pytest.mark.parametrize(
    ("version", "counts"),
    [
        (
            "v2.1",
            {
                "orgs": 4, "academicSessions": 2, "courses": 3, "classes": 2, "users": 8, "enrollments": 6,
                "demographics": 6,
            },
        ),
        ("v2", {"orgs": 5, "classes": 4, "users": 29, "enrollments": 29}),
    ],
)  # fmt: skip
def test_microsoft_s_samples_land_whole(tmp_path: Path, version: str, counts: dict[str, int]) -> None:
    source = sds(tmp_path, version, f"sds_{version}")
    assert {name: len(rows_of(source, name)) for name in source.resources} == counts
    assert set(source.resources) <= set(RESOURCES)


@needs_samples
def test_the_roles_grades_and_schools_of_v2_1(tmp_path: Path) -> None:
    source = sds(tmp_path, "v2.1", "sds_v2.1")
    users = {row["sourcedId"]: row for row in rows_of(source, "users")}
    assert [(role["role"], role["roleType"], role["org_sourcedId"]) for role in users["114007"]["roles"]] == [
        ("teacher", "primary", "110004"),
        ("teacher", "secondary", "110003"),
    ]
    assert users["114001"]["grades"] == ["10"] and users["114001"]["primaryOrg_sourcedId"] == "110003"
    assert users["114002"]["roles"] is None
    enrolled = rows_of(source, "enrollments")
    assert {(row["class_sourcedId"], row["school_sourcedId"]) for row in enrolled} == {
        ("112001", "110001"),
        ("112002", "110003"),
    }
    ids = [row["sourcedId"] for row in enrolled]
    assert len(set(ids)) == 6 and not any("114008" in text for text in ids)
    people = {row["sourcedId"]: row for row in rows_of(source, "demographics")}
    assert people["114003"]["asian"] is True and people["114003"]["white"] is False
    assert people["114001"]["asian"] is None and people["114001"]["hispanicOrLatinoEthnicity"] is True
    (course, *_) = rows_of(source, "courses")
    assert (course["courseCode"], course["subjects"], course["grades"]) == ("CS101", ["10"], ["PS1"])


@needs_samples
def test_the_roles_of_v2_are_words_of_the_model(tmp_path: Path) -> None:
    source = sds(tmp_path, "v2", "sds_v2")
    users = rows_of(source, "users")
    assert sum(row["roles"][0]["role"] == "student" for row in users) == 22
    assert {row["role"] for row in rows_of(source, "enrollments")} >= {"student", "teacher", "faculty"}


def test_a_class_that_is_not_there_holds_its_enrolments_back(folder: Path) -> None:
    files = {
        "orgs.csv": "sourcedId,name,type,parentSourcedId\ns1,North,school,\n",
        "users.csv": "sourcedId,username,givenName,familyName,orgSourcedIds,role\nu1,a,Ada,Birch,s1,Student\n",
        "classes.csv": "sourcedId,orgSourcedId,title\nc1,s1,Maths\n",
        "enrollments.csv": "classSourcedId,userSourcedId,role\nc1,u1,Student\nc9,u1,Student\n",
    }
    zipped(folder / "a.zip", files)
    source = opened(folder, dialect="sds_v2")
    (batch,) = taken(source, "enrollments")
    assert batch.table.column("school_sourcedId").to_pylist() == ["s1"]
    assert [(reject.reason, reject.column) for reject in batch.rejects] == [("missing_required", "school_sourcedId")]


def test_sds_needs_its_own_files(folder: Path) -> None:
    zipped(folder / "a.zip", {"orgs.csv": "sourcedId,name,type\ns1,North,school\n"})
    source = opened(folder, dialect="sds_v2.1")
    assert len(rows_of(source, "orgs")) == 1 and reasons(source, "users") == ["missing_file"]


def test_a_race_that_the_model_does_not_have_is_counted(folder: Path) -> None:
    files = {
        "orgs.csv": "sourcedId,name,type\n",
        "demographics.csv": "userSourcedId,raceCodes\nu1,other\nu2,\nu3,White\n",
    }
    zipped(folder / "a.zip", files)
    (batch,) = taken(opened(folder, dialect="sds_v2.1"), "demographics")
    assert [row["white"] for row in batch.table.to_pylist()] == [False, None, True]
    assert "1 rows" in (batch.note or "")


def test_a_delivery_that_lies_elsewhere_is_fetched_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of its resources is read out of the same copy, which is gone with the source."""
    fetched: list[str] = []

    class Elsewhere(RemotePlace):
        settling = "whole"

        def files(self, is_wanted: Callable[[str], bool]) -> Iterator[Listed]:
            return LocalPlace(folder).files(is_wanted)

        def look(self, name: str) -> Listed:
            return LocalPlace(folder).look(name)

        def _pieces(self, file: Listed) -> Iterator[bytes]:
            fetched.append(file.name)
            yield (folder / file.name).read_bytes()

    monkeypatch.setattr(OneRosterFilesSettings, "place", lambda self, credential: Elsewhere())
    zipped(folder / "a.zip", members("1.1", {"orgs": [ORG], "courses": [{"sourcedId": "k1"}], "classes": []}))
    with opened(folder) as source:
        assert len(rows_of(source, "orgs")) == len(rows_of(source, "courses")) == 1
        copies = list((folder.parent / "notes").rglob("*.zip"))
        assert fetched == ["a.zip"] and len(copies) == 1
    assert not copies[0].exists()
