"""A roster's deliveries through the whole door: lists, changes to them, and ids of a system's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from rosters import HOUR, ORG, USER, members, zipped

from uptake import pipeline
from uptake.landing import ledger
from uptake.landing.land import open_door
from uptake.project import Project

STUDENT = USER | {"role": "student", "orgSourcedIds": "s1"}
YEAR = {"name": "2025-26", "starts_on": "2025-08-18", "ends_on": "2026-06-05"}


class District:
    """A district with rosters that are dropped: a source for each name, in a folder of that name."""

    def __init__(self, folder: Path, **sources: dict[str, Any]) -> None:
        self.folder = folder
        for name in sources:
            (folder / name).mkdir()
        entries = [
            {"name": name, "kind": "oneroster_csv", "folder": name} | options for name, options in sources.items()
        ]
        district = {"id": "lakeside", "name": "Lakeside", "time_zone": "America/Chicago"}
        district |= {"calendar": {"school_years": [YEAR]}, "sources": entries}
        (folder / "uptake.yaml").write_text(yaml.safe_dump({"state_dir": "var", "districts": [district]}))

    @property
    def project(self) -> Project:
        return Project.load(self.folder / "uptake.yaml")

    def pull(self, source: str = "sis", **asked: Any) -> dict[str, pipeline.ResourceSummary]:
        found = pipeline.pull(self.project, "lakeside", source, **asked).resources
        return {summary.resource: summary for summary in found}

    def landed(self, resource: str, source: str = "sis") -> list[dict[str, Any]]:
        """Rows of every live file, the oldest file first."""
        project = self.project
        files = ledger.live_files(project.operations, "lakeside", source, resource)
        return [row for file in files for row in pq.read_table(project.lake / file.path, partitioning=None).to_pylist()]

    def current(self, resource: str, source: str = "sis") -> set[str]:
        """Keys that are not marked deleted."""
        newest = {row["sourcedId"]: row["_deleted"] for row in self.landed(resource, source)}
        return {key for key, is_deleted in newest.items() if not is_deleted}


@pytest.fixture
def district(tmp_path: Path) -> District:
    return District(tmp_path, sis={})


def courses(*names: str) -> list[dict[str, str]]:
    return [{"sourcedId": name, "title": name, "orgSourcedId": "s1"} for name in names]


def drop(district: District, name: str, mode: str, age: float, *names: str, **tables: Any) -> None:
    files = members("1.1", {"courses": courses(*names)} | tables, mode)
    zipped(district.folder / "sis" / name, files, age=age)


def test_a_whole_list_marks_what_it_lacks(district: District) -> None:
    drop(district, "monday.zip", "bulk", 3 * HOUR, "k1", "k2", "k3")
    assert district.pull()["courses"].landed == 3
    drop(district, "tuesday.zip", "bulk", 2 * HOUR, "k2", "k3", "k4")
    summary = district.pull()["courses"]
    assert (summary.landed, summary.deleted) == (3, 1)
    assert district.current("courses") == {"k2", "k3", "k4"}
    assert district.pull()["courses"].windows == 0


def test_a_change_marks_only_what_it_says(district: District) -> None:
    drop(district, "1.zip", "bulk", 4 * HOUR, "k1", "k2")
    drop(district, "2.zip", "delta", 3 * HOUR, "k3")
    summary = district.pull()["courses"]
    assert (summary.windows, summary.landed, summary.deleted) == (2, 3, 0)
    assert district.current("courses") == {"k1", "k2", "k3"}
    drop(district, "3.zip", "bulk", 2 * HOUR, "k1", "k3")
    assert district.pull()["courses"].deleted == 1
    assert district.current("courses") == {"k1", "k3"}


def test_a_file_older_than_what_counts_is_told_and_not_taken(district: District) -> None:
    drop(district, "new.zip", "bulk", HOUR, "k1")
    district.pull()
    drop(district, "old.zip", "bulk", 3 * HOUR, "k1", "k9")
    drop(district, "change.zip", "delta", 2 * HOUR, "k8")
    assert district.pull()["courses"].windows == 0
    assert district.current("courses") == {"k1"}


def test_all_that_is_there_at_once_is_taken_in_its_order(district: District) -> None:
    drop(district, "b.zip", "bulk", 4 * HOUR, "k1", "k2")
    drop(district, "a.zip", "bulk", 3 * HOUR, "k2")
    drop(district, "c.zip", "delta", 2 * HOUR, "k5")
    assert district.pull()["courses"].windows == 3
    assert district.current("courses") == {"k2", "k5"}
    assert district.pull(full=True)["courses"].windows == 1
    assert district.current("courses") == {"k2", "k5"}


def test_a_person_in_quarantine_is_not_marked_deleted(tmp_path: Path) -> None:
    district = District(tmp_path, sis={"ids": "own"})
    people = [STUDENT | {"sourcedId": str(number)} for number in range(1, 4)]
    drop(district, "1.zip", "bulk", 3 * HOUR, users=people, orgs=[ORG])
    assert district.pull()["users"].landed == 3
    people[0] = people[0] | {"enabledUser": "perhaps"}
    drop(district, "2.zip", "bulk", 2 * HOUR, users=people[:2], orgs=[ORG])
    summary = district.pull()["users"]
    assert (summary.pulled, summary.landed, summary.quarantined, summary.deleted) == (2, 1, 1, 1)
    assert len(district.current("users")) == 2


def test_two_systems_that_number_alike_do_not_meet(tmp_path: Path) -> None:
    district = District(tmp_path, sis={"ids": "own"}, other={"ids": "own"}, third={})
    for source in ("sis", "other", "third"):
        tables = {"users": [STUDENT | {"sourcedId": "17", "givenName": source}], "orgs": [ORG]}
        zipped(tmp_path / source / "a.zip", members("1.1", tables))
        district.pull(source)
    people = {source: district.landed("users", source)[0] for source in ("sis", "other", "third")}
    assert len({row["sourcedId"] for row in people.values()}) == 3
    assert [row["primaryOrg_sourcedId"] for row in people.values()] == ["sis:s1", "other:s1", "s1"]
    assert [district.landed("orgs", source)[0]["sourcedId"] for source in people] == ["sis:s1", "other:s1", "s1"]
    door, vault = open_door(district.project, district.project.district("lakeside"))
    with vault:
        assert people["sis"]["sourcedId"] == door.pseudonym("sis_user", "sis:17")
        assert people["third"]["sourcedId"] == door.pseudonym("sis_user", "17")


def test_nothing_personal_lands(district: District) -> None:
    person = STUDENT | {
        "sourcedId": "Zoe-17",
        "givenName": "Zoelle",
        "familyName": "Lindqvist",
        "email": "zl@x.example",
    }
    person |= {"password": "hunter2", "phone": "555-0100", "username": "zlindqvist", "identifier": "ID-900001"}
    broken = person | {"sourcedId": "Max-18", "enabledUser": "perhaps"}
    drop(district, "a.zip", "bulk", HOUR, users=[person, broken], orgs=[ORG])
    assert district.pull()["users"].quarantined == 1
    project = district.project
    for root in (project.lake, project.quarantine, project.state_dir / "notes"):
        for path in root.rglob("*"):
            content = path.read_bytes().lower() if path.is_file() else b""
            for text in ("zoe", "lindqvist", "zl@", "hunter2", "555-01", "900001", "max-18"):
                assert text.encode() not in content, (path, text)


def test_enrolments_without_an_id_are_the_same_in_each_delivery(tmp_path: Path) -> None:
    district = District(tmp_path, sis={"dialect": "sds_v2"})
    files = {
        "orgs.csv": "sourcedId,name,type\ns1,North,school\n",
        "users.csv": "sourcedId,username,givenName,familyName,orgSourcedIds,role\nu1,a,Ada,Birch,s1,Student\n",
        "classes.csv": "sourcedId,orgSourcedId,title\nc1,s1,Maths\nc2,s1,Art\n",
        "enrollments.csv": "classSourcedId,userSourcedId,role\nc1,u1,Student\nc2,u1,Student\n",
    }
    zipped(tmp_path / "sis" / "1.zip", files, age=3 * HOUR)
    assert district.pull()["enrollments"].landed == 2
    files["enrollments.csv"] = files["enrollments.csv"].replace("c2,u1,Student\n", "")
    zipped(tmp_path / "sis" / "2.zip", files, age=2 * HOUR)
    summary = district.pull()["enrollments"]
    assert (summary.landed, summary.deleted) == (1, 1)
    assert len(district.current("enrollments")) == 1


def test_a_change_that_is_put_back_is_not_taken_again(district: District) -> None:
    drop(district, "1.zip", "bulk", 4 * HOUR, "k1")
    drop(district, "2.zip", "delta", 3 * HOUR, "k2")
    drop(district, "3.zip", "delta", 2 * HOUR, "k3")
    district.pull()
    drop(district, "4.zip", "delta", HOUR, "k2")
    assert district.pull()["courses"].windows == 0
