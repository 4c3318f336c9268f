"""A district with three rosters, OneRoster, Clever and Ed-Fi (in it the records of real servers): each person once."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest
from lake import CONFIG, DISTRICT, Lake, Row, at, enrollment, request, roster, user

from uptake import pipeline
from uptake.parsing import parse_records
from uptake.sources.registry import warehouse_resources
from uptake.warehouse.dbt import build_warehouse

PULLS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "edfi" / "api-pulls"
needs_pulls = pytest.mark.skipif(not PULLS.exists(), reason="no real Ed-Fi pulls beside the project")

# Their order is that of the file: what they say differently is as the first one has it.
SOURCES = """
    sources:
      - {name: sis, kind: oneroster, url: "https://sis.example", connection: sis}
      - {name: clever, kind: clever, connection: clever}
      - {name: state, kind: edfi, url: "https://ods.example", connection: state}
"""
LATER = date(2026, 1, 12)


def pulled(resource: str) -> Iterator[Row]:
    """Records of a real pull, as the source reads them: NDJSON, some of it packed, each file with a byte order mark."""
    if not PULLS.exists():
        return
    for path in sorted((PULLS / resource / "incremental" / "upserts" / "rundate=2022-07-14").iterdir()):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        lines = [line for line in io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig") if line.strip()]
        declared = warehouse_resources()["edfi", resource]
        landed = [field.name for field in declared.fields if field.is_landed]
        yield from parse_records(declared, [orjson.loads(line) for line in lines]).table.select(landed).to_pylist()


def member(key: str, roles: list[str], **more: Any) -> Row:
    return {"id": key, "roles": roles, "last_modified": at("2025-08-01T12:00:00")} | more


def land_oneroster(lake: Lake) -> None:
    roster(lake)
    base = {"status": "active", "dateLastModified": at("2025-08-01T12:00:00")}
    lake.land("oneroster", "users", [base | user("moved", "03", "north")])
    lake.land("oneroster", "enrollments", [enrollment("e9", "moved", "north", begins=date(2025, 8, 18), ends=LATER)])


def land_clever(lake: Lake) -> None:
    lake.land("clever", "schools", [{"id": "k1", "name": "North", "sis_id": "north"}, {"id": "k2", "name": "Harbor"}])
    lake.land("clever", "terms", [{"id": "t", "start_date": date(2025, 8, 18), "end_date": date(2026, 6, 5)}])
    lake.land(
        "clever",
        "sections",
        [
            {"id": "x1", "name": "Math", "school": "k1", "sis_id": "class-north", "term_id": "t", "grade": "3"},
            {"id": "x2", "name": "Art", "school": "k2", "term_id": "t", "grade": "Kindergarten"},
        ],
    )
    lake.land(
        "clever",
        "users",
        [
            member("c1", ["student"], sis_id="s1", email="alias@mail", grade="3", school="k1", gender="F"),
            member("c2", ["student"], email="s2@mail", grade="4", school="k2"),
            member("c5", ["student"], sis_id="s5", email="s5@mail", grade="Kindergarten", school="k2", ell_status=True),
            member("c6", ["student"], sis_id="s6", grade="Year 2", school="k2"),
            member("ct", ["teacher"], staff_sis_id="staff:t1", email="t1@mail"),
            member("cg", ["contact"], email="s3@mail"),
        ],
    )
    members = [("x1", "c1", "student"), ("x2", "c2", "student"), ("x2", "c5", "student"), ("x2", "ct", "teacher")]
    lake.land(
        "clever",
        "section_members",
        [{"section": section, "user": person, "role": role} for section, person, role in members],
    )


def land_edfi(lake: Lake) -> None:
    for name in ("schools", "courses", "courseOfferings", "students", "studentSchoolAssociations"):
        rows = list(pulled(name))
        if name == "students":
            rows += [{"id": "a1", "studentUniqueId": "moved"}, {"id": "a2", "studentUniqueId": "again"}]
        if name == "studentSchoolAssociations":
            came = {"schoolId": 700, "entryDate": LATER}
            rows += [
                came | {"id": "b1", "studentUniqueId": "moved", "entryGradeLevel": "Fourth grade"},
                came | {"id": "b2", "studentUniqueId": "again", "entryGradeLevel": "Kindergarten"},
            ]
        if name == "schools":
            rows += [{"id": "c7", "schoolId": 700, "nameOfInstitution": "Lake School", "gradeLevels": ["Fourth grade"]}]
        lake.land("edfi", name, rows)
    # deleted by mistake, and entered again under another id
    lake.land("edfi", "students", [{"id": "a3", "studentUniqueId": "again"}], deleted=[{"id": "a2"}])


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    made = Lake(tmp_path_factory.mktemp("rosters"), CONFIG + SOURCES)
    land_oneroster(made)
    land_clever(made)
    land_edfi(made)
    made.land(
        "registers",
        "identity_links",
        [
            {"link_id": "L1", "sis_id": "s4", "other_email": "nick@mail"},
            {"link_id": "L2", "sis_id": "s6", "other_sis_id": "again"},
        ],
    )
    made.land(
        "umbrella",
        "activity",
        [
            request("2026-03-02T15:00:00", "s1@mail"),
            request("2026-03-02T15:05:00", "alias@mail"),
            request("2026-03-02T15:00:00", "s5@mail"),
            request("2026-03-02T15:00:00", "s3@mail"),
            request("2026-03-02T15:00:00", "nick@mail"),
        ],
    )
    build_warehouse(made.project, DISTRICT)
    return made


OWN = "student_key in ('s1', 's2', 's3', 's4', 's5', 's6', 'moved')"


def test_each_person_is_there_once(lake: Lake) -> None:
    students = lake.query(f"select student_key, grade, school_key, is_enrolled from marts.dim_student where {OWN}")
    assert sorted(students) == [
        ("moved", "04", "700", True),
        ("s1", "03", "north", True),
        ("s2", "04", "south", True),
        ("s3", "03", "north", True),
        ("s4", "04", "south", True),
        ("s5", "KG", "k2", True),
        ("s6", "KG", "700", True),
    ]
    assert lake.query("select staff_key, role from marts.dim_staff") == [("t1", "teacher")]


def test_how_they_were_found_is_told(lake: Lake) -> None:
    found = lake.query(
        "select record_key, person_key, linked_by from intermediate.int_person_record "
        "where source = 'clever' or record_key in ('moved', 'again') order by source, record_key"
    )
    assert found == [
        ("c1", "s1", "sis_id"),
        ("c2", "s2", "email"),
        ("c5", "s5", "one_roster"),
        ("c6", "s6", "crosswalk"),
        ("cg", "cg", "one_roster"),
        ("ct", "t1", "email"),
        ("moved", "moved", "sis_id"),
        ("again", "s6", "crosswalk"),
        ("moved", "moved", "sis_id"),
    ]


def test_schools_and_classes_of_one_id_are_one(lake: Lake) -> None:
    schools = lake.query("select school_key, school_name, school_level from marts.dim_school where len(school_key) < 9")
    assert sorted(schools) == [
        ("700", "Lake School", "elementary"),
        ("k2", "Harbor", "elementary"),
        ("north", "North School", "elementary"),
        ("south", "South School", "elementary"),
    ]
    classes = lake.query("select class_key, class_name, grade from marts.dim_class order by 1")
    assert classes == [("class-north", "Math north", "03"), ("class-south", "Math south", "04"), ("x2", "Art", "KG")]


def test_a_move_between_systems_has_both_spans_and_two_at_once_are_one(lake: Lake) -> None:
    spans = lake.query(
        "select student_key, school_key, grade, starts_on, ends_on from intermediate.int_student_school_span "
        "where student_key in ('s1', 's2', 'moved') order by student_key, starts_on"
    )
    year = (date(2025, 8, 18), date(2026, 6, 5))
    assert spans == [
        ("moved", "north", "03", date(2025, 8, 18), date(2026, 1, 11)),
        ("moved", "700", "04", LATER, date(9999, 12, 31)),
        ("s1", "north", "03", *year),
        ("s2", "south", "04", *year),
    ]


def test_what_the_first_roster_does_not_say_the_next_one_does(lake: Lake) -> None:
    said = lake.query(
        "select student_key, dimension, subgroup from marts.brg_student_subgroup "
        "where student_key in ('s1', 's5') and dimension <> 'all_students' order by all"
    )
    assert said == [
        ("s1", "economic_disadvantage", "no"),
        ("s1", "race_ethnicity", "white"),
        ("s5", "english_learner", "yes"),
    ]


def test_use_is_the_persons_under_whatever_address(lake: Lake) -> None:
    used = lake.query("select student_key, events from marts.fct_student_tool_day order by 1")
    assert used == [("s1", 2), ("s4", 1), ("s5", 1)]  # the address of s3 is a parent's in the other roster: nobody's


def test_a_word_that_nobody_knows_is_shown(lake: Lake) -> None:
    words = lake.query("select source, vocabulary, word from intermediate.int_roster_unknown_word")
    assert words == [("clever", "grade", "Year 2")]
    assert lake.query("select * from marts.mart_unknown_word") == [(DISTRICT, "clever", "grade", None, None)]


def test_records_of_each_roster_reconcile(lake: Lake) -> None:
    wrong = lake.query("select source, resource, measure, note from marts.mart_reconciliation where not is_reconciled")
    assert wrong == []


@needs_pulls
def test_the_students_of_real_servers_are_all_there(lake: Lake) -> None:
    real = f"not {OWN}"
    assert lake.query(f"select count(*) from marts.dim_student where {real}") == [(6501,)]
    assert lake.query("select count(*) from marts.dim_school where len(school_key) = 9") == [(5,)]
    # 6,503 enrolments of 6,501 students: two were entered a day late, and again.
    [(spans, students)] = lake.query(
        f"select count(*), count(distinct student_key) from intermediate.int_student_school_span where {real}"
    )
    assert (spans, students) == (6501, 6501)
    grades = lake.query(f"select grade, count(*) from marts.dim_student where {real} group by 1 order by 1")
    counts = [("04", 854), ("05", 838), ("06", 909), ("07", 825), ("08", 825), ("09", 700), ("10", 575), ("11", 500)]
    assert grades == [*counts, ("12", 475)]


def test_what_is_published_counts_them_once(lake: Lake) -> None:
    [(students,)] = lake.query(
        "select count(distinct person_key) from intermediate.int_person where person_type = 'student'"
    )
    assert pipeline.check(lake.project, DISTRICT).failed_critical == []
    snapshot = pipeline.publish(lake.project, DISTRICT)
    with closing(snapshot.open("restricted")) as restricted:
        assert restricted.execute("select count(*), count(distinct student_key) from dim_student").fetchall() == [
            (students, students)
        ]
    with closing(snapshot.open("leaders")) as leaders:
        told = leaders.execute(
            "select distinct source, people, people_in_all from mart_identity_match where people_in_all is not null"
        ).fetchall()
    # All but two are in this roster only; so few others hide them too.
    assert told == ([("state", None, 6503)] if PULLS.exists() else [])
