"""Rows of a dialect's CSV files -> batches of the model.

Most files are the model's own table with other column names. Three need more: the roles of users may stand in a file of
their own, School Data Sync's enrolments have neither id nor school, and its demographics list races as words.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from uptake.contracts import Batch, Reject, Resource
from uptake.parsing import by_name, one_array, parse_records, parse_table
from uptake.sources.dropfolder.readers import TextBatch
from uptake.sources.oneroster.sheets import EXTENSION, Dialect

Texts = Iterable[TextBatch]
Row = dict[str, Any]

_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_RACES = (
    *("americanIndianOrAlaskaNative", "asian", "blackOrAfricanAmerican", "nativeHawaiianOrOtherPacificIslander"),
    *("white", "demographicRaceTwoOrMoreRaces"),
)
_ETHNICITY = "hispanicOrLatinoEthnicity"
_TRUE = ("true", "1")
ROLE_ROW = "role_row"


@dataclass(frozen=True, slots=True)
class Shaping:
    """row_key: the district's key for ids of rows that have none. is_change: the files hold only what changed."""

    dialect: Dialect
    row_key: bytes
    is_change: bool


def batches(resource: Resource, sheets: Sequence[Texts], shaping: Shaping) -> Iterator[Batch]:
    """`sheets`: rows of the dialect's files of the resource, in its order. Rows of the first file and, of users, role
    rows of nobody: each is in the table or a reject of some batch."""
    shape = _SDS_SHAPES.get(resource.name) if shaping.dialect.is_sds else None
    if resource.name == "users":
        yield from _users(resource, sheets, shaping)
    elif shape is not None:
        yield from shape(resource, sheets, shaping)
    else:
        for text in sheets[0]:
            yield _batch(resource, text, _named(resource, text.table))


def reparsed(resource: Resource, raws: Sequence[str], dialect_has_role_file: bool) -> Batch:
    """Rows that were rejected once, read with the present contract. What is no row of the model, such as a line with
    too many columns or a role of nobody, cannot come back alone."""
    rows, lost = [], []
    for raw in raws:
        row = _record(raw)
        if row is None:
            lost.append(Reject("not_replayable", None, raw))
        elif ROLE_ROW in row:
            lost.append(Reject("unknown_user", "roles", raw))
        elif resource.name == "users" and dialect_has_role_file and "roles" not in row:
            lost.append(Reject("roles_not_sent", "roles", raw))
        else:
            rows.append(row)
    batch = parse_records(by_name(resource), rows)
    batch.rejects.extend(lost)
    return batch


def _record(raw: str) -> Row | None:
    try:
        record = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    return record if isinstance(record, dict) else None


def _batch(resource: Resource, text: TextBatch, columns: Mapping[str, pa.Array]) -> Batch:
    batch = parse_table(resource, pa.table(dict(columns)))
    batch.rejects = [*text.rejects, *batch.rejects]
    return batch


def _named(resource: Resource, table: pa.Table) -> dict[str, pa.Array]:
    """Columns that are read: lists split, days as moments where a moment is declared. Extensions are unknown columns
    of a resource that reads some, and known and not read in all others, as over REST."""
    types = {field.name: field.type for field in resource.fields}
    reads_extensions = any(name.startswith("metadata_") for name in types)
    columns = {}
    for name in table.column_names:
        if name.startswith("unread_") or (name.casefold().startswith(EXTENSION) and not reads_extensions):
            continue
        column, kind = one_array(table.column(name)), types.get(name, pa.string())
        if pa.types.is_list(kind):
            column = _split(column)
        elif pa.types.is_timestamp(kind):
            column = pc.if_else(
                pc.match_substring_regex(column, _DAY),
                pc.binary_join_element_wise(column, "T00:00:00Z", ""),
                column,
            )
        columns[name] = column
    return columns


def _split(text: pa.Array) -> pa.Array:
    """`03, 04` -> [03, 04]; nothing stays null."""
    parts = pc.split_pattern(text, ",")
    values = pc.utf8_trim_whitespace(parts.values)
    if pc.any(pc.equal(values, "")).as_py():
        words = [None if cell is None else [part.strip() for part in cell.split(",")] for cell in text.to_pylist()]
        return pa.array([each and [word for word in each if word] for each in words], pa.list_(pa.string()))
    return pa.ListArray.from_arrays(parts.offsets, values, pa.list_(pa.string()), mask=parts.is_null())


# --- users -------------------------------------------------------------------------------------------------------


def _users(resource: Resource, sheets: Sequence[Texts], shaping: Shaping) -> Iterator[Batch]:
    """A user with all of the roles. In a file of changes a user who comes without a role row is held back: the roles
    that are held would be lost."""
    roles, rejects = _roles_by_user(sheets[1], shaping) if len(sheets) > 1 else (None, [])
    seen: set[str | None] = set()
    for text in sheets[0]:
        rows, held_back = [], []
        for row in pa.table(_named(resource, text.table)).to_pylist():
            user = row.get("sourcedId")
            seen.add(user)
            if roles is None:
                rows.append(_with_roles_of_columns(row, shaping.dialect))
            elif shaping.is_change and user not in roles and row.get("status") != "tobedeleted":
                held_back.append(Reject("roles_not_sent", "roles", orjson.dumps(row).decode()))
            else:
                rows.append(_with_roles(row, roles.get(user or "", [])))
        batch = parse_records(by_name(resource), rows)
        batch.rejects = [*text.rejects, *rejects, *held_back, *batch.rejects]
        rejects = []
        yield batch
    of_nobody = [
        Reject("unknown_user", "roles", orjson.dumps({"sourcedId": user, ROLE_ROW: role}).decode())
        for user, held in (roles or {}).items()
        if user not in seen
        for role in held
    ]
    if rejects or of_nobody:
        yield Batch(resource.schema.empty_table(), [*rejects, *of_nobody])


def _roles_by_user(texts: Texts, shaping: Shaping) -> tuple[dict[str, list[Row]], list[Reject]]:
    roles: dict[str, list[Row]] = {}
    rejects: list[Reject] = []
    for text in texts:
        rejects.extend(text.rejects)
        for row in text.table.to_pylist():
            user = row.get("user")
            if not user:
                rejects.append(Reject("unknown_user", "roles", orjson.dumps({ROLE_ROW: row}).decode()))
            elif row.get("status") == "tobedeleted":
                roles.setdefault(user, [])
            else:
                roles.setdefault(user, []).append(_role(row, shaping.dialect))
    return roles, rejects


def _role(row: Row, dialect: Dialect) -> Row:
    kind = row.get("roleType")
    if kind is None:
        kind = "primary" if (row.get("isPrimary") or "").casefold() in _TRUE else "secondary"
    return {
        "role": _decapitalised(row.get("role")) if dialect.is_sds else row.get("role"),
        "roleType": kind,
        "org_sourcedId": row.get("org_sourcedId"),
        "beginDate": row.get("beginDate"),
        "endDate": row.get("endDate"),
        "grade": row.get("grade"),
    }


def _with_roles(row: Row, roles: list[Row]) -> Row:
    """School Data Sync gives a grade with each role, and the primary organisation by the role that is primary."""
    primary = next((role["org_sourcedId"] for role in roles if role["roleType"] == "primary"), None)
    grades = list(dict.fromkeys(role["grade"] for role in roles if role["grade"]))
    return row | {
        "roles": [{name: value for name, value in role.items() if name != "grade"} for role in roles] or None,
        "primaryOrg_sourcedId": row.get("primaryOrg_sourcedId") or primary,
        "grades": row.get("grades") or grades or None,
    }


def _with_roles_of_columns(row: Row, dialect: Dialect) -> Row:
    """One role in each of the organisations; the first is taken for the primary one."""
    role, orgs = row.pop("role", None), row.pop("orgSourcedIds", None)
    role = _decapitalised(role) if dialect.is_sds else role
    places = [org.strip() for org in (orgs or "").split(",") if org.strip()] or [None]
    roles = [
        {"role": role, "roleType": "secondary" if number else "primary", "org_sourcedId": org}
        for number, org in enumerate(places)
    ]
    return row | {"roles": roles if role else None, "primaryOrg_sourcedId": places[0]}


def _decapitalised(text: str | None) -> str | None:
    """School Data Sync's words are compared without regard to capital letters; the model's begin with a small one."""
    return text[:1].lower() + text[1:] if text else text


# --- School Data Sync --------------------------------------------------------------------------------------------


def _sds_enrollments(resource: Resource, sheets: Sequence[Texts], shaping: Shaping) -> Iterator[Batch]:
    """The school is the class's. The id is a keyed hash of class, user and role: it says nothing of the user."""
    classes = pa.concat_tables([text.table.select(["sourcedId", "school_sourcedId"]) for text in sheets[1]])
    known, schools = one_array(classes.column("sourcedId")), one_array(classes.column("school_sourcedId"))
    for text in sheets[0]:
        columns = _named(resource, text.table)
        columns["role"] = pa.array([_decapitalised(role) for role in columns["role"].to_pylist()], pa.string())
        columns["school_sourcedId"] = schools.take(pc.index_in(columns["class_sourcedId"], value_set=known))
        parts = (columns[name].to_pylist() for name in ("class_sourcedId", "user_sourcedId", "role"))
        ids = [_keyed(shaping.row_key, row) for row in zip(*parts, strict=True)]
        columns["sourcedId"] = pa.array(ids, pa.string())
        yield _batch(resource, text, columns)


def _keyed(key: bytes, parts: Sequence[str | None]) -> str:
    text = "\x1f".join(["enrollment", *(part or "" for part in parts)])
    return hmac.digest(key, text.encode(), hashlib.sha256)[:16].hex()


def _sds_demographics(resource: Resource, sheets: Sequence[Texts], shaping: Shaping) -> Iterator[Batch]:
    """Races by their words; where none is given, none is known. A word that is no race of the model is counted in the
    batch's note."""
    for text in sheets[0]:
        columns = _named(resource, text.table)
        races = _split(columns.pop("raceCodes", pa.nulls(text.table.num_rows, pa.string()))).to_pylist()
        ethnicity = _split(columns.pop("ethnicityCodes", pa.nulls(text.table.num_rows, pa.string()))).to_pylist()
        for name, lists in [*((race, races) for race in _RACES), (_ETHNICITY, ethnicity)]:
            columns[name] = pa.array([_has(words, name) for words in lists], pa.bool_())
        batch = _batch(resource, text, columns)
        known = {name.casefold() for name in _RACES}
        strange = sum(any(word.casefold() not in known for word in words or ()) for words in races)
        if strange:
            batch.note = f"{strange} rows of demographics name a race that the model does not have; it was not taken."
        yield batch


def _has(words: list[str] | None, name: str) -> bool | None:
    return None if not words else name.casefold() in {word.casefold() for word in words}


_SDS_SHAPES: Mapping[str, Callable[[Resource, Sequence[Texts], Shaping], Iterator[Batch]]] = {
    "enrollments": _sds_enrollments,
    "demographics": _sds_demographics,
}
