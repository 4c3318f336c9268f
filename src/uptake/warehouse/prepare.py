"""Before dbt: what is landed, what the district's settings are, and which dates have to be made again.

A build rebuilds the district-local dates of files that are new or superseded since the last good build. What that build
had seen stands in schema `build` of the same DuckDB file and is replaced after dbt has succeeded (`finish`), so a
build that dies at any instant is simply made again.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from uptake import clock
from uptake.catalogue import Catalogue, load_catalogue
from uptake.config import District
from uptake.contracts import TIMESTAMP, Resource
from uptake.errors import PermanentError
from uptake.project import Project
from uptake.sources.registry import warehouse_resources
from uptake.warehouse import versions
from uptake.warehouse.engine import LAST_BUILD, first_row, open_warehouse, replace_table, table_exists
from uptake.warehouse.landing_views import LakeFile, Name, compacted_files, live_files, write_views
from uptake.warehouse.partitions import DATE_VERSION
from uptake.warehouse.public_suffixes import LIST_VERSION
from uptake.warehouse.reference import copy_operations, write_config
from uptake.warehouse.relabelled import addresses_of, dates_of_use, domains_named
from uptake.warehouse.touched import (
    dates_after_reports,
    dates_of,
    dates_of_voided,
    in_batches,
    overlapping,
    school_weeks,
    weeks_of,
)

ROSTER_NAMESPACES = {"oneroster", "edfi", "clever"}
EVENTS_AT_ONCE = 15_000_000  # a pass of dbt over more dates than this would not fit a small machine's memory
# Lists that decide, like the roster, how the use of any week is counted: which sector and function a product is of, and
# which tools somebody pays for.
LISTS = {("learnplatform", "products"), ("registers", "contracts")}
SUMMARY: Name = ("learnplatform", "engagement")  # aggregates, which are facts of their own
# What rosters send besides, and no count of use looks at.
OUTCOMES = {
    ("oneroster", "categories"),
    ("oneroster", "lineItems"),
    ("oneroster", "results"),
    ("edfi", "grades"),
    ("edfi", "studentAssessments"),
    ("edfi", "studentSchoolAttendanceEvents"),
}

_IDENTITY_VERSION = (
    f"select version from {versions.VERSION} where name = 'intermediate.int_person_identity' and version is not null"
)

_FILE = pa.schema(
    [
        ("id", pa.int64()),
        ("namespace", pa.string()),
        ("resource", pa.string()),
        ("path", pa.string()),
        ("source", pa.string()),
        ("window_token", pa.string()),
        ("landed_at", TIMESTAMP),
        ("as_of", TIMESTAMP),
        ("event_min", TIMESTAMP),
        ("event_max", TIMESTAMP),
        ("row_count", pa.int64()),
    ]
)


@dataclass(frozen=True, slots=True)
class Signature:
    """What a good build was made of, besides files. Another value of a part makes this much again.

    everything: the models themselves, and settings that facts depend on.
    marts: the other settings, the tool catalogue and the district's date.
    records: the newest pull and outcome that the quality marts show.
    """

    everything: str
    marts: str
    records: str


@dataclass(slots=True)
class Work:
    """What this build has to do.

    changed: resources with new or superseded files. sources: tables of landing, config and ops that are other than in
    the last good build. has_new_shapes: one of them has other columns. is_unfinished: a build before this one did not
    come to its end. dates, weeks: all that is to be made again. summary_dates: those of the dates that have other
    aggregates. batches: the dates, parted by how many events one pass of dbt can hold; the weeks come with the last of
    them.
    """

    warehouse: Path
    signature: Signature
    full_refresh: bool = False
    changed: set[Name] = field(default_factory=set)
    has_new_settings: bool = False
    has_new_records: bool = False
    is_unfinished: bool = False
    has_new_shapes: bool = True
    sources: set[str] = field(default_factory=set)
    dates: set[date] = field(default_factory=set)
    weeks: set[date] = field(default_factory=set)
    summary_dates: set[date] = field(default_factory=set)
    batches: list[set[date]] = field(default_factory=list)

    @property
    def is_nothing(self) -> bool:
        return not (self.is_everything or self.changed or self.has_new_settings or self.has_new_records)

    @property
    def is_everything(self) -> bool:
        """Every model is to be looked at, not only those that read what changed."""
        return self.full_refresh or self.is_unfinished


def prepare(
    project: Project,
    district: District,
    *,
    models_signature: str,
    full_refresh: bool = False,
    memory_limit: str = "2GB",
) -> Work:
    """Write the schemas landing, config, ops and build of the district's warehouse, and say what there is to do.

    Afterwards the first of the work's batches is touched.

    models_signature: a hash of the models; another one makes everything again.
    Raises PermanentError when a landed file is missing from the lake, TransientError when another process has the
    warehouse open.
    """
    catalogue = load_catalogue(district.tool_catalogue)
    as_of_at = clock.now(district)
    resources = warehouse_resources()
    warehouse = project.warehouse(district.id)
    warehouse.parent.mkdir(parents=True, exist_ok=True)
    with closing(open_warehouse(warehouse, memory_limit)) as connection:
        _make_schemas(connection)
        connection.execute("begin")
        copy_operations(connection, project.operations, district.id)
        files = live_files(connection, project.lake)
        _insist_on_files(files, district)
        signature = Signature(
            everything=_digest(
                models_signature,
                district.time_zone,
                district.calendar.model_dump_json(),
                str(district.thresholds.idle_gap_minutes),
                LIST_VERSION,
            ),
            marts=_digest(
                repr(catalogue.tools),
                district.model_dump_json(exclude={"calendar", "time_zone"}),
                as_of_at.astimezone(district.zone).date().isoformat(),
            ),
            records=_records_signature(connection),
        )
        work = _find_work(
            connection, project, district, catalogue, resources, files, warehouse, signature, full_refresh=full_refresh
        )
        work.batches = in_batches(work.dates, files, resources, district.zone, EVENTS_AT_ONCE)
        write_config(connection, district, catalogue, as_of_at)
        replace_table(connection, "build.seen_file", _file_table(files))
        connection.execute(
            "create or replace table build.is_complete_refresh_due as select ? as is_due", [work.full_refresh]
        )
        connection.execute(f"create table if not exists {DATE_VERSION} (on_date date, version varchar)")
        if work.full_refresh:
            connection.execute(f"delete from {DATE_VERSION}")
            versions.forget_all(connection)
        for schema in ("config", "ops"):
            versions.write_tables(connection, schema)
        weeks = work.weeks if len(work.batches) == 1 else set()
        _touch(connection, project, district, files, work, work.batches[0], weeks)
        work.sources = versions.changed_sources(connection)
        work.has_new_shapes = versions.has_new_shapes(connection)
        if not work.is_nothing:
            _begin(connection, work.dates, work.weeks)
        connection.execute("commit")
    return work


def touch(
    project: Project,
    district: District,
    work: Work,
    dates: set[date],
    weeks: set[date],
    memory_limit: str = "2GB",
) -> None:
    """Make `dates` and `weeks`, and nothing else, what the next pass of dbt rebuilds."""
    with closing(open_warehouse(work.warehouse, memory_limit)) as connection:
        files = [_seen(row) for row in connection.execute("from build.seen_file").fetchall()]
        connection.execute("begin")
        _begin(connection, work.dates, work.weeks | weeks)
        _touch(connection, project, district, files, work, dates, weeks)
        connection.execute("commit")


def remaining_passes(
    project: Project, district: District, work: Work, memory_limit: str = "2GB"
) -> list[tuple[set[date], set[date]]]:
    """(dates, weeks) of the passes of dbt after the first: the other batches of the work, and dates that it had not
    meant to touch and whose events are somebody else's now. The weeks come with the last.

    Where there are none the build is over, and is remembered (`finish`).
    """
    batches, weeks = work.batches[1:], work.weeks if len(work.batches) > 1 else set()
    with closing(open_warehouse(work.warehouse, memory_limit)) as connection:
        if late := _dates_of_changed_identities(connection, work):
            files = [_seen(row) for row in connection.execute("from build.seen_file").fetchall()]
            batches += in_batches(late, files, warehouse_resources(), district.zone, EVENTS_AT_ONCE)
            weeks = weeks | weeks_of(late, district)
            work.dates |= late
        if not batches:
            _finish(connection, work)
    return [(dates, weeks if dates is batches[-1] else set()) for dates in batches]


def dates_of_changed_identities(work: Work, memory_limit: str = "2GB") -> set[date]:
    """Dates, beside those of the work, whose events now belong to somebody else than when they were counted.

    The roster may come after the events: then people who were unknown are known now. Compares the identities of this
    build with those of the last good one.
    """
    with closing(open_warehouse(work.warehouse, memory_limit)) as connection:
        return _dates_of_changed_identities(connection, work)


def finish(work: Work, memory_limit: str = "2GB") -> None:
    """Remember what this build has seen. Only after dbt has succeeded."""
    with closing(open_warehouse(work.warehouse, memory_limit)) as connection:
        _finish(connection, work)


def _dates_of_changed_identities(connection: duckdb.DuckDBPyConnection, work: Work) -> set[date]:
    if work.full_refresh or not table_exists(connection, "build", "identity") or _has_same_identities(connection):
        return set()
    rows = connection.execute(
        """
        with changed as (
            (from intermediate.int_person_identity except from build.identity)
            union all
            (from build.identity except from intermediate.int_person_identity)
        )
        select distinct on_date
        from intermediate.int_person_seen_day as seen
        where (seen.identifier_kind, seen.identifier) in (select (identifier_kind, identifier) from changed)
            or seen.person_key in (select person_key from changed)
        """
    ).fetchall()
    return {row[0] for row in rows} - work.dates


def _has_same_identities(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the table's version is that of the copy in build.identity: then there is no need to compare the rows."""
    if not table_exists(connection, "build", "identity_version"):
        return False
    return first_row(connection, f"from build.identity_version intersect ({_IDENTITY_VERSION})") is not None


def _finish(connection: duckdb.DuckDBPyConnection, work: Work) -> None:
    connection.execute("begin")
    connection.execute("create or replace table build.done_file as from build.seen_file")
    if not _has_same_identities(connection):
        connection.execute("create or replace table build.identity as from intermediate.int_person_identity")
        connection.execute(f"create or replace table build.identity_version as {_IDENTITY_VERSION}")
    connection.execute("create or replace table build.tool_address as from config.tool_address")
    connection.execute("create or replace table build.is_complete_refresh_due as select false as is_due")
    connection.execute("delete from build.begun")
    versions.remember_sources(connection)
    connection.execute(
        "create or replace table build.done as select ? as everything, ? as marts, ? as records",
        [work.signature.everything, work.signature.marts, work.signature.records],
    )
    connection.execute(f"create or replace table {LAST_BUILD} as select ? as id", [secrets.token_hex(8)])
    connection.execute("commit")


def _begin(connection: duckdb.DuckDBPyConnection, dates: set[date], weeks: set[date]) -> None:
    """Remember, until the build has come to its end, that it began and what it meant to make."""
    connection.execute("delete from build.begun")
    rows = [["build", None], *(["date", day] for day in dates), *(["week", day] for day in weeks)]
    connection.executemany("insert into build.begun values (?, ?)", rows)


def _touch(
    connection: duckdb.DuckDBPyConnection,
    project: Project,
    district: District,
    files: list[LakeFile],
    work: Work,
    dates: set[date],
    weeks: set[date],
) -> None:
    for name, column, values in (
        ("touched_date", "on_date", dates),
        ("touched_summary_date", "on_date", dates & work.summary_dates),
        ("touched_week", "week_start_on", weeks),
    ):
        rows = pa.table({column: pa.array(sorted(values), type=pa.date32())})
        replace_table(connection, f"landing.{name}", rows)
    names = pa.array(sorted({file.source for file in files}), type=pa.string())
    replace_table(connection, "landing.source", pa.table({"source": names}))
    versions.write_tables(connection, "landing")
    # Before a row of them changes: who holds a date's version holds its rows.
    connection.execute(f"delete from {DATE_VERSION} where on_date in (select on_date from landing.touched_date)")
    connection.execute(
        f"insert into {DATE_VERSION} select on_date, ? from landing.touched_date", [secrets.token_hex(8)]
    )
    resources = warehouse_resources()
    shown = overlapping(files, resources, district.zone, dates)
    write_views(connection, resources, shown, project.state_dir / "warehouse" / "schema")


def _make_schemas(connection: duckdb.DuckDBPyConnection) -> None:
    for schema in ("landing", "config", "ops", "build", "staging", "intermediate", "marts"):
        connection.execute(f"create schema if not exists {schema}")
    connection.execute("create table if not exists build.begun (kind varchar, on_date date)")
    versions.make_tables(connection)


def _find_work(
    connection: duckdb.DuckDBPyConnection,
    project: Project,
    district: District,
    catalogue: Catalogue,
    resources: Mapping[Name, Resource],
    files: list[LakeFile],
    warehouse: Path,
    signature: Signature,
    *,
    full_refresh: bool,
) -> Work:
    done = first_row(connection, "from build.done") if table_exists(connection, "build", "done") else None
    unfinished = False
    if table_exists(connection, "build", "is_complete_refresh_due"):
        row = first_row(connection, "select is_due from build.is_complete_refresh_due")
        unfinished = bool(row and row[0])
    work = Work(warehouse, signature)
    if full_refresh or unfinished or done is None or done[0] != signature.everything:
        work.full_refresh = True
        work.dates = dates_of(connection, files, resources, district.zone)
        work.weeks = weeks_of(work.dates, district) | school_weeks(district)
        work.summary_dates = set(work.dates)
        return work
    before = {row[0]: row for row in connection.execute("from build.done_file").fetchall()}
    changed = _changed(connection, files, [_seen(row) for row in before.values()], project.lake)
    work.changed = {file.name for file in changed}
    work.has_new_settings = done[1] != signature.marts
    work.has_new_records = done[2] != signature.records
    summaries = [file for file in changed if file.name == SUMMARY]
    work.summary_dates = dates_of(connection, summaries, resources, district.zone)
    work.dates = work.summary_dates | dates_of(
        connection, [file for file in changed if file.name != SUMMARY], resources, district.zone
    )
    work.dates |= dates_of_voided(connection, changed, files, district.zone)
    work.dates |= dates_after_reports(connection, changed, district.zone)
    named = domains_named(set(connection.execute("from build.tool_address").fetchall()), addresses_of(catalogue))
    if named is None:
        work.dates |= dates_of(connection, files, resources, district.zone)
    elif named:
        work.dates |= dates_of_use(connection, named)
    # A build that was killed may have made dates of files that count no longer.
    begun = connection.execute("select kind, on_date from build.begun").fetchall()
    work.is_unfinished = bool(begun)
    work.dates |= {day for kind, day in begun if kind == "date"}
    if work.is_unfinished:
        work.summary_dates = set(work.dates)
    work.weeks = weeks_of(work.dates, district) | {day for kind, day in begun if kind == "week"}
    if work.has_new_settings or any(_decides_weeks(file.name) for file in changed):
        work.weeks |= school_weeks(district)
    return work


def _decides_weeks(name: Name) -> bool:
    return name in LISTS or (name[0] in ROSTER_NAMESPACES and name not in OUTCOMES)


def _changed(
    connection: duckdb.DuckDBPyConnection, files: list[LakeFile], before: list[LakeFile], lake: Path
) -> list[LakeFile]:
    """Files that are new or gone since the last good build.

    A compacted file has the rows of those that it replaced: of them only those count that no build had seen.
    """
    now, seen = {file.id for file in files}, {file.id for file in before}
    members: dict[int, list[LakeFile]] = {}
    for into, member in compacted_files(connection, lake):
        members.setdefault(into, []).append(member)
    changed = []
    for file in files:
        if file.id not in seen:
            changed += [member for member in members.get(file.id, [file]) if member.id not in seen]
    replaced = {member.id for into, held in members.items() if into in now for member in held}
    return changed + [file for file in before if file.id not in now and file.id not in replaced]


def _insist_on_files(files: Iterable[LakeFile], district: District) -> None:
    missing = [file.path for file in files if not file.path.exists()]
    if missing:
        raise PermanentError(
            f"{len(missing)} landed files that count are missing from the lake, {missing[0].name} first",
            district=district.id,
            remedy="restore them from a backup, or pull their windows again with --full.",
        )


def _records_signature(connection: duckdb.DuckDBPyConnection) -> str:
    row = first_row(
        connection,
        """
        select
            (select max(id) from ops.outcome where step in ('pull', 'land', 'replay')),
            (select max(id) from ops.pull where finished_at is not null),
            (select count(*) from ops.quarantine_file where superseded_at is null and replayed_at is null),
            (select max(run_at) from ops.study),
            (select max(planned_at) from ops.study_plan)
        """,
    )
    return repr(row)


def _file_table(files: Iterable[LakeFile]) -> pa.Table:
    rows = [
        {
            "id": file.id,
            "namespace": file.name[0],
            "resource": file.name[1],
            "path": str(file.path),
            "source": file.source,
            "window_token": file.window,
            "landed_at": file.landed_at,
            "as_of": file.as_of,
            "event_min": file.first,
            "event_max": file.last,
            "row_count": file.rows,
        }
        for file in files
    ]
    return pa.Table.from_pylist(rows, schema=_FILE)


def _seen(row: tuple[Any, ...]) -> LakeFile:
    file_id, namespace, resource, path, *rest = row
    return LakeFile(file_id, (namespace, resource), Path(path), *rest)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
