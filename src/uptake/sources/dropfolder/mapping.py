"""A mapping file: what a dropped file looks like and what Uptake calls its columns.

A mapping is YAML, one per resource (docs/drop-folder.md shows every key). It is compiled to a `Resource`, so that
landing treats a dropped file as it treats a vendor's API. Mappings that come with Uptake lie beside this module in
`mappings/<namespace>/<resource>.yaml` and are named `<namespace>/<resource>`, or `<namespace>` for all of them.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import Field as Key
from pydantic import field_validator, model_validator

from uptake.config import Identifier, Settings, load_settings, time_zones
from uptake.contracts import TIMESTAMP, Field, Resource
from uptake.errors import ConfigError

SHIPPED = Path(__file__).parent / "mappings"
DEFAULT_NULLS = ("", "NULL", "null", "NaN", "nan", "N/A", "n/a", "#N/A")

ColumnName = Annotated[str, Key(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,62}$")]
Format = Literal["auto", "csv", "xlsx", "ndjson", "parquet"]

_SIMPLE_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": TIMESTAMP,
}
_DECIMAL = re.compile(r"^decimal\((\d{1,2}),\s*(\d{1,2})\)$")


def arrow_type(name: str) -> pa.DataType:
    """`string`, `integer` (64 bits), `number`, `decimal(p,s)`, `boolean`, `date` or `timestamp` (lands as UTC)."""
    if name in _SIMPLE_TYPES:
        return _SIMPLE_TYPES[name]
    match = _DECIMAL.match(name)
    if match and 0 < int(match[1]) <= 38 and int(match[2]) <= int(match[1]):
        return pa.decimal128(int(match[1]), int(match[2]))
    raise ValueError(f"unknown type {name!r}; known types: {', '.join(_SIMPLE_TYPES)}, decimal(p,s)")


def normalised(header: str) -> str:
    """A header as it is compared: `Contract ID`, `contract_id` and ` CONTRACT-ID ` are one."""
    text = unicodedata.normalize("NFKC", header).casefold()
    return re.sub(r"[\W_]+", "_", text).strip("_")


def fingerprint(header: Sequence[str]) -> str:
    """sha256 of the normalised headers in their order, one per line: `header_sha256` of a mapping."""
    return hashlib.sha256("\n".join(normalised(name) for name in header).encode()).hexdigest()


class Column(Settings):
    """One column of the file, or one value taken from the file's name.

    header: the column's title in the file, or several that it is known by; compared as `normalised` does. In NDJSON
    a dotted path reaches into nested objects. Without it the column is found by its `name`.
    name: what it is called from here on; without it, the first header in snake case.
    may_be_absent: older or newer exports lack the whole column; it is then null.
    formats: strptime patterns tried in order for a date or timestamp, before ISO 8601.
    time_zone: of a timestamp without an offset; overrules the mapping's.
    values: the only values that are allowed, compared without regard to case; they land as written here.
    at_least: the smallest number that is allowed.
    example: what the example row of a register's template holds.
    """

    header: str | tuple[str, ...] = ()
    name: ColumnName = ""
    type: str = "string"
    required: bool = False
    may_be_absent: bool = False
    from_file_name: bool = False
    formats: tuple[str, ...] = ()
    time_zone: str | None = None
    decimal_comma: bool | None = None
    null_texts: tuple[str, ...] | None = None
    values: tuple[str, ...] = ()
    at_least: float | None = None
    identifier: Identifier | None = None
    vault: Identifier | None = None
    drop: bool = False
    url: bool = False
    doc: str = ""
    example: str = ""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and "name" not in raw and raw.get("header"):
            header = raw["header"]
            first = header if isinstance(header, str) else header[0]
            return raw | {"name": normalised(str(first))}
        return raw

    @model_validator(mode="after")
    def _consistent(self) -> Column:
        if not self.name:
            raise ValueError("a column needs a header or a name")
        if sum([bool(self.identifier), bool(self.vault), self.drop, self.url]) > 1:
            raise ValueError("identifier, vault, drop and url exclude each other")
        if self.from_file_name and self.header:
            raise ValueError("a column is read from the file's name or from a header, not both")
        if (self.identifier or self.vault or self.url) and self.type != "string":
            raise ValueError("identifier, vault and url columns are of type string")
        if self.formats and self.type not in ("date", "timestamp"):
            raise ValueError("formats are for a date or a timestamp")
        if self.values and self.type != "string":
            raise ValueError("values are for a string")
        if self.at_least is not None and not self.is_number:
            raise ValueError("at_least is for a number")
        return self

    @field_validator("type")
    @classmethod
    def _known_type(cls, value: str) -> str:
        arrow_type(value)
        return value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        return known_zone(value)

    @property
    def headers(self) -> tuple[str, ...]:
        """Every title that it is known by, as written in the mapping."""
        return ((self.header,) if isinstance(self.header, str) else self.header) or (self.name,)

    @property
    def is_number(self) -> bool:
        return self.type in ("integer", "number") or self.type.startswith("decimal")

    @property
    def field(self) -> Field:
        return Field(
            self.name,
            arrow_type(self.type),
            required=self.required,
            identifier=self.identifier,
            vault=self.vault,
            drop=self.drop,
            url=self.url,
            doc=self.doc,
        )


def known_zone(value: str | None) -> str | None:
    if value is not None and value not in time_zones():
        raise ValueError(f"{value!r} is not an IANA zone such as America/Chicago")
    return value


class Mapping(Settings):
    """A mapping file. `resource` is its contract; see docs/drop-folder.md for the meaning of every key.

    key: columns that name a row. One that is not `required` may be null, and null is then a value of the key.
    skip_lines: lines above the header (a report's title); CSV and XLSX only.
    header_sha256: `fingerprint` of the whole header; with it even another order of the columns is a changed file.
    full_list: each file is the whole list, so that a row which a newer file lacks is marked deleted. Not for lists that
    come in several files that count at once.
    allow_extra: columns that are not declared are sealed in quarantine and reported, and the rest lands; without it
    they make the whole file a changed file. A list of patterns (`metadata.*`) allows those alone.
    """

    namespace: Identifier
    resource: Identifier
    files: str | tuple[str, ...]
    columns: Annotated[tuple[Column, ...], Key(min_length=1)]
    key: Annotated[tuple[str, ...], Key(min_length=1)]
    kind: Literal["entity", "event"] = "entity"
    event_time: str | None = None
    person: str | None = None
    doc: str = ""
    format: Format = "auto"
    encoding: str = "auto"
    delimiter: str = "auto"
    sheet: str | None = None
    skip_lines: Annotated[int, Key(ge=0, le=1000)] = 0
    file_name: str | None = None
    time_zone: str | None = None
    decimal_comma: bool = False
    null_texts: tuple[str, ...] = DEFAULT_NULLS
    header_sha256: Annotated[str, Key(pattern=r"^[0-9a-f]{64}$")] | None = None
    allow_extra: bool | tuple[str, ...] = False
    full_list: bool = False

    @field_validator("columns")
    @classmethod
    def _distinct(cls, columns: tuple[Column, ...]) -> tuple[Column, ...]:
        names: set[str] = set()
        headers: set[str] = set()
        for column in columns:
            if column.name in names:
                raise ValueError(f"two columns are named {column.name!r}")
            names.add(column.name)
            titles = set() if column.from_file_name else {normalised(header) for header in column.headers}
            if twice := titles & headers:
                raise ValueError(f"header {twice.pop()!r} stands in two columns")
            headers |= titles
        return columns

    @field_validator("delimiter")
    @classmethod
    def _known_delimiter(cls, value: str) -> str:
        value = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}.get(value, value)
        if value != "auto" and (len(value) != 1 or value in '"\r\n' or ord(value) > 127):
            raise ValueError("delimiter is one ASCII character, `tab` or `auto`")
        return value

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        if value == "auto":
            return value
        try:
            "".encode(value)
        except LookupError as error:
            raise ValueError(f"unknown encoding {value!r}") from error
        return value

    @field_validator("file_name")
    @classmethod
    def _is_pattern(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}") from error
        return value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        return known_zone(value)

    @model_validator(mode="after")
    def _consistent(self) -> Mapping:
        columns = {column.name: column for column in self.columns}
        for name in (
            *self.key,
            *([self.event_time] if self.event_time else []),
            *([self.person] if self.person else []),
        ):
            if name not in columns:
                raise ValueError(f"{name!r} is used but is not a column; columns: {', '.join(columns)}")
        if any(columns[name].drop or columns[name].vault for name in self.key):
            raise ValueError("a column of the key must land: it cannot be dropped or kept in the vault")
        if not any(columns[name].required for name in self.key):
            raise ValueError("at least one column of the key must be required")
        if self.full_list and self.kind == "event":
            raise ValueError("full_list is for an entity: what happened does not vanish")
        if (self.kind == "event") != (self.event_time is not None):
            raise ValueError("event_time is for kind event, and an event needs it")
        if self.event_time and columns[self.event_time].type not in ("date", "timestamp"):
            raise ValueError(f"event_time {self.event_time!r} is not a date or a timestamp")
        if self.person and not columns[self.person].identifier:
            raise ValueError(f"person {self.person!r} is not an identifier column")
        if not self.person and any(column.vault for column in self.columns):
            raise ValueError("a vault column needs `person`: the identifier column that it belongs to")
        groups = set(re.compile(self.file_name).groupindex) if self.file_name else set()
        wanted = {column.name for column in self.columns if column.from_file_name}
        if groups != wanted:
            raise ValueError(
                f"file_name captures {sorted(groups)}, while the columns with from_file_name are {sorted(wanted)}"
            )
        return self

    @property
    def globs(self) -> tuple[str, ...]:
        return (self.files,) if isinstance(self.files, str) else self.files

    def allows(self, title: str) -> bool:
        """Whether a column that is not declared may come."""
        if isinstance(self.allow_extra, bool):
            return self.allow_extra
        return any(fnmatchcase(title.strip().casefold(), pattern.casefold()) for pattern in self.allow_extra)

    def has_decimal_comma(self, column: Column) -> bool:
        return column.is_number and (self.decimal_comma if column.decimal_comma is None else column.decimal_comma)

    @cached_property
    def contract(self) -> Resource:
        required = {column.name for column in self.columns if column.required}
        return Resource(
            name=self.resource,
            fields=tuple(column.field for column in self.columns),
            key=self.key,
            nullable_key=tuple(name for name in self.key if name not in required),
            kind=self.kind,
            event_time=self.event_time,
            full_sync_every=None,
            full_list=self.full_list,
            person=self.person,
            doc=self.doc,
        )


def load_mapping(path: Path) -> Mapping:
    """Raises ConfigError: one line for each wrong key, with its line number."""
    return load_settings(path, Mapping, missing="name an existing file, or a mapping that comes with Uptake.")


def resolve_mappings(names: Sequence[str]) -> tuple[Mapping, ...]:
    """Mappings by path (`*.yaml`), by shipped name (`registers/contracts`), or by shipped namespace (`learnplatform`).

    Raises ConfigError for a name that is unknown, for two mappings of one resource, and for two namespaces in one
    source (landing views are named by namespace).
    """
    mappings: list[Mapping] = []
    for name in names:
        if name.endswith((".yaml", ".yml")):
            mappings.append(load_mapping(Path(name)))
            continue
        found = [mapping for (space, resource), mapping in _shipped().items() if name in (space, f"{space}/{resource}")]
        if not found:
            known = ", ".join(sorted({space for space, _ in _shipped()} | {"/".join(place) for place in _shipped()}))
            raise ConfigError(f"no mapping {name!r}", remedy=f"name a .yaml file, or one of: {known}.")
        mappings.extend(found)
    insist_on_one_source(mappings, "drop folder")
    return tuple(mappings)


def insist_on_one_source(mappings: Sequence[Mapping], place: str) -> None:
    """Raises ConfigError: two mappings of one resource, or two namespaces, in one source. place: what it reads."""
    resources = [mapping.resource for mapping in mappings]
    if len(resources) != len(set(resources)):
        raise ConfigError(f"two mappings of one {place} are of the same resource", remedy="name each once.")
    if len({mapping.namespace for mapping in mappings}) > 1:
        raise ConfigError(
            f"the mappings of one {place} have different namespaces", remedy="make one source for each namespace."
        )


def shipped_resources() -> dict[tuple[str, str], Resource]:
    """(namespace, resource name) -> contract, for every mapping that comes with Uptake."""
    return {place: mapping.contract for place, mapping in _shipped().items()}


@cache
def _shipped() -> dict[tuple[str, str], Mapping]:
    loaded = [load_mapping(path) for path in sorted(SHIPPED.glob("*/*.yaml"))]
    return {(mapping.namespace, mapping.resource): mapping for mapping in loaded}
