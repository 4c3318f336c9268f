"""A first mapping for a file that nobody has described yet: a proposal to look at, not a decision.

What is proposed is what can be seen: format, encoding, delimiter, types, date formats, a key. What can only be guessed
errs on the careful side: a column that looks like a name or an address goes to the vault or is dropped, and says so.
No value of the file is in the proposal.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import openpyxl
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from uptake.errors import ContractError
from uptake.sources.dropfolder.content import FileRefused, inspect
from uptake.sources.dropfolder.mapping import DEFAULT_NULLS, Column, Mapping, fingerprint, normalised
from uptake.sources.dropfolder.readers import DELIMITERS, TextBatch, format_of, plain_file, read_text, titles_of_row
from uptake.sources.dropfolder.values import parse_text

SAMPLE_ROWS = 20_000
_HEADER_LINES = 200
_KEY_COLUMNS = 8  # of so many columns keys of two and three are tried
_MOSTLY = 0.8
_TRIED_FIRST = 20

# Of dates, the American order first: where both fit, a person has to say which it is.
_DATES = ("%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y", "%d/%m/%y", "%m-%d-%Y", "%d.%m.%Y", "%Y/%m/%d", "%b %d, %Y", "%Y%m%d")
_TIMES = ("%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p")
_MOMENTS = tuple(f"{day} {clock}" for day in _DATES[:7] for clock in _TIMES)

_ISO = r"^\s*[0-9]{4}-[0-9]{2}-[0-9]{2}"
_EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
_ADDRESS = r"^(https?://|www\.)\S+$"
_PERSON = r"^[\p{Lu}][\p{L}'’.-]+(,? [\p{Lu}][\p{L}'’.-]*){1,3}$"
_THINGS = {
    "school",
    "tool",
    "product",
    "app",
    "course",
    "class",
    "section",
    "vendor",
    "org",
    "district",
    "site",
    "file",
}
_THINGS |= {
    "lesson",
    "book",
    "device",
    "company",
    "city",
    "title",
    "event",
    "activity",
    "subject",
    "domain",
    "category",
    "room",
    "building",
}
_PERSONAL = {"birth", "dob", "birthday", "birthdate", "phone", "mobile", "cell", "ssn", "street", "address", "zip"}
_PERSONAL |= {
    "password",
    "guardian",
    "parent",
    "mother",
    "father",
    "photo",
    "comment",
    "comments",
    "note",
    "notes",
    "ip",
}
_NUMBERS = {"id", "number", "no", "num", "key", "code"}
_PEOPLE = {"student", "pupil", "learner", "user", "person", "staff", "teacher", "member", "sis", "employee"}


@dataclass
class _Guess:
    """What is proposed for one column, and why."""

    column: Column
    why: list[str] = field(default_factory=list)
    is_unique: bool = False
    is_full: bool = False


@dataclass(frozen=True)
class _Look:
    """The file as it is: its header, the titles of its columns, and the beginning of its rows as text."""

    kind: str
    header: tuple[str, ...]
    titles: tuple[str, ...]
    table: pa.Table
    encoding: str | None = None
    delimiter: str | None = None


def propose(path: Path, *, namespace: str = "own", resource: str | None = None) -> str:
    """A mapping in YAML that `load_mapping` takes as it is. Raises ContractError where the file cannot be read."""
    try:
        look = _look(path)
    except FileRefused as refusal:
        raise ContractError(
            f"{path.name}: {refusal.message} ({refusal.reason})", remedy="have it exported again, as CSV in UTF-8."
        ) from refusal
    guesses: list[_Guess] = []
    for title, stand_in in zip(look.titles, look.table.column_names, strict=True):
        guesses.append(_guess(title, stand_in, look.table.column(stand_in), {guess.column.name for guess in guesses}))
    person = next((guess.column.name for guess in guesses if guess.column.identifier), None)
    for guess in guesses:
        if guess.column.vault and person is None:
            guess.column = guess.column.model_copy(update={"vault": None, "drop": True})
            guess.why.append("dropped, since no column says whose it is")
    return _written(path, look, guesses, person, namespace, resource or _resource_name(path))


# --- the file ----------------------------------------------------------------------------------------------------


def _look(path: Path) -> _Look:
    kind = format_of(path, _mapping_of(["any"], ["any"]))
    header, encoding, delimiter = _TITLES[kind](path)
    titles = tuple(title for title in header if normalised(title))
    if not titles:
        raise FileRefused("empty", "there is no header row")
    twice = sorted({title for title in titles if [normalised(each) for each in titles].count(normalised(title)) > 1})
    if twice:
        raise FileRefused("changed_header", f"columns that read alike: {', '.join(twice)}")
    names = [f"column_{number}" for number in range(len(titles))]
    mapping = _mapping_of(titles, names, format=kind, delimiter=delimiter or "auto", encoding=encoding or "auto")
    tables = []
    rows = 0
    for batch in read_text(path, mapping):
        tables.append(batch.table.select(names))
        rows += batch.table.num_rows
        if rows >= SAMPLE_ROWS:
            break
    empty = pa.table({name: pa.array([], pa.string()) for name in names})
    table = pa.concat_tables([empty, *tables]).slice(0, SAMPLE_ROWS)
    return _Look(kind, tuple(header), titles, _without_nulls(table), encoding, delimiter)


def _without_nulls(table: pa.Table) -> pa.Table:
    nulls = pa.array(DEFAULT_NULLS, pa.string())
    columns = [pc.if_else(pc.is_in(column, nulls), pa.scalar(None, pa.string()), column) for column in table.columns]
    return pa.table(columns, names=table.column_names)


def _mapping_of(titles: Sequence[str], names: Sequence[str], **options: str) -> Mapping:
    """Every column as text, so that the drop folder's readers can be asked."""
    columns = [
        Column(header=title, name=name, required=number == 0, may_be_absent=number > 0)
        for number, (title, name) in enumerate(zip(titles, names, strict=True))
    ]
    return Mapping.model_validate(
        {"namespace": "own", "resource": "look", "files": "*", "key": (names[0],), "columns": columns, **options}
    )


def _csv_titles(path: Path) -> tuple[list[str], str | None, str | None]:
    """By the delimiter with which most lines are of one width, and the widest of those."""
    text = inspect(path)
    lines = list(itertools.islice(io.StringIO(text.sample(), newline=""), _HEADER_LINES))
    best: tuple[tuple[int, int], str, list[str]] | None = None
    for delimiter in DELIMITERS:
        try:
            records = [record for record in csv.reader(lines, delimiter=delimiter) if any(map(str.strip, record))]
        except csv.Error:
            continue
        if records:
            width = len(records[0])
            alike = sum(len(record) == width for record in records)
            score = (alike if width > 1 else 0, width)
            if best is None or score > best[0]:
                best = (score, delimiter, records[0])
    if best is None:
        raise FileRefused("empty", "there is no header row")
    return best[2], text.encoding, best[1]


def _xlsx_titles(path: Path) -> tuple[list[str], str | None, str | None]:
    with plain_file(path) as file:
        if not zipfile.is_zipfile(file):
            raise FileRefused("truncated", "the workbook's end is missing, or it is no workbook")
        try:
            sheet = openpyxl.load_workbook(file, read_only=True, data_only=True).worksheets[0]
            sheet.reset_dimensions()
            rows = (row for row in sheet.iter_rows(values_only=True) if any(cell is not None for cell in row))
            return titles_of_row(next(rows, ())), None, None
        except Exception as error:  # openpyxl raises whatever its parsers stumble upon
            raise FileRefused("unreadable", f"the workbook cannot be read ({type(error).__name__})") from error


def _ndjson_titles(path: Path) -> tuple[list[str], str | None, str | None]:
    """Keys of the first objects; of those that hold objects, their keys."""
    text = inspect(path)
    found: dict[str, None] = {}
    for line in itertools.islice(io.StringIO(text.sample()), _HEADER_LINES):
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        for key, value in record.items() if isinstance(record, dict) else ():
            inner = [f"{key}.{name}" for name in value] if isinstance(value, dict) else [key]
            found |= dict.fromkeys(inner)
    if not found:
        raise FileRefused("unreadable", "no line is a JSON object")
    return list(found), text.encoding, None


def _parquet_titles(path: Path) -> tuple[list[str], str | None, str | None]:
    with plain_file(path) as file:
        try:
            return list(pq.read_schema(file).names), None, None
        except (pa.ArrowException, OSError) as error:
            raise FileRefused("unreadable", f"the Parquet file cannot be read ({type(error).__name__})") from error


_TITLES: dict[str, Callable[[Path], tuple[list[str], str | None, str | None]]] = {
    "csv": _csv_titles,
    "xlsx": _xlsx_titles,
    "ndjson": _ndjson_titles,
    "parquet": _parquet_titles,
}


# --- a column ----------------------------------------------------------------------------------------------------


def _guess(title: str, stand_in: str, values: pa.ChunkedArray, taken: set[str]) -> _Guess:
    name = normalised(title)
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name) or name in taken:
        others = (f"{stand_in}_{number}" for number in itertools.count(2))
        name = next(each for each in itertools.chain([stand_in], others) if each not in taken)
    column = Column(header=title, name=name)
    known = values.drop_null().combine_chunks()
    guess = _Guess(column, is_full=len(values) > 0 and values.null_count == 0)
    guess.is_unique = guess.is_full and pc.count_distinct(known).as_py() == len(known)
    words = set(name.split("_"))
    rule = _privacy(words, known)
    if rule is not None:
        guess.column = column.model_copy(update=rule[0])
        guess.why.append(rule[1])
    elif len(known):
        guess.column = _typed(column, known, guess.why)
    else:
        guess.why.append("empty here: what it holds is not known")
    return guess


def _privacy(words: set[str], values: pa.Array) -> tuple[dict[str, object], str] | None:  # noqa: PLR0911
    """The rule for a column that looks personal, and why."""
    if "mail" in words or "email" in words or _share(values, _EMAIL) >= _MOSTLY:
        return {"identifier": "email"}, "an e-mail address: a pseudonym lands"
    if words & {"username", "login", "logon", "account"} or {"user", "name"} <= words:
        return {"identifier": "username"}, "an account: a pseudonym lands"
    if words & _PEOPLE and words & _NUMBERS:
        return {
            "identifier": "sis_number"
        }, "a person's number: a pseudonym lands. Of another system? Name its own kind"
    if words & {"firstname", "forename"} or (words & {"first", "given"} and "name" in words):
        return {"vault": "given_name"}, "a name: kept in the vault"
    if words & {"lastname", "surname"} or (words & {"last", "family"} and "name" in words):
        return {"vault": "family_name"}, "a name: kept in the vault"
    if words & _PERSONAL:
        return {"drop": True}, "personal, or free text on a person: dropped. Take `drop` away only after a look"
    is_named = "name" in words or "fullname" in words or words <= _PEOPLE
    if not words & _THINGS and (is_named or _share(values, _PERSON) >= _MOSTLY) and not _is_number(values):
        return {"vault": "full_name"}, "looks like a person's name: kept in the vault"
    if words & {"url", "link", "uri", "website"} or _share(values, _ADDRESS) >= _MOSTLY:
        return {"url": True}, "an address: cut to its host and known path"
    return None


def _share(values: pa.Array, pattern: str) -> float:
    return (pc.sum(pc.match_substring_regex(values, pattern)).as_py() or 0) / len(values) if len(values) else 0.0


def _is_number(values: pa.Array) -> bool:
    return _share(values, r"^\s*[+-]?[0-9.,]+\s*$") >= _MOSTLY


def _typed(column: Column, values: pa.Array, why: list[str]) -> Column:
    """The first type that every value fits. Text with leading zeros stays text: it is a code."""
    if _share(values, r"^0[0-9]+$") == 0 and (found := _as_number(column, values)) is not None:
        return found
    if pc.all(pc.is_in(pc.utf8_lower(values), pa.array(["true", "false"]))).as_py():
        return column.model_copy(update={"type": "boolean"})
    for kind, formats in (("date", _DATES), ("timestamp", _MOMENTS)):
        likely: list[tuple[str, ...]] = [()] if _share(values, _ISO) == 1 else []
        likely += [(each,) for each in formats if _reads_first(values, each)]
        fitting = [found for found in likely if _fits(column, values, type=kind, formats=found)]
        if not fitting:
            continue
        if len(fitting) > 1 and fitting[0]:
            why.append(f"{' and '.join(each[0] for each in fitting)} all fit: look which it is")
        if kind == "timestamp" and _share(values, r"(Z|[+-][0-9]{2}:?[0-9]{2})$") < 1:
            why.append("times without a zone: give the mapping or the source its `time_zone`")
        return column.model_copy(update={"type": kind, "formats": fitting[0]})
    return column


def _as_number(column: Column, values: pa.Array) -> Column | None:
    """Eight digits that are all days of these centuries are days."""
    if not _is_number(values):
        return None
    if _share(values, r"^(19|20)[0-9]{6}$") == 1 and _fits(column, values, type="date", formats=("%Y%m%d",)):
        return column.model_copy(update={"type": "date", "formats": ("%Y%m%d",)})
    for changes in ({"type": "integer"}, {"type": "number"}, {"type": "number", "decimal_comma": True}):
        if _fits(column, values, **changes):
            return column.model_copy(update=changes)
    return None


def _reads_first(values: pa.Array, pattern: str) -> bool:
    """Whether the first values are of a format, told in a moment; the others are tried only then."""
    for value in values.slice(0, _TRIED_FIRST).to_pylist():
        try:
            datetime.strptime(value.strip(), pattern)
        except ValueError:
            return False
    return True


def _fits(column: Column, values: pa.Array, **changes: object) -> bool:
    tried = Column.model_validate(column.model_dump(exclude_defaults=True) | {"name": "it", "required": True} | changes)
    mapping = Mapping.model_validate(
        {"namespace": "own", "resource": "look", "files": "*", "key": ("it",), "columns": (tried,), "time_zone": "UTC"}
    )
    return not parse_text(mapping, TextBatch(pa.table({"it": values})), {}).rejects


# --- the mapping -------------------------------------------------------------------------------------------------


def _key(guesses: Sequence[_Guess], table: pa.Table) -> tuple[list[int], bool]:
    """Places of the fewest columns that name a row, and whether they do."""
    fit = [place for place, guess in enumerate(guesses) if not (guess.column.drop or guess.column.vault)]
    single = [place for place in fit if guesses[place].is_unique]
    if single:
        return [max(single, key=lambda place: "id" in guesses[place].column.name.split("_"))], True
    full = [place for place in fit if guesses[place].is_full]
    for count in (2, 3):
        for places in itertools.combinations(full[:_KEY_COLUMNS], count):
            columns = [table.column_names[place] for place in places]
            if table.num_rows and table.select(columns).group_by(columns).aggregate([]).num_rows == table.num_rows:
                return list(places), True
    return full or fit[:1], False


def _written(path: Path, look: _Look, guesses: list[_Guess], person: str | None, namespace: str, resource: str) -> str:
    key, is_unique = _key(guesses, look.table)
    if not key:
        raise ContractError(
            f"{path.name} has no column that could name a row: every one looks personal",
            remedy="write its mapping by hand: see docs/drop-folder.md.",
        )
    moment = next((g.column.name for g in guesses if g.column.type == "timestamp" and g.is_full), None)
    required = {guesses[place].column.name for place in key if guesses[place].is_full or not is_unique}
    required = required or {guesses[key[0]].column.name}
    needs_zone = any(guess.column.type == "timestamp" for guess in guesses)
    lines = [
        f"# Proposed from the first {look.table.num_rows} rows of one file. Look at every line before it is used, most",
        "# of all at columns without a rule (identifier, vault, drop, url): what they hold lands as it is.",
        f"namespace: {_word(namespace)}",
        f"resource: {_word(resource)}",
        f"files: {_quoted('**/' + _glob(path.name))}",
        f"format: {look.kind}",
    ]
    if look.encoding is not None:
        lines.append(f"encoding: {look.encoding}")
    if look.delimiter is not None:
        lines.append(f"delimiter: {_DELIMITER_NAMES[look.delimiter]}")
    if look.kind != "ndjson":  # whose lines leave out what is null
        lines.append(f"header_sha256: {fingerprint(look.header)}  # take it away to let columns change places")
    if needs_zone:
        lines.append("# time_zone: America/Chicago  # of times without an offset; here, or in the source")
    is_event = moment is not None and (len(key) > 1 or not is_unique)
    lines.append(f"kind: {'event' if is_event else 'entity'}")
    if moment:
        lines.append(
            f"event_time: {_word(moment)}"
            if is_event
            else f"# or kind: event with event_time: {moment}, if rows happened"
        )
    named = ", ".join(_word(guesses[place].column.name) for place in key)
    lines.append(f"key: [{named}]" + ("" if is_unique else "  # no columns were found that name a row: choose them"))
    if person is not None:
        lines.append(f"person: {_word(person)}")
    lines.append("columns:")
    lines += [line for guess in guesses for line in _column_lines(guess, guess.column.name in required)]
    return "\n".join(lines) + "\n"


def _column_lines(guess: _Guess, is_required: bool) -> Iterator[str]:
    column = guess.column
    parts = [f"header: {_quoted(column.headers[0])}", f"name: {_word(column.name)}"]
    if column.type != "string":
        parts.append(f"type: {column.type}")
    if column.formats:
        parts.append(f"formats: [{', '.join(map(_quoted, column.formats))}]")
    if column.decimal_comma:
        parts.append("decimal_comma: true")
    parts += [f"{rule}: {getattr(column, rule)}" for rule in ("identifier", "vault") if getattr(column, rule)]
    parts += [f"{rule}: true" for rule in ("drop", "url") if getattr(column, rule)]
    if is_required:
        parts.append("required: true")
    for why in guess.why:
        yield f"  # {why}"
    yield f"  - {{{', '.join(parts)}}}"


_DELIMITER_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _word(name: str) -> str:
    """A name as YAML has it; some, such as `on` and `null`, would be something else without quotation marks."""
    return name if yaml.safe_load(name) == name else _quoted(name)


def _glob(name: str) -> str:
    """A file's name with its numbers, which tell one export from the next, left open."""
    return re.sub(r"[0-9]+([-_.][0-9]+)*", "*", name) if re.search(r"[A-Za-z]{2}.*\.", name) else name


def _resource_name(path: Path) -> str:
    name = normalised(re.sub(r"[0-9]+", "", path.name.split(".")[0])).strip("_")
    return name[:40] if re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name[:40]) else "rows"
