"""Rows of a JSON answer as columns, read in C and beside other threads, the objects themselves only on demand.

A vendor's pages are alike. So the shape of one page (`pyarrow.infer_type` of its decoded document) is what the next one
is held to: Arrow's JSON reader is strict, and whatever is not of that shape, be it one number in a column of text or
one name more, is decoded the ordinary way, and gives the new shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """JSON objects, in order. table: one column for each name, an absent value being null. objects: decodes them."""

    table: pa.Table
    objects: Callable[[], list[Any]]

    def __len__(self) -> int:
        return self.table.num_rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self.objects())

    def __getitem__(self, part: slice) -> Rows:
        return Rows(self.table[part], lambda: self.objects()[part])

    def type_of(self, name: str) -> pa.DataType:
        return self.table.schema.field(name).type if name in self.table.column_names else pa.null()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Rows):
            return self.table.equals(other.table)
        return self.objects() == other

    __hash__ = None  # type: ignore[assignment]


def joined(parts: Sequence[list[Any] | Rows]) -> list[Any] | Rows:
    """One after the other; as columns if all of them are, and of one shape."""
    tables = [part.table for part in parts if isinstance(part, Rows)]
    if len(tables) == len(parts) and all(table.schema == tables[0].schema for table in tables):
        return Rows(pa.concat_tables(tables), lambda: list(chain.from_iterable(parts)))
    return list(chain.from_iterable(parts))


class RowReader:
    """Reads the answers of one walk: JSON whose outermost object holds the rows under `name`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._shape: pa.Schema | None = None

    def __call__(self, body: bytes) -> Any:
        """The document, with `Rows` under the name where they are even; raises orjson.JSONDecodeError."""
        rows = self._columns(body)
        if rows is None:
            document = orjson.loads(body)
            self._shape = _shape(document, self._name)
            rows = self._columns(body)
            if rows is None:
                return document
        return {self._name: rows}

    def _columns(self, body: bytes) -> Rows | None:
        """None where the body is not of the known shape; an answer without rows has none."""
        if self._shape is None or not body.startswith(b"{"):
            return None
        try:
            document = pa.json.read_json(
                pa.BufferReader(body),
                read_options=pa.json.ReadOptions(use_threads=False, block_size=len(body) + 1),
                parse_options=pa.json.ParseOptions(explicit_schema=self._shape, unexpected_field_behavior="error"),
            )
            document.validate(full=True)  # the reader lets through what is not UTF-8
        except pa.ArrowInvalid:
            return None
        rows = pa.concat_arrays(document.column(self._name).chunks).flatten()
        if document.num_rows != 1 or not len(rows) or rows.null_count or not _is_finite(rows):
            return None
        return Rows(pa.Table.from_struct_array(rows), lambda: orjson.loads(body)[self._name])


def _shape(document: Any, name: str) -> pa.Schema | None:
    """Names and types of a decoded document with a list of objects under `name`; None where it is uneven."""
    try:
        shape = pa.schema(list(pa.infer_type([document])))
    except (pa.ArrowException, TypeError, OverflowError):
        return None
    rows = shape.field(name).type if name in shape.names else pa.null()
    return shape if pa.types.is_list(rows) and pa.types.is_struct(rows.value_type) else None


def _is_finite(values: pa.Array) -> bool:
    """Whether there is no NaN and no Infinity anywhere: Arrow reads them, JSON has none (RFC 8259, section 6)."""
    if pa.types.is_nested(values.type):
        parts = values.flatten() if pa.types.is_struct(values.type) else [values.flatten()]
        return all(map(_is_finite, parts))
    return not pa.types.is_floating(values.type) or pc.all(pc.is_finite(values)).as_py() is not False
