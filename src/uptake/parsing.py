"""Vendors' rows -> Arrow, held to the contract: every row becomes a typed row or a `Reject`, never anything else.

Columns are typed whole; only a column that does not fit is looked at value by value, so that the cost of a clean page
is that of making its Arrow arrays. Accepted, since real vendors send them: numbers, booleans and dates as text; blank
text for an absent number, date or boolean; an integer where an identifier's text is declared.

Reasons of a reject are stable: `missing_key`, `missing_required`, `unreadable` (a row that is not an object), and
`not_string`, `not_integer`, `not_number`, `not_boolean`, `not_date`, `not_timestamp`, `not_list`, `not_object`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from operator import itemgetter
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from uptake.contracts import Batch, Field, Reject, Resource
from uptake.rows import Rows

_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_INSTANT = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_LAST_INSTANT = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_FIRST_DAY = (date.min - date(1970, 1, 1)).days
_ARROW_ERRORS = (pa.ArrowException, OverflowError, UnicodeEncodeError, ValueError, TypeError)
_MICROSECONDS = {"s": 1_000_000, "ms": 1_000, "us": 1}


class _Misfit:
    """Stands where a value could not be reached: its parent is not what the path says."""


_MISFIT = _Misfit()


def parse_records(resource: Resource, rows: Sequence[Any] | Rows) -> Batch:
    """JSON objects of one page -> Batch in `resource.schema`; `pulled == len(rows)` and the order is kept.

    Names that no field reads and that the contract does not ignore come back in `Batch.unknown`.
    """
    plan = _plan(resource)
    if isinstance(rows, Rows):
        if (batch := _from_columns(resource, plan, rows)) is not None:
            return batch
        rows = rows.objects()
    unreadable: dict[int, tuple[str, str | None]] = {}
    objects: Sequence[dict[str, Any]] = rows
    if not set(map(type, rows)) <= {dict}:
        unreadable = {index: ("unreadable", None) for index, row in enumerate(rows) if not isinstance(row, dict)}
        objects = [row if isinstance(row, dict) else {} for row in rows]
    page = _Page(objects)
    columns, faults = [], unreadable
    for field, path in zip(resource.fields, plan.paths, strict=True):
        values = page.values_at(path)
        if field.convert is not None:
            values = _converted(field.convert, values)
        column, wrong = _typed(values, field)
        columns.append(column)
        _note(faults, wrong, _reason(field.type), field.name)
    return _batch(resource, columns, faults, lambda index: _text(rows[index]), page.unknown(plan))


@lru_cache(maxsize=256)
def by_name(resource: Resource) -> Resource:
    """The same contract for records whose values stand under the fields' own names, not at the vendor's places."""
    return replace(resource, fields=tuple(replace(field, path=None, convert=None) for field in resource.fields))


@lru_cache(maxsize=256)
def keys_only(resource: Resource) -> Resource:
    """The same columns for records of which only the key is told, as of a deletion."""
    return replace(resource, fields=tuple(replace(field, required=False) for field in resource.fields))


def parse_table(
    resource: Resource,
    table: pa.Table,
    *,
    faults: Mapping[int, tuple[str, str | None]] | None = None,
    raw: Callable[[int], str] | None = None,
) -> Batch:
    """A table of text columns, named as the fields are -> Batch in `resource.schema`; `pulled == table.num_rows`.

    Blank text is absent. A field that the table has no column for is null in every row; a column that no field names
    comes back in `Batch.unknown`. A column that already has its field's type is taken as it is. `faults`: rows that
    their reader found wrong already, with reason and column. `raw`: the text of a row for its reject, where it is not
    the row of `table`.
    """
    columns: list[pa.Array] = []
    faults = dict(faults or {})
    for field in resource.fields:
        if field.name not in table.column_names:
            columns.append(pa.nulls(table.num_rows, field.type))
            continue
        column, wrong = _typed_text(one_array(table.column(field.name)), field)
        columns.append(column)
        _note(faults, wrong, _reason(field.type), field.name)
    known = {field.name for field in resource.fields} | resource.ignored
    unknown = {name: table.column(name).to_pylist() for name in table.column_names if name not in known}

    def text(index: int) -> str:
        return _text(table.slice(index, 1).to_pylist()[0])

    return _batch(resource, columns, faults, raw or text, unknown)


def _batch(
    resource: Resource,
    columns: list[pa.Array],
    faults: dict[int, tuple[str, str | None]],
    raw: Callable[[int], str],
    unknown: Mapping[str, Sequence[Any]],
) -> Batch:
    """Table of the rows without a fault, and a Reject for each of the others in the order of the rows."""
    mandatory: dict[int, tuple[str, str | None]] = {}
    for field, column in zip(resource.fields, columns, strict=True):
        if field.name in resource.key and field.name not in resource.nullable_key:
            _note(mandatory, _absent(column), "missing_key", field.name)
    for field, column in zip(resource.fields, columns, strict=True):
        if field.required and field.name not in resource.key:
            _note(mandatory, _absent(column), "missing_required", field.name)
    faults = mandatory | faults  # a value that is there and wrong says more than that its column is empty
    table = pa.Table.from_arrays(columns, schema=resource.schema)
    if not faults:
        return Batch(table, [], unknown)
    keep = [index for index in range(table.num_rows) if index not in faults]
    rejects = [Reject(*faults[index], raw=raw(index)) for index in sorted(faults)]
    kept = {name: [values[index] for index in keep] for name, values in unknown.items()}
    return Batch(table.take(pa.array(keep, pa.int64())), rejects, kept)


def _note(faults: dict[int, tuple[str, str | None]], rows: Iterable[int], reason: str, column: str) -> None:
    for row in rows:
        faults.setdefault(row, (reason, column))


def _absent(column: pa.Array) -> list[int]:
    absent = column.is_null()
    if pa.types.is_string(column.type):
        absent = pc.or_kleene(absent, pc.equal(column, "")).fill_null(True)
    return pc.indices_nonzero(absent).to_pylist() if pc.any(absent).as_py() else []


def _text(row: Any) -> str:
    try:
        return orjson.dumps(row, default=str).decode()
    except (TypeError, ValueError):  # integers beyond 64 bits, lone surrogates
        return json.dumps(row, default=str)


# --- a page, whole -----------------------------------------------------------------------------------------------


def _from_columns(resource: Resource, plan: _Plan, rows: Rows) -> Batch | None:
    """The batch of rows without a fault and without an unknown name; None where any of them needs a closer look."""
    columns = dict(zip(rows.table.column_names, map(one_array, rows.table.columns), strict=True))
    if not columns.keys() <= plan.known:
        return None
    for outer, known in plan.inner.items():
        column = columns.get(outer)
        if column is not None and pa.types.is_struct(column.type) and not {part.name for part in column.type} <= known:
            return None
    page = _Page(rows.objects()) if any(field.convert for field in resource.fields) else None
    try:
        typed = [
            _fit(_reached(columns, path, len(rows)), field.type, field.epoch)
            if page is None or field.convert is None
            else _whole(_converted(field.convert, page.values_at(path)), field)
            for field, path in zip(resource.fields, plan.paths, strict=True)
        ]
    except _ARROW_ERRORS:
        return None
    batch = _batch(resource, typed, {}, lambda index: "", {})
    return None if batch.rejects else batch


def _reached(columns: Mapping[str, pa.Array], path: Sequence[str], count: int) -> pa.Array:
    """Values at a path of one or two plain names. Raises ArrowInvalid where the path is another."""
    if len(path) > 2 or any(part.endswith("[]") for part in path):
        return _refuse()
    column = columns.get(path[0], pa.nulls(count))
    if len(path) == 1 or pa.types.is_null(column.type):
        return column
    return _part(column, path[1]) if pa.types.is_struct(column.type) else _refuse()


# --- a column, whole ---------------------------------------------------------------------------------------------


def _typed(values: list[Any], field: Field) -> tuple[pa.Array, list[int]]:
    """Array of the field's type, and the rows whose value does not fit (null in the array)."""
    try:
        return _whole(values, field), []
    except _ARROW_ERRORS:
        return _each(values, field)


def _whole(values: list[Any], field: Field) -> pa.Array:
    """The column in one go. Raises one of _ARROW_ERRORS when some value needs a closer look.

    Arrow's own conversion is trusted only where it is strict: it would cut 5.5 to 5, read False as 0.0 and split "ab"
    to a list.
    """
    kind = field.type
    if pa.types.is_string(kind):
        try:
            return pa.array(values, kind)
        except pa.ArrowTypeError:
            return pa.array(values, pa.int64()).cast(kind) if set(map(type, values)) <= {int, type(None)} else _refuse()
    if not pa.types.is_boolean(kind) and bool in set(map(type, values)):
        return _refuse()
    return _fit(pa.array(values), kind, field.epoch)


def _fit(found: pa.Array, kind: pa.DataType, epoch: str | None = None) -> pa.Array:  # noqa: PLR0911
    """JSON values of one type as `kind`. Raises one of _ARROW_ERRORS when some value needs a closer look."""
    if pa.types.is_null(found.type):
        return found.cast(kind)
    if found.type == kind and not pa.types.is_floating(kind):
        return found
    if pa.types.is_string(found.type):
        return _from_text(found, kind, epoch)
    if pa.types.is_string(kind) and pa.types.is_int64(found.type):
        return found.cast(kind)
    if pa.types.is_floating(kind) and (pa.types.is_integer(found.type) or pa.types.is_floating(found.type)):
        return _finite(found.cast(kind))
    if pa.types.is_timestamp(kind) and epoch and pa.types.is_integer(found.type):
        return _in_range(pc.multiply_checked(found, _MICROSECONDS[epoch]).cast(kind))
    if pa.types.is_list(kind) and pa.types.is_list(found.type):
        return pa.ListArray.from_arrays(found.offsets, _fit(found.values, kind.value_type), kind, mask=found.is_null())
    if pa.types.is_struct(kind) and pa.types.is_struct(found.type):
        parts = [_fit(_part(found, part.name), part.type) for part in kind]
        return pa.StructArray.from_arrays(parts, fields=list(kind), mask=found.is_null())
    return _refuse()


def _part(column: pa.Array, name: str) -> pa.Array:
    """One name's values of a struct column; null where the struct is, or has no such name."""
    return pc.struct_field(column, name) if column.type.get_field_index(name) >= 0 else pa.nulls(len(column))


def _from_text(column: pa.Array, kind: pa.DataType, epoch: str | None) -> pa.Array:
    if pa.types.is_integer(kind):
        return column.cast(kind) if _all_match(column, r"^-?[0-9]+$") else _refuse()
    if pa.types.is_floating(kind):
        return _finite(column.cast(kind))
    if pa.types.is_boolean(kind) or pa.types.is_decimal(kind):
        return column.cast(kind)
    if pa.types.is_timestamp(kind) and epoch is None:
        return _in_range(column.cast(kind))
    if pa.types.is_date32(kind):
        return _in_range(column.cast(kind))
    return _refuse()


def _refuse() -> pa.Array:
    raise pa.ArrowInvalid("some value needs a closer look")


def _all_match(column: pa.Array, pattern: str) -> bool:
    return pc.all(pc.match_substring_regex(column, pattern)).as_py() is not False


def _finite(column: pa.Array) -> pa.Array:
    return column if pc.all(pc.is_finite(column)).as_py() is not False else _refuse()


def _in_range(column: pa.Array) -> pa.Array:
    """Python's years 1 to 9999: what lies outside cannot be shown to anyone."""
    is_date = pa.types.is_date32(column.type)
    ends = pc.min_max(column.cast(pa.int32() if is_date else pa.int64())).as_py()
    first, last = (_FIRST_DAY, math.inf) if is_date else (_FIRST_INSTANT, _LAST_INSTANT)
    return column if ends["min"] is None or (ends["min"] >= first and ends["max"] <= last) else _refuse()


def _typed_text(column: pa.Array, field: Field) -> tuple[pa.Array, list[int]]:
    """As `_typed`, for text that is Arrow already: what does not fit is looked at by its distinct values."""
    if column.type == field.type and not pa.types.is_string(field.type):
        return column, []
    if not pa.types.is_string(column.type):
        column = column.cast(pa.string())
    column = emptied(column, pc.equal(column, ""))
    if pa.types.is_string(field.type):
        return column, []
    try:
        return _from_text(column, field.type, field.epoch), []
    except _ARROW_ERRORS:
        encoded = column.dictionary_encode()
        distinct, wrong = _each(encoded.dictionary.to_pylist(), field)
        result = distinct.take(encoded.indices)
        if not wrong:
            return result, []
        bad = pc.is_in(encoded.indices, pa.array(wrong, encoded.indices.type))
        return result, pc.indices_nonzero(bad).to_pylist()


def one_array(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    combined = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return pa.concat_arrays(combined.chunks) if isinstance(combined, pa.ChunkedArray) else combined


def emptied(column: pa.Array, where: pa.BooleanArray) -> pa.Array:
    """Null where it says so; the column itself, and no copy of it, where it nowhere does."""
    return pc.if_else(where, pa.scalar(None, column.type), column) if pc.any(where).as_py() else column


# --- a column, value by value ------------------------------------------------------------------------------------


def _each(values: Iterable[Any], field: Field) -> tuple[pa.Array, list[int]]:
    typed, wrong = [], []
    for row, value in enumerate(values):
        try:
            typed.append(_value(value, field.type, field.epoch))
        except (ValueError, TypeError, OverflowError, InvalidOperation):
            typed.append(None)
            wrong.append(row)
    return pa.array(typed, field.type), wrong


def _value(value: Any, kind: pa.DataType, epoch: str | None = None) -> Any:  # noqa: PLR0911, PLR0912
    """One value as its type. Raises ValueError (or a kin of it) when it does not fit."""
    if value is None:
        return None
    if pa.types.is_string(kind):
        return _string(value)
    if pa.types.is_list(kind):
        if not isinstance(value, list):
            raise ValueError("not a list")
        return [_value(item, kind.value_type) for item in value]
    if pa.types.is_struct(kind):
        if not isinstance(value, dict):
            raise ValueError("not an object")
        return {part.name: _value(value.get(part.name), part.type) for part in kind}
    if isinstance(value, str):
        value = value.strip()
        if not value:
            return None
    if isinstance(value, bool) != pa.types.is_boolean(kind) and not isinstance(value, str):
        raise ValueError("a boolean is not a number, nor a number a boolean")
    if pa.types.is_boolean(kind):
        return value if isinstance(value, bool) else _lookup(value)
    if pa.types.is_integer(kind):
        return _integer(value)
    if pa.types.is_floating(kind):
        return _number(value)
    if pa.types.is_decimal(kind):
        return _decimal(value, kind)
    if pa.types.is_date32(kind):
        return date.fromisoformat(_shaped(value, r"[0-9]{4}-[0-9]{2}-[0-9]{2}"))
    if pa.types.is_timestamp(kind):
        return _instant(value, epoch)
    raise TypeError(f"no field may have the type {kind}")


def _string(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise ValueError("not text")
    value.encode()  # a lone surrogate cannot be stored
    return value


def _shaped(value: Any, pattern: str | re.Pattern[str]) -> str:
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise ValueError("not of the declared form")
    return value


def _lookup(value: str) -> bool:
    found = _BOOLEANS.get(value.lower())
    if found is None:
        raise ValueError("not a boolean")
    return found


def _integer(value: Any) -> int:
    if isinstance(value, float):
        if not value.is_integer() or abs(value) > 2**53:
            raise ValueError("not a whole number")
        value = int(value)
    number = value if isinstance(value, int) else int(_shaped(value, _INTEGER))
    if not -(2**63) <= number < 2**63:
        raise ValueError("beyond 64 bits")
    return number


def _number(value: Any) -> float:
    number = float(value) if isinstance(value, int | float) else float(_shaped(value, _NUMBER))
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return number


def _decimal(value: Any, kind: pa.DataType) -> Decimal:
    number = Decimal(str(value)) if isinstance(value, int | float) else Decimal(_shaped(value, _NUMBER))
    exact = number.quantize(Decimal(1).scaleb(-kind.scale))
    if exact != number or len(exact.as_tuple().digits) > kind.precision:
        raise ValueError("more digits than the column holds")
    return exact


def _instant(value: Any, epoch: str | None) -> datetime:
    if epoch is not None:
        return _EPOCH + timedelta(microseconds=_integer(value) * _MICROSECONDS[epoch])
    if not isinstance(value, str):
        raise ValueError("not a time")
    instant = datetime.fromisoformat(value)
    if instant.tzinfo is None:
        raise ValueError("a time without its zone could be any of many")
    return instant.astimezone(UTC)


def _reason(kind: pa.DataType) -> str:
    names: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
        (pa.types.is_string, "string"),
        (pa.types.is_integer, "integer"),
        (pa.types.is_boolean, "boolean"),
        (pa.types.is_date32, "date"),
        (pa.types.is_timestamp, "timestamp"),
        (pa.types.is_list, "list"),
        (pa.types.is_struct, "object"),
    )
    return "not_" + next((name for is_kind, name in names if is_kind(kind)), "number")


# --- where a value stands in a vendor's JSON ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Plan:
    paths: tuple[tuple[str, ...], ...]
    known: frozenset[str]
    inner: Mapping[str, frozenset[str]]  # objects that are read into: their known names


@lru_cache(maxsize=256)
def _plan(resource: Resource) -> _Plan:
    paths = tuple(tuple((field.path or field.name).split(".")) for field in resource.fields)
    ignored = [name.split(".", 1) for name in resource.ignored]
    inner: dict[str, set[str]] = {}
    for path in paths:
        if len(path) > 1 and not path[0].endswith("[]"):
            inner.setdefault(path[0], set()).add(path[1].removesuffix("[]"))
    for name in ignored:
        if len(name) > 1 and name[0] in inner:
            inner[name[0]].add(name[1])
    whole = {path[0] for path in paths if len(path) == 1} | {name[0] for name in ignored if len(name) == 1}
    return _Plan(
        paths=paths,
        known=frozenset({path[0].removesuffix("[]") for path in paths} | {name[0] for name in ignored}),
        inner={name: frozenset(names) for name, names in inner.items() if name not in whole},
    )


class _Page:
    """Objects of one page. What lies one level down is reached once, for all that is read there."""

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self._rows = rows
        self._inner: dict[str, tuple[list[Any], bool]] = {}

    def values_at(self, path: tuple[str, ...]) -> list[Any]:
        lists = [part for part in path if part.endswith("[]")]
        if lists == [path[0]] and len(path) == 2:
            return _each_in_list(self._rows, path)
        if lists or len(path) > 2:
            return [_reach(row, path) for row in self._rows]
        if len(path) == 1:
            return _all(self._rows, path[0])
        objects, is_plain = self._inside(path[0])
        return _all(objects, path[1]) if is_plain else [_reach(inner, path[1:]) for inner in objects]

    def unknown(self, plan: _Plan) -> dict[str, list[Any]]:
        """Values of names that the contract does not have, `outer.name` for those in an object that it reads into."""
        names = set().union(*self._rows)
        unknown = {name: [row.get(name) for row in self._rows] for name in sorted(names - plan.known)}
        for outer, known in plan.inner.items():
            objects, is_plain = self._inside(outer)
            if not is_plain:
                objects = [inner if isinstance(inner, dict) else {} for inner in objects]
            for name in sorted(set().union(*objects) - known):
                unknown[f"{outer}.{name}"] = [inner.get(name) for inner in objects]
        return unknown

    def _inside(self, outer: str) -> tuple[list[Any], bool]:
        """The objects under a name, and whether there is one in every row."""
        if outer not in self._inner:
            objects = _all(self._rows, outer)
            self._inner[outer] = objects, set(map(type, objects)) <= {dict}
        return self._inner[outer]


def _all(objects: Sequence[dict[str, Any]], name: str) -> list[Any]:
    try:
        return list(map(itemgetter(name), objects))
    except KeyError:
        return [each.get(name) for each in objects]


def _each_in_list(rows: Sequence[dict[str, Any]], path: tuple[str, ...]) -> list[Any]:
    lists = [row.get(path[0].removesuffix("[]")) for row in rows]
    if not set(map(type, lists)) <= {list, type(None)}:
        return [_reach(row, path) for row in rows]
    try:
        return [None if items is None else [item[path[1]] for item in items] for items in lists]
    except (KeyError, TypeError):
        return [_reach(row, path) for row in rows]


def _reach(value: Any, path: Sequence[str]) -> Any:
    for place, part in enumerate(path):
        if value is None:
            return None
        if not isinstance(value, dict):
            return _MISFIT
        value = value.get(part.removesuffix("[]"))
        if part.endswith("[]") and value is not None:
            return [_reach(item, path[place + 1 :]) for item in value] if isinstance(value, list) else _MISFIT
    return value


def _converted(convert: Callable[[Any], Any], values: list[Any]) -> list[Any]:
    converted = []
    for value in values:
        try:
            converted.append(None if value is None else convert(value))
        except (ValueError, TypeError, AttributeError, KeyError):
            converted.append(_MISFIT)
    return converted
