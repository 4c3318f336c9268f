"""Lines of a log -> columns, many lines at once. A line that is broken costs itself and no other.

Fields are counted from 0. What a line holds behind the last field that is known comes back as `field_<n>`.
"""

from __future__ import annotations

import collections
import csv
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from uptake.contracts import TIMESTAMP
from uptake.parsing import one_array
from uptake.sources.dropfolder.values import instants

_FIRST_LINES = 200
_WIDEST = 500
_KEY_CHARACTERS = 32
_PLAIN = r"^[1-9]\d{3}-\d\d-\d\d \d\d:\d\d:\d\d$"


@dataclass(frozen=True, slots=True)
class Split:
    """`table`: text columns of the lines that could be split, an empty value being null. `places`: which lines those
    are. `faults`: reason, by line, for the others."""

    table: pa.Table
    places: pa.Array
    faults: dict[int, str]

    def field(self, name: str) -> pa.Array:
        return one_array(self.table.column(name))


def usual_width(lines: Sequence[str], delimiter: str = ",") -> int:
    """How many fields most of the first lines have. 0 where there is no line that could be split."""
    widths: collections.Counter[int] = collections.Counter()
    for line in lines[:_FIRST_LINES]:
        fields = fields_of(line, delimiter)
        if fields is not None and len(fields) <= _WIDEST:
            widths[len(fields)] += 1
    return max(widths, key=lambda width: (widths[width], width), default=0)


def split(lines: pa.Array, delimiter: str, width: int, wanted: Sequence[int]) -> Split:
    """Delimited lines of `width` fields each -> the wanted ones, named 0, 1, ...

    A quotation mark that is not closed ends with its line: lines are held apart before they are split.
    """
    names = [str(place) for place in wanted]
    is_odd = pc.equal(pc.bit_wise_and(pc.count_substring(lines, '"'), 1), 1)
    places = pc.indices_nonzero(pc.invert(is_odd)).cast(pa.int64())
    faults = dict.fromkeys(pc.indices_nonzero(is_odd).to_pylist(), "unclosed_quote")
    if not len(places):
        return Split(_empty(names), places, faults)
    even = lines.take(places)
    wrong: list[int] = []

    def note(row: pacsv.InvalidRow) -> str:
        wrong.append(row.number - 1)
        return "skip"

    body = pc.binary_join(pa.ListArray.from_arrays(pa.array([0, len(even)], pa.int32()), even), "\n")[0].as_buffer()
    try:
        table = pacsv.read_csv(
            pa.BufferReader(body),
            read_options=pacsv.ReadOptions(
                column_names=[str(place) for place in range(width)], block_size=body.size + 1, use_threads=False
            ),
            parse_options=pacsv.ParseOptions(delimiter=delimiter, ignore_empty_lines=False, invalid_row_handler=note),
            convert_options=pacsv.ConvertOptions(
                include_columns=names,
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid:
        return _one_by_one(lines, delimiter, width, wanted)
    if table.num_rows + len(wrong) != len(even):  # a quotation mark within a line has swallowed the next one after all
        return _one_by_one(lines, delimiter, width, wanted)
    if wrong:
        faults |= dict.fromkeys(places.take(pa.array(wrong, pa.int64())).to_pylist(), "wrong_column_count")
        is_right = pc.invert(pc.is_in(pa.array(range(len(even)), pa.int64()), pa.array(wrong, pa.int64())))
        places = places.filter(is_right)
    return Split(table, places, faults)


def _one_by_one(lines: pa.Array, delimiter: str, width: int, wanted: Sequence[int]) -> Split:
    rows: list[list[str | None]] = []
    places: list[int] = []
    faults: dict[int, str] = {}
    for place, line in enumerate(lines.to_pylist()):
        fields = fields_of(line, delimiter)
        if fields is None or len(fields) != width:
            faults[place] = "unclosed_quote" if fields is None else "wrong_column_count"
            continue
        places.append(place)
        rows.append([fields[column] or None for column in wanted])
    columns = [pa.array([row[number] for row in rows], pa.string()) for number in range(len(wanted))]
    return Split(pa.table(columns, names=[str(place) for place in wanted]), pa.array(places, pa.int64()), faults)


def fields_of(line: str, delimiter: str) -> list[str] | None:
    """The fields of one line; None where a quotation mark is not closed."""
    try:
        rows = list(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def _empty(names: Sequence[str]) -> pa.Table:
    return pa.table({name: pa.array([], pa.string()) for name in names})


def in_blanks(lines: pa.Array, count: int) -> tuple[pa.Array, pa.Array]:
    """Fields between blanks as lists, of the lines that have `count` of them at least, with what is behind those as one
    more; and which lines these are."""
    parts = pc.ascii_split_whitespace(pc.ascii_trim_whitespace(lines), max_splits=count)
    has_all = pc.greater_equal(pc.list_value_length(parts), count)
    return parts.filter(has_all), pc.indices_nonzero(has_all).cast(pa.int64())


def matched(lines: pa.Array, pattern: str) -> Split:
    """Lines of a regular expression (RE2) with named groups. An empty or `-` group is null."""
    found = pc.extract_regex(lines, pattern)
    places = pc.indices_nonzero(found.is_valid()).cast(pa.int64())
    faults = dict.fromkeys(pc.indices_nonzero(found.is_null()).to_pylist(), "unreadable")
    found = found.take(places)
    columns = {field.name: nothing(pc.struct_field(found, field.name)) for field in found.type}
    return Split(pa.table(columns), places, faults)


def nothing(text: pa.Array) -> pa.Array:
    """Null for an empty text and for the `-` by which logs say so."""
    return pc.if_else(pc.is_in(text, pa.array(["", "-"])), pa.scalar(None, pa.string()), text)


def by_distinct(column: pa.Array, convert: Callable[[list[str | None]], pa.Array]) -> pa.Array:
    """`convert` of the distinct values, put back in their places."""
    encoded = column.dictionary_encode()
    return convert(encoded.dictionary.to_pylist()).take(encoded.indices)


def times(text: pa.Array, formats: tuple[str, ...], zone: str) -> tuple[pa.Array, list[int]]:
    """Texts as UTC instants, and the rows that are none. A log says the same second many times: each is read once."""
    encoded = text.dictionary_encode()
    wrong: dict[str, list[int]] = {}
    distinct = _plain_utc(encoded.dictionary) if zone == "UTC" and not formats else None
    if distinct is None:
        distinct, wrong = instants(encoded.dictionary, formats, zone)
    result = distinct.cast(TIMESTAMP).take(encoded.indices)
    bad = sorted({row for rows in wrong.values() for row in rows})
    if not bad:
        return result, []
    return result, pc.indices_nonzero(pc.is_in(encoded.indices, pa.array(bad, encoded.indices.type))).to_pylist()


def _plain_utc(text: pa.Array) -> pa.Array | None:
    """Times all written `2026-02-03 15:00:00`, read in one go; None for any others."""
    if pc.all(pc.match_substring_regex(text, _PLAIN)).as_py() is False:
        return None
    try:
        return text.cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        return None


def event_keys(lines: pa.Array, key: bytes) -> pa.Array:
    """Keyed BLAKE2b of each whole line, 32 hex characters: what stands for an event that has no id of its own."""
    blake2b, size = hashlib.blake2b, _KEY_CHARACTERS // 2
    digests = [blake2b(line, digest_size=size, key=key).digest() for line in lines.cast(pa.binary()).to_pylist()]
    starts = np.arange(len(digests) + 1, dtype=np.int32) * _KEY_CHARACTERS
    return pa.StringArray.from_buffers(
        len(digests), pa.py_buffer(starts), pa.py_buffer(b"".join(digests).hex().encode())
    )
