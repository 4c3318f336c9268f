"""A candidate snapshot: the marts that people read, copied out of the writer's file into two files of their own.

Person-level facts that grow by the day are Parquet files beside them, shared between snapshots (`partitions`).

Which file a table goes to is said by its dbt model (`config: {meta: {snapshot: leaders}}` or `restricted`). A table
that says nothing goes nowhere. A leaders' table with a person-level column is refused here, and a check then rejects
the candidate and names it; the column never reaches the leaders' file.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args

import duckdb
import orjson

from uptake import __version__
from uptake.config import District
from uptake.errors import PermanentError, TransientError
from uptake.operations.models import Snapshot
from uptake.operations.session import writing
from uptake.project import Project
from uptake.warehouse import durable
from uptake.warehouse.engine import content_of, name_of_last_build
from uptake.warehouse.partitions import (
    DATE_VERSION,
    PARTITIONS,
    STRATEGY,
    PartitionWriter,
    describe_file,
    read_snapshot_file,
)

Audience = Literal["leaders", "restricted"]
AUDIENCES: tuple[Audience, ...] = get_args(Audience)

# A column that names one person, whatever its vendor calls a person. Keys of schools, classes and tools pass.
PERSON_COLUMN = re.compile(
    r"(^|_)(student|person|people|staff|teacher|user|learner|pupil|guardian|viewer)_?(key|id|ids|keys|number)$"
    r"|(^|_)(e?mail|e_mail|username|user_name|login|login_id|given_name|family_name|first_name|last_name|full_name"
    r"|birth_?date|date_of_birth|sis_number|sourced_?id|ip_address|device_label|user_label|pseudonym)($|_)",
    re.IGNORECASE,
)

PSEUDONYM = "[0-9a-f]{32}"  # what the door makes of an identifier

# Tables are stored in the order in which pages filter them, so that a reader skips most row groups.
READING_ORDER = (
    "on_date",
    "scored_on",
    "basis",
    "dimension",
    "subgroup",
    "org_level",
    "org_key",
    "level",
    "level_value",
    "source",
    "resource",
    "tool_key",
    "week_start_on",
    "contract_key",
    "student_key",
    "class_key",
)

MEMORY_LIMIT = "2GB"
ID_FORMAT = re.compile(r"\d{8}T\d{6}-\d{6}")
_STAMP = "%Y%m%dT%H%M%S-%f"
CANDIDATE_PREFIX = "candidate-"
BUILDING_PREFIX = ".building-"
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Candidate:
    """`path` holds leaders.duckdb, restricted.duckdb and manifest.json, complete and closed."""

    id: str
    path: Path
    manifest: dict[str, Any]

    def file(self, audience: Audience) -> Path:
        return self.path / f"{audience}.duckdb"

    def open(self, audience: Audience) -> duckdb.DuckDBPyConnection:
        """Read-only, with everything that its views are over."""
        return read_snapshot_file(self.path, self.file(audience).name)


def make_candidate(project: Project, district: District, run_id: str) -> Candidate:
    """Copy the tables that the dbt manifest tags into a new candidate folder.

    Call it where the build is called, one at a time for each district: it opens the writer's file read-only.
    Raises PermanentError when nothing was built or a tagged table is missing, TransientError while a build is writing.
    """
    folder = project.published(district.id)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for leftover in folder.glob(f"{BUILDING_PREFIX}*"):
        shutil.rmtree(leftover)

    created_at = datetime.now(UTC)
    snapshot_id = _next_id(folder, created_at)
    building = folder / f"{BUILDING_PREFIX}{snapshot_id}"
    building.mkdir(mode=0o700)
    tagged = _tagged_tables(project.state_dir / "dbt" / district.id / "target" / MANIFEST, district.id)
    earlier = _earlier(folder)
    copied = _copy(project.warehouse(district.id), building, tagged, district.id, earlier, _cleared(earlier))
    manifest = {
        "id": snapshot_id,
        "district": district.id,
        "district_name": district.name,
        "is_simulated": district.is_simulated,
        "time_zone": district.time_zone,
        "minimum_n": district.privacy.minimum_n,
        "run_id": run_id,
        "created_at": created_at.isoformat(),
        "published_at": None,
        "data_complete_through": copied.complete_through.isoformat() if copied.complete_through else None,
        "code_version": __version__,
        "checks": None,
        "tables": copied.rows,
        "digests": copied.digests,
        "keys": {table.name: table.key for table in tagged if table.key},
        "files": {audience: describe_file(building / f"{audience}.duckdb") for audience in AUDIENCES}
        | {PARTITIONS: describe_file(building / PARTITIONS)},
        "refused": copied.refused,
        "persons": copied.persons,
        "landed_through": copied.landed_through,
        "build": copied.build,
    }
    durable.write_json(building / MANIFEST, manifest)
    candidate = Candidate(snapshot_id, folder / f"{CANDIDATE_PREFIX}{snapshot_id}", manifest)
    durable.rename(building, candidate.path)
    with writing(project.operations) as session:
        session.add(
            Snapshot(
                id=snapshot_id,
                district=district.id,
                run_id=run_id,
                status="candidate",
                created_at=created_at,
                data_complete_through=copied.complete_through,
                code_version=__version__,
            )
        )
    for older in folder.glob(f"{CANDIDATE_PREFIX}*"):
        if older != candidate.path:
            shutil.rmtree(older)
    return candidate


def _next_id(folder: Path, now: datetime) -> str:
    """The time, and always after every id in the folder: the newest snapshot is the one with the highest id."""
    taken = [path.name.removeprefix(CANDIDATE_PREFIX) for path in folder.iterdir()]
    newest = max((name for name in taken if ID_FORMAT.fullmatch(name)), default=None)
    if newest is not None:
        now = max(now, datetime.strptime(newest, _STAMP).replace(tzinfo=UTC) + timedelta(microseconds=1))
    return now.strftime(_STAMP)


def _earlier(folder: Path) -> list[Path]:
    """Snapshots and candidates in the folder, newest first: whatever of them did not change is shared."""
    found = {path.name.removeprefix(CANDIDATE_PREFIX): path for path in folder.iterdir()}
    return [found[name] for name in sorted(found, reverse=True) if ID_FORMAT.fullmatch(name)]


@dataclass(frozen=True, slots=True)
class _Cleared:
    """Leaders' tables, by digest, in which no person was found; `persons` says who was looked for, and how."""

    persons: str
    digests: Mapping[str, str]

    def has(self, persons: str, table: str, digest: str) -> bool:
        return persons == self.persons and self.digests.get(table) == digest


def _cleared(earlier: Sequence[Path]) -> _Cleared:
    """By the newest of the earlier snapshots; nothing where it does not say who was looked for."""
    with suppress(IndexError, FileNotFoundError, KeyError):
        manifest = orjson.loads((earlier[0] / MANIFEST).read_bytes())
        return _Cleared(manifest["persons"], manifest["digests"]["leaders"])
    return _Cleared("", {})


@dataclass(frozen=True, slots=True)
class _Copied:
    rows: dict[str, int]
    digests: dict[Audience, dict[str, str]]  # of each table's columns and rows, whatever the order of the rows
    refused: dict[str, list[str]]
    persons: str
    complete_through: date | None
    landed_through: int  # of the ledger's files, the newest that the last good build had seen
    build: str | None  # which build it was


@dataclass(frozen=True, slots=True)
class _Tagged:
    schema: str
    name: str
    audience: Audience
    key: list[str]
    is_by_date: bool  # person-level, and made again date by date


def _tagged_tables(path: Path, district_id: str) -> list[_Tagged]:
    try:
        nodes: Mapping[str, Any] = orjson.loads(path.read_bytes())["nodes"]
    except FileNotFoundError as error:
        raise _nothing_built(district_id) from error
    tagged = []
    for node in nodes.values():
        config = node.get("config") or {}
        meta = config.get("meta") or {}
        audience = meta.get("snapshot")
        if audience is None or config.get("materialized") == "ephemeral":
            continue
        if audience not in AUDIENCES:
            raise PermanentError(
                f"model {node['name']} has meta snapshot {audience!r}",
                remedy=f"write one of {', '.join(AUDIENCES)} in the model's YAML, or leave it out.",
                district=district_id,
            )
        is_by_date = (
            audience == "restricted"
            and config.get("materialized") == "incremental"
            and config.get("incremental_strategy") == STRATEGY
        )
        name = node.get("alias") or node["name"]
        tagged.append(_Tagged(node["schema"], name, audience, meta.get("key") or [], is_by_date))
    return sorted(tagged, key=lambda table: table.name)


def _copy(
    warehouse: Path,
    target: Path,
    tagged: list[_Tagged],
    district_id: str,
    earlier: Sequence[Path],
    cleared: _Cleared,
) -> _Copied:
    rows: dict[str, int] = {}
    digests: dict[Audience, dict[str, str]] = {audience: {} for audience in AUDIENCES}
    refused: dict[str, list[str]] = {}
    complete: list[date] = []
    persons = ""
    with _attached(warehouse, target, district_id) as connection:
        connection.execute("CREATE TEMP TABLE person (key VARCHAR)")
        partitions = PartitionWriter(connection, target, earlier, _versions(connection, warehouse))
        # The restricted ones first: they say who the people are, and no leaders' table may name one.
        for table in sorted(tagged, key=lambda table: table.audience == "leaders"):
            source = f'"{warehouse.stem}"."{table.schema}"."{table.name}"'
            try:
                described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
            except duckdb.CatalogException as error:
                raise PermanentError(
                    f"the warehouse has no table {table.schema}.{table.name}",
                    remedy="run `uptake build` to its end, then check again.",
                    district=district_id,
                ) from error
            columns = {name: kind for name, kind, *_ in described}
            keys = [key for key in READING_ORDER if key in columns]
            order = f"ORDER BY {', '.join(keys)}" if keys else ""
            copy = f'"{_alias(table.audience)}"."{table.name}"'
            if table.is_by_date:
                rows[table.name] = partitions.add(table.name, source, order, copy)
                digests[table.audience][table.name] = _digest(columns, partitions.written[table.name])
                continue
            count, *content = content_of(connection, source)
            digest = _digest(columns, [count, *content])
            if table.audience == "leaders":
                persons = persons or _persons(connection)
                is_cleared = cleared.has(persons, table.name, digest)
                if not is_cleared and (personal := _personal(connection, source, columns)):
                    refused[table.name] = personal
                    continue
            connection.execute(f"CREATE TABLE {copy} AS SELECT * FROM {source} {order}")
            rows[table.name], digests[table.audience][table.name] = count, digest
            if table.audience == "restricted" and table.name.startswith("dim_"):
                for column in (column for column in columns if PERSON_COLUMN.search(column)):
                    connection.execute(f'INSERT INTO person SELECT DISTINCT "{column}"::VARCHAR FROM {copy}')
            # A source's own date is not the date to which the answers are complete.
            if table.audience == "leaders" and "data_complete_through" in columns and "source" not in columns:
                through = _scalar(connection, f"SELECT max(data_complete_through)::DATE FROM {copy}")
                complete += [through] if through else []
        partitions.save()
        landed_through = _scalar(connection, f'SELECT coalesce(max(id), 0) FROM "{warehouse.stem}".build.done_file')
        build = name_of_last_build(connection, warehouse.stem)
    for audience in AUDIENCES:
        file = target / f"{audience}.duckdb"
        file.chmod(0o600)
        durable.sync(file)
    through = max(complete, default=None)
    return _Copied(dict(sorted(rows.items())), digests, refused, persons, through, landed_through, build)


def _digest(columns: Mapping[str, str], content: Any) -> str:
    return hashlib.sha256(json.dumps([list(columns.items()), content], sort_keys=True).encode()).hexdigest()


def _versions(connection: duckdb.DuckDBPyConnection, warehouse: Path) -> dict[date, str]:
    """What the last build to touch each date called it; nothing in a warehouse that was built before there were any."""
    try:
        found = connection.execute(f'SELECT on_date, version FROM "{warehouse.stem}".{DATE_VERSION}').fetchall()
    except duckdb.CatalogException:
        return {}
    return dict(found)


def _persons(connection: duckdb.DuckDBPyConnection) -> str:
    """A digest of who is looked for in leaders' tables, and how."""
    return _digest({}, [PERSON_COLUMN.pattern, PSEUDONYM, content_of(connection, "person")])


def _personal(connection: duckdb.DuckDBPyConnection, source: str, columns: Mapping[str, str]) -> list[str]:
    """Columns of the table that name a person: by what they are called, or by a person's key anywhere in their text."""
    named = [column for column in columns if PERSON_COLUMN.search(column)]
    texts = [column for column, kind in columns.items() if column not in named and "VARCHAR" in kind]
    if not texts:
        return named
    # One query for all columns: there are hundreds in a snapshot, and most take less time to read than to ask for.
    said = " UNION ALL ".join(
        f"""
        SELECT {place} AS place, unnest(regexp_extract_all(text, '{PSEUDONYM}')) AS key
        FROM (SELECT DISTINCT "{column}"::VARCHAR AS text FROM {source})
        """
        for place, column in enumerate(texts)
    )
    mentions = connection.execute(f"SELECT DISTINCT place FROM ({said}) SEMI JOIN person USING (key) ORDER BY place")
    return named + [texts[place] for (place,) in mentions.fetchall()]


@contextmanager
def _attached(warehouse: Path, target: Path, district_id: str) -> Iterator[duckdb.DuckDBPyConnection]:
    if not warehouse.exists():
        raise _nothing_built(district_id)
    with duckdb.connect(config={"memory_limit": MEMORY_LIMIT, "temp_directory": str(target / "spill")}) as connection:
        try:
            # Under its own name: views of the warehouse name their tables in full.
            connection.execute(f"ATTACH '{warehouse}' AS \"{warehouse.stem}\" (READ_ONLY)")
        except duckdb.IOException as error:
            raise TransientError(
                "the warehouse is being written",
                remedy="wait for the build to end; the one-slot pool of the district keeps the two apart.",
                district=district_id,
            ) from error
        for audience in AUDIENCES:
            connection.execute(f"ATTACH '{target / audience}.duckdb' AS \"{_alias(audience)}\"")
        yield connection
        for audience in AUDIENCES:
            connection.execute(f'DETACH "{_alias(audience)}"')
    shutil.rmtree(target / "spill", ignore_errors=True)


def _alias(audience: Audience) -> str:
    return f"snapshot {audience}"  # no district id has a space in it


def _scalar(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    row = connection.execute(query).fetchone()
    return row[0] if row else None


def _nothing_built(district_id: str) -> PermanentError:
    return PermanentError("nothing was built yet", remedy="run `uptake build` first.", district=district_id)
