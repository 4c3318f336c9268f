"""A small district whose lake is written by hand: rows as the door would land them, through the real writer and ledger.

Identifiers are written in clear ("s1") where a landed file holds pseudonyms: nothing in the warehouse looks inside one.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from uptake.contracts import Window
from uptake.landing import ledger
from uptake.landing.ledger import At, Record
from uptake.landing.writer import WindowWriter
from uptake.operations.session import open_engine
from uptake.project import Project
from uptake.sources.registry import warehouse_resources
from uptake.warehouse.dbt import LOOKUPS

DISTRICT = "maple"
SOURCES = {
    "caliper": "events",
    "xapi": "statements",
    "oneroster": "sis",
    "edfi": "state",
    "clever": "clever",
    "canvas": "lms",
    "moodle": "moodle",
    "google_classroom": "classroom",
    "google_admin": "google",
    "intune": "intune",
    "iready": "iready",
    "umbrella": "filter",
    "registers": "registers",
    "learnplatform": "study",
}

CONFIG = """
state_dir: state
districts:
  - id: maple
    name: Maple Valley
    time_zone: America/Chicago
    tool_catalogue: tools.csv
    calendar:
      school_years:
        - {name: 2025-26, starts_on: 2025-08-18, ends_on: 2026-06-05}
      terms:
        - {name: Fall, starts_on: 2025-08-18, ends_on: 2025-12-19}
        - {name: Spring, starts_on: 2026-01-06, ends_on: 2026-06-05}
      days_off:
        - {name: Thanksgiving, starts_on: 2025-11-24, ends_on: 2025-11-28}
        - {name: Winter break, starts_on: 2025-12-22, ends_on: 2026-01-05}
      school_hours: {start: "08:00", end: "15:30"}
    subgroups: [economic_disadvantage, english_learner, race_ethnicity]
"""
CATALOGUE = """tool_id,tool_name,vendor_name,function,sector,approval_status,licensed_grades,addresses
mathgym,MathGym,Larkfield,LC - Digital Learning Platforms,PreK-12,approved,03;04,mathgym.example;app.mathgym.example
docs,Docs,Bigco,LC - Content Creation & Curation,PreK-12,approved,,docs.bigco.example/document
forms,Forms,Bigco,LC/CM/SDO - Other,PreK-12,approved,,docs.bigco.example/forms
lms,The LMS,Lms Inc,SDO - Learning Management Systems (LMS),PreK-12,approved,,maple.lms.example
"""

Row = Mapping[str, Any]


def at(text: str) -> datetime:
    """UTC time from `2026-03-02T15:00:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@cache
def _empty_operations() -> bytes:
    """A migrated database without rows: made once, because a migration takes longer than a test."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "uptake.db"
        engine = open_engine(f"sqlite:///{path}")
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        engine.dispose()
        return path.read_bytes()


class Lake:
    def __init__(self, root: Path, config: str = CONFIG, catalogue: str = CATALOGUE) -> None:
        (root / "uptake.yaml").write_text(config)
        (root / "tools.csv").write_text(catalogue)
        self.root = root
        self.reload()
        self._windows = 0
        operations = self.project.state_dir / "operations" / "uptake.db"
        operations.parent.mkdir(parents=True)
        operations.write_bytes(_empty_operations())

    @classmethod
    def at(cls, root: Path) -> Lake:
        """The district that lies at `root` already."""
        lake = object.__new__(cls)
        lake.root = root
        lake.reload()
        lake._windows = 1000
        return lake

    def copied(self, root: Path) -> Lake:
        """A district like this one at `root`, where nothing is yet."""
        self.project.operations.dispose()
        shutil.copytree(self.root, root)
        return Lake.at(root)

    def reload(self) -> None:
        """Read the configuration again."""
        self.project = Project.load(self.root / "uptake.yaml")
        self.district = self.project.district(DISTRICT)

    def land(
        self,
        namespace: str,
        name: str,
        rows: Sequence[Row],
        *,
        token: str | None = None,
        deleted: Sequence[Row] = (),
        window: Window | None = None,
    ) -> None:
        """One window of one resource; the same token again replaces what the first one landed."""
        self._windows += 1
        resource = warehouse_resources()[namespace, name]
        schema = resource.landed_schema
        window = window or Window("file" if resource.kind == "event" else "full", token or f"window-{self._windows}")
        place = At(DISTRICT, SOURCES[namespace], name)
        with WindowWriter(self.project.lake, place, window.token, resource) as writer:
            for part, is_deleted in ((rows, False), (deleted, True)):
                columns = [field for field in schema if field.name != "_deleted"]
                whole = [{field.name: row.get(field.name) for field in columns} for row in part]
                for row in part:
                    assert set(row) <= set(schema.names), set(row) - set(schema.names)
                writer.add(pa.Table.from_pylist(whole, schema=pa.schema(columns)), deleted=is_deleted)
            file = writer.finish()
        ledger.commit_window(
            self.project.operations,
            place,
            window,
            run_id="test",
            namespace=namespace,
            file=file,
            quarantined=(),
            record=Record("land", rows_in=len(rows), rows_out=len(rows), rows_quarantined=0),
            is_entity=resource.kind == "entity",
        )

    def contents(self) -> dict[str, tuple[int, str]]:
        """Rows and a hash of every table of the warehouse, whatever their order. Tables that hold only the dates of the
        last build are left out."""
        with self.reading() as connection:
            names = connection.execute(
                "select table_schema, table_name from information_schema.tables "
                "where table_schema in ('intermediate', 'marts') and table_type = 'BASE TABLE'"
            ).fetchall()
            hashed = "select count(*), cast(sum(hash(one)) as varchar) from {}.{} as one"
            return {
                f"{schema}.{name}": connection.execute(hashed.format(schema, name)).fetchall()[0]
                for schema, name in names
                if name not in LOOKUPS
            }

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self.reading() as connection:
            return connection.execute(sql).fetchall()

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """For many queries: to open a warehouse takes longer than to ask it."""
        with duckdb.connect(str(self.project.warehouse(DISTRICT)), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            yield connection


# ---- rows -----------------------------------------------------------------------------------------------------------


def roster(lake: Lake, students: int = 4) -> None:
    """One district, two schools (north: grade 03, south: grade 04), a class in each, a teacher and some students."""
    changed = at("2025-08-01T12:00:00")
    base = {"status": "active", "dateLastModified": changed}
    lake.land(
        "oneroster",
        "orgs",
        [
            base | {"sourcedId": "d", "name": "Maple Valley", "type": "district"},
            base | {"sourcedId": "north", "name": "North School", "type": "school", "parent_sourcedId": "d"},
            base | {"sourcedId": "south", "name": "South School", "type": "school", "parent_sourcedId": "d"},
        ],
    )
    lake.land(
        "oneroster",
        "academicSessions",
        [
            # An academic session ends on the day after its last one (OneRoster: exclusive).
            base
            | {
                "sourcedId": "year",
                "title": "2025-26",
                "type": "schoolYear",
                "startDate": date(2025, 8, 18),
                "endDate": date(2026, 6, 6),
            }
        ],
    )
    lake.land("oneroster", "courses", [base | {"sourcedId": "math", "title": "Mathematics", "org_sourcedId": "d"}])
    lake.land(
        "oneroster",
        "classes",
        [
            base
            | {
                "sourcedId": f"class-{school}",
                "title": f"Math {school}",
                "grades": [grade],
                "course_sourcedId": "math",
                "school_sourcedId": school,
                "terms": ["year"],
            }
            for school, grade in (("north", "03"), ("south", "04"))
        ],
    )
    lake.land(
        "oneroster",
        "users",
        [
            base | user(f"s{number}", "03" if number % 2 else "04", "north" if number % 2 else "south")
            for number in range(1, students + 1)
        ]
        + [base | user("t1", None, "north", role="teacher")],
    )
    lake.land(
        "oneroster",
        "enrollments",
        [
            base | enrollment(f"e{number}", f"s{number}", "north" if number % 2 else "south")
            for number in range(1, students + 1)
        ],
    )
    lake.land(
        "oneroster",
        "demographics",
        [
            base
            | {
                "sourcedId": f"s{number}",
                "sex": "female",
                "metadata_economicDisadvantage": number % 2 == 0,
                "metadata_englishLearner": None if number == 1 else False,
                "white": True,
            }
            for number in range(1, students + 1)
        ],
    )


def user(key: str, grade: str | None, school: str, *, role: str = "student", email: str | None = None) -> Row:
    return {
        "sourcedId": key,
        "enabledUser": True,
        "email": email or f"{key}@mail",
        "grades": [grade] if grade else [],
        "primaryOrg_sourcedId": school,
        "roles": [{"role": role, "roleType": "primary", "org_sourcedId": school, "beginDate": None, "endDate": None}],
    }


def enrollment(
    key: str,
    student: str,
    school: str,
    *,
    begins: date | None = None,
    ends: date | None = None,
    role: str = "student",
    primary: bool | None = None,
) -> Row:
    """`ends` is OneRoster's: the day after the last one."""
    return {
        "sourcedId": key,
        "status": "active",
        "dateLastModified": at("2025-08-01T12:00:00"),
        "role": role,
        "primary": primary,
        "beginDate": begins,
        "endDate": ends,
        "user_sourcedId": student,
        "class_sourcedId": f"class-{school}",
        "school_sourcedId": school,
    }


def request(when: str, who: str | None, url: str | None = "mathgym.example", **more: Any) -> Row:
    """A web filter's event; its key is its content, as at the door."""
    row = {
        "timestamp": at(when),
        "user_label": who,
        "identity_type": "user" if who else "device",
        "device_label": None if who else "chromebook-1",
        "verdict": "allowed",
        "domain": (url or "unknown").split("/")[0],
        "url": url,
        "type": "proxy",
        "categories": [],
    } | more
    return row | {"event_key": "|".join(str(row[name]) for name in sorted(row))}


def page_view(key: str, when: str, who: str, seconds: float | None, url: str = "maple.lms.example", **more: Any) -> Row:
    return {
        "id": key,
        "user_id": who,
        "url": url,
        "interaction_seconds": seconds,
        "created_at": at(when),
        "user_request": True,
    } | more
