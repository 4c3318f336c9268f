"""Files of every format -> tables of text, one column for each of the mapping's and each unknown one.

A reader raises FileRefused where the whole file is wrong, and gives back the rows whose shape is wrong beside those
that it could read. It types nothing: that is `values.parse_text`'s work.
"""

from __future__ import annotations

import collections
import csv
import difflib
import functools
import io
import itertools
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from uptake.contracts import Batch, Reject, Resource
from uptake.sources.dropfolder.content import (
    GZIP,
    IN_MEMORY,
    FileRefused,
    NotUtf8,
    Readable,
    Text,
    assumed_utf8,
    chunks,
    inspect,
)
from uptake.sources.dropfolder.mapping import Column, Mapping, fingerprint, normalised
from uptake.sources.paging import ahead

DELIMITERS = (",", ";", "\t", "|")
_BLOCK = 8 << 20
_LARGE_BLOCK = 64 << 20
_LINES_BYTES = 8 << 20  # of text at once: memory for more is given back after each block, and has to be asked for anew
_LARGEST_WORKBOOK = 2 << 30
_XLSX_ROWS = 50_000
_PARQUET_ROWS = 200_000
_PARQUET_END = b"PAR1"
_SENTINEL = "\x1eend of the file\x1e"


@dataclass(slots=True)
class TextBatch:
    """`table`: text columns under the mapping's names, and unknown ones under their own header."""

    table: pa.Table
    rejects: list[Reject] = field(default_factory=list)


def format_of(path: Readable, mapping: Mapping) -> str:
    if mapping.format != "auto":
        return mapping.format
    name = path.name.casefold().removesuffix(".gz")
    endings = {"csv": "csv", "tsv": "csv", "txt": "csv", "xlsx": "xlsx", "ndjson": "ndjson", "jsonl": "ndjson"}
    endings |= {"json": "ndjson", "parquet": "parquet"}
    found = endings.get(name.rpartition(".")[2])
    if found is None:
        raise FileRefused("unknown_format", "the file's name does not tell its format: set `format` in the mapping")
    return found


def read_text(path: Readable, mapping: Mapping, *, assumes_utf8: bool = False) -> Iterator[TextBatch]:
    """The file's rows, in their order. Raises FileRefused; a row that was given out before may then be a part of a bad
    file, so a caller uses nothing until the file has been read to its end.

    assumes_utf8: do not read a large file of lines twice only to learn its encoding. Raises NotUtf8 where that was
    wrong; without the assumption its rows can be read.
    """
    kind = format_of(path, mapping)
    if kind == "csv":
        return _read_csv(path, mapping)
    if not isinstance(path, Path):
        raise FileRefused("unknown_format", "only CSV is read out of a zip")
    if kind == "ndjson":
        return _read_ndjson(path, mapping, assumes_utf8)
    return _READERS[kind](path, mapping)


def read_whole(path: Readable, mapping: Mapping) -> Iterable[TextBatch]:
    """Rows of a file that was read to its end without a fault: held, or to be read again where they are many."""
    held: list[TextBatch] | None = []
    size = 0
    for text in read_text(path, mapping):
        size += text.table.nbytes
        if held is not None:
            held.append(text)
            held = held if size <= IN_MEMORY else None
    return read_text(path, mapping) if held is None else held


def refused(resource: Resource, name: str, refusal: FileRefused) -> Batch:
    """One reject that stands for the whole file `name`: what was given of it before does not count."""
    sentence = f"{name}: {refusal.message}."
    reject = Reject(refusal.reason, None, sentence)
    return Batch(resource.schema.empty_table(), [reject], note=f"Refused {sentence}", starts_over=True)


def ends_early(path: Path, mapping: Mapping) -> bool:
    """Whether the file looks cut: a gzip, workbook or Parquet file whose end is not there (yet)."""
    try:
        kind = format_of(path, mapping)
        if kind in ("csv", "ndjson"):
            return gzip_ends_early(path)
        with plain_file(path) as plain:
            return not zipfile.is_zipfile(plain) if kind == "xlsx" else not _has_parquet_end(plain)
    except FileRefused as refusal:
        return refusal.ends_early


def gzip_ends_early(path: Path) -> bool:
    """Whether a gzipped text lacks its end; a plain one has none."""
    with path.open("rb") as file:
        is_gzip = file.read(len(GZIP)) == GZIP
    try:
        if is_gzip:
            collections.deque(chunks(path), maxlen=0)
    except FileRefused as refusal:
        return refusal.ends_early
    return False


# --- the header --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Header:
    """names: what each column of the file is called in the table; None for one without a title."""

    names: tuple[str | None, ...]


def match_header(mapping: Mapping, titles: Sequence[str], *, is_sparse: bool = False) -> Header:
    """Hold a file's titles to the mapping. Raises FileRefused `changed_header` that says what changed.

    is_sparse: the format leaves out what is null (NDJSON), so only required columns must be there.
    """
    found = [normalised(title) for title in titles]
    known = {normalised(header): column for column in _in_file(mapping) for header in column.headers}
    here = {known[title].name for title in found if title in known}
    if not here:
        raise FileRefused(
            "changed_header",
            "none of the declared columns is there: the header row is missing, or this is another file"
            + (f" (declared: {', '.join(known)})" if len(known) <= 20 else ""),
        )
    missing = [
        column.headers[0]
        for column in _in_file(mapping)
        if column.name not in here and not column.may_be_absent and (column.required or not is_sparse)
    ]
    new = [title for title, name in zip(titles, found, strict=True) if name and name not in known]
    twice = sorted({name for name in found if name and found.count(name) > 1})
    changes = _changes(missing, [title for title in new if not mapping.allows(title)], twice)
    if not changes and mapping.header_sha256 and fingerprint(titles) != mapping.header_sha256:
        changes = ["the columns are another set, or stand in another order, than header_sha256 was made of"]
    if changes:
        raise FileRefused("changed_header", "; ".join(changes))
    taken = {column.name for column in mapping.columns}
    names: list[str | None] = []
    for title, name in zip(titles, found, strict=True):
        own = f"{title} (unknown)" if title in taken else title
        names.append(known[name].name if name in known else own if name else None)
    return Header(tuple(names))


def _changes(missing: list[str], new: list[str], twice: list[str]) -> list[str]:
    changes = []
    by_name = {normalised(title): title for title in new}
    for title in missing:
        cutoff = 0.0 if len(missing) == len(new) == 1 else 0.6  # one for one is a guess worth making
        close = difflib.get_close_matches(normalised(title), by_name, n=1, cutoff=cutoff)
        changes.append(f"missing: {title}" + (f" (renamed to {by_name[close[0]]}?)" if close else ""))
    changes += [f"new: {title}" for title in new]
    changes += [f"twice: {name}" for name in twice]
    return changes


def _in_file(mapping: Mapping) -> list[Column]:
    return [column for column in mapping.columns if not column.from_file_name]


# --- CSV ---------------------------------------------------------------------------------------------------------


def _read_csv(path: Readable, mapping: Mapping) -> Iterator[TextBatch]:
    text = inspect(path, mapping.encoding)
    delimiter, titles, skip = _csv_header(text, mapping)
    names = match_header(mapping, titles).names
    for table, rejects in _rows(text, delimiter, len(titles), skip):
        yield _named(table, names, rejects, is_damaged=text.is_damaged)


def _csv_header(text: Text, mapping: Mapping) -> tuple[str, list[str], int]:
    """(delimiter, titles, bytes of UTF-8 up to the first row), by the delimiter that shows most declared columns."""
    candidates = DELIMITERS if mapping.delimiter == "auto" else (mapping.delimiter,)
    known = {normalised(header) for column in _in_file(mapping) for header in column.headers}
    sample = text.sample()
    best: tuple[tuple[int, int], str, list[str], int] | None = None
    for delimiter in candidates:
        titles, skip = _first_record(sample, delimiter, mapping.skip_lines)
        score = (len(known & {normalised(title) for title in titles}), len(titles))
        if titles and (best is None or score > best[0]):
            best = (score, delimiter, titles, skip)
    if best is None:
        raise FileRefused("empty", "there is no header row")
    return best[1:]


def _first_record(sample: str, delimiter: str, skip_lines: int) -> tuple[list[str], int]:
    passed: list[str] = []

    def counted() -> Iterator[str]:
        for number, line in enumerate(io.StringIO(sample, newline="")):
            passed.append(line)
            if number >= skip_lines:
                yield line

    try:
        for record in csv.reader(counted(), delimiter=delimiter):
            if any(title.strip() for title in record):
                return record, len("".join(passed).encode("utf-8", "replace"))
    except csv.Error:  # a title that is longer than any title: this is no such text
        return [], 0
    return [], 0


Rows = tuple[pa.Table, list[Reject]]


def _rows(text: Text, delimiter: str, width: int, skip: int) -> Iterator[Rows]:
    """Rows of a delimited text, columns named 0, 1, ...

    A row of our own is put behind the last one: where it does not come out again, a quotation mark was opened and never
    closed, and has swallowed rows. Raises FileRefused.
    """
    names = [str(place) for place in range(width)]
    sentinel = f"\n{_SENTINEL}{delimiter * (width - 1)}\n".encode()
    is_whole = False
    for table, rejects in _blocks(text, names, delimiter, skip=skip, sentinel=sentinel):
        if is_whole:
            raise FileRefused("unreadable", "the mark of the end of a file stands inside it")
        if table.num_rows and table.column("0")[-1].as_py() == _SENTINEL:
            is_whole = True
            table = table.slice(0, table.num_rows - 1)  # noqa: PLW2901
        if table.num_rows or rejects:
            yield table, rejects
    if not is_whole:
        raise FileRefused("unclosed_quote", "a quotation mark is opened and never closed")


def _blocks(text: Text, names: list[str], delimiter: str, *, skip: int, sentinel: bytes) -> Iterator[Rows]:
    """A row that is longer than a block, or a stray quotation mark, upsets Arrow's cutting of the text into blocks: a
    text that is held is then read as one block, a larger one is refused."""

    def parsed(block: int) -> Iterator[Rows]:
        with text.utf8(sentinel=sentinel, skip=skip) as stream:
            yield from _parsed(stream, names, delimiter, block)

    whole = text.size * 3 + len(sentinel) + 16  # UTF-8 of a one-byte encoding is at most three times as long
    try:
        if text.held is None:
            yield from parsed(_LARGE_BLOCK)
            return
        try:
            found = list(parsed(_BLOCK))
        except pa.ArrowInvalid:
            found = list(parsed(whole))
    except pa.ArrowInvalid as error:
        raise FileRefused("unreadable", "its rows cannot be told apart") from error
    yield from found


def _parsed(stream: BinaryIO, names: list[str], delimiter: str, block: int) -> Iterator[Rows]:
    rejects: list[Reject] = []

    def keep(row: pacsv.InvalidRow) -> str:
        rejects.append(Reject("wrong_column_count", None, row.text))
        return "skip"

    reader = pacsv.open_csv(
        stream,
        read_options=pacsv.ReadOptions(column_names=names, block_size=block, use_threads=False),
        parse_options=pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=keep),
        convert_options=pacsv.ConvertOptions(
            column_types={name: pa.string() for name in names},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )
    for batch in reader:
        found, rejects = rejects, []
        yield pa.Table.from_batches([batch]), found
    if rejects:
        yield pa.table({name: pa.array([], pa.string()) for name in names}), rejects


def _named(
    table: pa.Table, names: Sequence[str | None], rejects: list[Reject], *, is_damaged: bool = False
) -> TextBatch:
    """Columns under their names. Rows that hold a value in a column without a title, or bytes that are no text, are
    rejected."""
    titled = [(place, name) for place, name in enumerate(names) if name is not None]
    untitled = [place for place, name in enumerate(names) if name is None]
    result = pa.table([table.column(place) for place, _ in titled], names=[name for _, name in titled])
    bad: list[tuple[str, Any]] = []
    if untitled:
        bad.append(("wrong_column_count", _any(table.column(place).is_valid() for place in untitled)))
    if is_damaged:
        bad.append(("bad_encoding", _any(_contains(column, "\ufffd") for column in result.columns)))
    for reason, mask in bad:
        if pc.any(mask).as_py():
            rows = result.filter(mask).to_pylist()
            rejects = [*rejects, *(Reject(reason, None, orjson.dumps(row).decode()) for row in rows)]
    if bad:
        result = result.filter(pc.invert(_any(mask for _, mask in bad)))
    return TextBatch(result, rejects)


def _any(masks: Iterable[pa.ChunkedArray]) -> pa.ChunkedArray:
    return functools.reduce(pc.or_, masks)


def _contains(column: pa.ChunkedArray, text: str) -> pa.ChunkedArray:
    return pc.match_substring(column, text).fill_null(False)


# --- lines -------------------------------------------------------------------------------------------------------


def read_lines(text: Text) -> Iterator[pa.Array]:
    """The text's lines as they stand, many at once, without the empty ones. Raises FileRefused."""
    rest, is_last = b"", False
    with text.utf8() as stream:
        while not is_last:
            block = stream.read(_LINES_BYTES)
            is_last = len(block) < _LINES_BYTES
            block = (rest + block).replace(b"\r", b"\n")
            end = len(block) if is_last else block.rfind(b"\n")
            rest = block[end + 1 :]
            if len(rest) > IN_MEMORY:
                raise FileRefused("unreadable", "a line is longer than any line")
            if len(lines := _split(block, max(end, 0))):
                yield lines


def _split(block: bytes, end: int) -> pa.Array:
    """The lines before `end`."""
    ends = pa.array([0, end], pa.int32()).buffers()[1]
    text = pa.StringArray.from_buffers(1, ends, pa.py_buffer(block))
    if not block.isascii():
        try:
            text.validate(full=True)
        except pa.ArrowInvalid as error:
            raise NotUtf8 from error
    lines = pc.split_pattern(text, "\n").values
    is_filled = pc.not_equal(lines, "")
    return lines if pc.all(is_filled).as_py() else lines.filter(is_filled)


# --- NDJSON ------------------------------------------------------------------------------------------------------


def _read_ndjson(path: Path, mapping: Mapping, assumes_utf8: bool) -> Iterator[TextBatch]:
    text = assumed_utf8(path) if assumes_utf8 and mapping.encoding == "auto" else None
    text = text or inspect(path, mapping.encoding)
    with duckdb.connect() as connection:
        keys: dict[str, None] = {}
        shape: _JsonShape | None = None
        for lines in ahead(read_lines(text), depth=2):  # unzipped while others are parsed
            found, broken = _json_objects(connection, lines)
            if shape is None:
                keys, shape = _json_header(text, mapping, found)
            elif not found.keys() <= keys.keys():
                keys = dict.fromkeys(sorted(keys | found))
                shape = _json_shape(mapping, keys)
            result = connection.sql(shape.query).to_arrow_table()
            rejects = [Reject("unreadable", None, line) for line in broken]
            yield _named(result, shape.names, rejects, is_damaged=text.is_damaged)


@dataclass(frozen=True, slots=True)
class _JsonShape:
    """How lines of known keys become columns `names`."""

    query: str
    names: list[str]


def _json_header(text: Text, mapping: Mapping, first: dict[str, None]) -> tuple[dict[str, None], _JsonShape]:
    """The first lines' keys, where they are all that the mapping asks for, else those of the whole file: what is null
    may be left out of some lines."""
    if not mapping.header_sha256:
        with suppress(FileRefused):
            return first, _json_shape(mapping, first)
    keys: dict[str, None] = {}
    with duckdb.connect() as connection:
        for lines in read_lines(text):
            found, _ = _json_objects(connection, lines)
            keys |= found
    return keys, _json_shape(mapping, keys)


def _json_objects(connection: duckdb.DuckDBPyConnection, lines: pa.Array) -> tuple[dict[str, None], list[str]]:
    """Make the lines that are JSON objects the connection's table `lines`. Returns their keys, and the other lines.

    A JSON text that begins with a brace is an object (RFC 8259, section 2).
    """
    broken: list[str] = []
    connection.register("lines", pa.table({"line": lines}))
    found = _json_keys(connection)
    if None in found or not pc.all(pc.starts_with(lines, "{")).as_py():
        query = "SELECT starts_with(ltrim(line, ' \t\r\n'), '{') AND json_valid(line) AS is_object FROM lines"
        is_object = connection.sql(query).to_arrow_table().column("is_object").combine_chunks()
        broken = lines.filter(pc.invert(is_object)).to_pylist()
        connection.register("lines", pa.table({"line": lines.filter(is_object)}))
        found = _json_keys(connection)
    return dict.fromkeys(sorted({key for keys in found for key in keys or ()})), broken


def _json_keys(connection: duckdb.DuckDBPyConnection) -> list[list[str] | None]:
    """What different keys the lines have, None for those of a line that is no JSON. Most have those of the first one:
    to tell the others from them costs less than to tell each from all."""
    keys = "SELECT TRY(json_keys(line)) AS keys FROM lines"
    first = connection.execute(f"{keys} LIMIT 1").fetchone() or (None,)
    others = connection.execute(f"SELECT DISTINCT keys FROM ({keys}) WHERE keys IS DISTINCT FROM ?", first).fetchall()
    return [found for (found,) in [first, *others]]


def _json_shape(mapping: Mapping, keys: dict[str, None]) -> _JsonShape:
    """Raises FileRefused."""
    if not keys:
        raise FileRefused("unreadable", "no line is a JSON object")
    titles, pointers = _json_places(mapping, list(keys))
    header = match_header(mapping, titles, is_sparse=True)
    commas = {column.name for column in mapping.columns if mapping.has_decimal_comma(column)}
    places = [(_json_place(pointer), name) for pointer, name in zip(pointers, header.names, strict=True) if name]
    # All at once: each call of its own would parse the line again.
    texts = f"json_extract_string(line, [{', '.join(place for place, _ in places)}])"
    values = ", ".join(
        f"{_json_text(number, place, has_comma=name in commas)} AS {_quoted(name)}"
        for number, (place, name) in enumerate(places, start=1)
    )
    query = f"SELECT {values} FROM (SELECT line, {texts} AS texts FROM lines)"
    return _JsonShape(query, [name for _, name in places])


def _json_place(pointer: Sequence[str]) -> str:
    """A JSON pointer (RFC 6901) as a literal of SQL."""
    return "'" + "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in pointer).replace("'", "''") + "'"


def _json_text(number: int, place: str, *, has_comma: bool) -> str:
    text = f"texts[{number}]"
    if has_comma:  # a JSON number has a point, whatever the texts of the file have
        return f"CASE WHEN json_type(line, {place}) = 'DOUBLE' THEN replace({text}, '.', ',') ELSE {text} END"
    return text


def _json_places(mapping: Mapping, keys: list[str]) -> tuple[list[str], list[list[str]]]:
    """Titles as `match_header` wants them, and for each the way to its value: a key, or a key and the keys inside."""
    by_name = {normalised(key): key for key in keys}
    titles: list[str] = []
    pointers: list[list[str]] = []
    used: set[str] = set()
    for column in _in_file(mapping):
        for header in column.headers:
            outer, *inner = header.split(".")
            if inner and normalised(header) not in by_name and normalised(outer) in by_name:
                titles.append(header)
                pointers.append([by_name[normalised(outer)], *inner])
                used.add(by_name[normalised(outer)])
    whole = [key for key in keys if key not in used]
    return [*titles, *whole], [*pointers, *([key] for key in whole)]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


# --- XLSX --------------------------------------------------------------------------------------------------------


def _read_xlsx(path: Path, mapping: Mapping) -> Iterator[TextBatch]:
    with plain_file(path) as file:
        if not zipfile.is_zipfile(file):
            raise FileRefused("truncated", "the workbook's end is missing, or it is no workbook", ends_early=True)
        file.seek(0)
        try:
            yield from _sheet_rows(file, mapping)
        except FileRefused:
            raise
        except Exception as error:  # openpyxl raises whatever its parsers stumble upon
            raise FileRefused("unreadable", f"the workbook cannot be read ({type(error).__name__})") from error


def _sheet_rows(file: BinaryIO, mapping: Mapping) -> Iterator[TextBatch]:
    if sum(part.file_size for part in zipfile.ZipFile(file).infolist()) > _LARGEST_WORKBOOK:
        raise FileRefused("unreadable", "the workbook is too large: export it as CSV")
    import openpyxl  # noqa: PLC0415 - a tenth of what a task takes to start; most folders hold no workbook

    workbook = openpyxl.load_workbook(file, read_only=True, data_only=True)
    if mapping.sheet is not None and mapping.sheet not in workbook.sheetnames:
        raise FileRefused("missing_sheet", f"there is no sheet {mapping.sheet!r}")
    sheet = workbook[mapping.sheet] if mapping.sheet is not None else workbook.worksheets[0]
    sheet.reset_dimensions()  # what some writers say of a sheet's size is wrong
    rows = itertools.islice(sheet.iter_rows(values_only=True), mapping.skip_lines, None)
    titles = next((titles_of_row(row) for row in rows if any(cell is not None for cell in row)), None)
    if titles is None:
        raise FileRefused("empty", "there is no header row")
    names = match_header(mapping, titles).names
    commas = {column.name for column in mapping.columns if mapping.has_decimal_comma(column)}
    has_comma = [name in commas for name in names]
    filled = (row for row in rows if any(cell is not None for cell in row))
    while chunk := list(itertools.islice(filled, _XLSX_ROWS)):
        yield _sheet_batch(chunk, names, has_comma)


def titles_of_row(row: Sequence[Any]) -> list[str]:
    """A sheet's header row, without the empty cells at its end."""
    titles = ["" if cell is None else str(cell) for cell in row]
    while titles and not titles[-1].strip():
        titles.pop()
    return titles


def _sheet_batch(chunk: list[tuple[Any, ...]], names: Sequence[str | None], has_comma: list[bool]) -> TextBatch:
    width = len(names)
    rejects = [
        Reject("wrong_column_count", None, orjson.dumps([as_text(cell) for cell in row]).decode())
        for row in chunk
        if any(cell is not None for cell in row[width:])
    ]
    kept = [row for row in chunk if not any(cell is not None for cell in row[width:])]
    columns = [
        pa.array([as_text(row[place], comma) if place < len(row) else None for row in kept], pa.string())
        for place, comma in enumerate(has_comma)
    ]
    return _named(pa.table(columns, names=[str(place) for place in range(width)]), names, rejects)


def as_text(value: Any, has_comma: bool = False) -> str | None:
    """A value as text: a number without an exponent, a date in ISO 8601, a moment at midnight as its date."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        text = format(Decimal(repr(value) if isinstance(value, float) else value), "f")
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return text.replace(".", ",") if has_comma else text
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ")
    return value.isoformat() if isinstance(value, date | time) else str(value)


# --- Parquet -----------------------------------------------------------------------------------------------------


def _read_parquet(path: Path, mapping: Mapping) -> Iterator[TextBatch]:
    with plain_file(path) as file:
        if not _has_parquet_end(file):
            raise FileRefused("truncated", "the Parquet file's end is missing, or it is none", ends_early=True)
        try:
            source = pq.ParquetFile(file)
            names = match_header(mapping, source.schema_arrow.names).names
            commas = {column.name for column in mapping.columns if mapping.has_decimal_comma(column)}
            for batch in source.iter_batches(batch_size=_PARQUET_ROWS):
                columns = [
                    _as_text(column, name, name in commas) for column, name in zip(batch.columns, names, strict=True)
                ]
                yield _named(pa.table(columns, names=[str(place) for place in range(len(names))]), names, [])
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise FileRefused("unreadable", f"the Parquet file cannot be read ({type(error).__name__})") from error


def _as_text(column: pa.Array, name: str | None, has_comma: bool) -> pa.Array:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _as_text(column.dictionary_decode(), name, has_comma)
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise FileRefused("unreadable", f"column {name} is {kind}: only plain values can be mapped")
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us", tz=kind.tz and "UTC"), safe=False)
    text = column.cast(pa.string())
    return pc.replace_substring(text, ".", ",") if has_comma and not pa.types.is_string(kind) else text


def plain_file(path: Path) -> BinaryIO:
    """A file that one can seek in, unzipped where it is gzipped."""
    with path.open("rb") as file:
        is_gzip = file.read(len(GZIP)) == GZIP
    return io.BytesIO(b"".join(chunks(path))) if is_gzip else path.open("rb")


def _has_parquet_end(file: BinaryIO) -> bool:
    size = file.seek(0, io.SEEK_END)
    if size < 3 * len(_PARQUET_END):  # the mark at both ends, and the length of what describes the columns
        return False
    file.seek(-len(_PARQUET_END), io.SEEK_END)
    return file.read() == _PARQUET_END


_READERS: dict[str, Callable[[Path, Mapping], Iterator[TextBatch]]] = {
    "xlsx": _read_xlsx,
    "parquet": _read_parquet,
}
