"""A SQL database as a source: a table or query for each resource, described by a mapping."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Mapped
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field as Key
from pydantic import field_validator, model_validator
from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import ArgumentError

from uptake.config import SourceSettings
from uptake.contracts import Batch, Resource, Window
from uptake.credentials import Credential
from uptake.errors import ConfigError, ContractError
from uptake.sources.database.mapping import TableMapping, load_mappings
from uptake.sources.database.reading import bound, moment_of, reading, tables
from uptake.sources.dropfolder.content import FileRefused
from uptake.sources.dropfolder.mapping import known_zone
from uptake.sources.dropfolder.readers import TextBatch, match_header
from uptake.sources.dropfolder.values import parse_again, parse_text
from uptake.sources.windows import DAY, tiles


class DatabaseSettings(SourceSettings):
    """url: as SQLAlchemy has it, without login and password: `postgresql+psycopg2://finance.example.org/erp`.

    connection: login and password; an SQLite file needs none. mappings: paths of mapping files.
    time_zone: of times without an offset, where the mapping names none. batch_rows: held at once.
    """

    kind: Literal["database"]
    url: str
    mappings: Annotated[tuple[str, ...], Key(min_length=1)]
    time_zone: str | None = None
    batch_rows: Annotated[int, Key(ge=100, le=1_000_000)] = 50_000

    @field_validator("mappings", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        try:
            url = make_url(value)
        except ArgumentError as error:
            raise ValueError("is an address such as postgresql+psycopg2://host:5432/database") from error
        if url.username or url.password:
            raise ValueError("login and password belong to the connection, not to the address")
        if url.drivername.startswith("sqlite") and not (url.database or "").startswith("/"):
            raise ValueError("an SQLite file is named by its whole path: sqlite:////folder/file.db")
        return value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        return known_zone(value)

    @model_validator(mode="after")
    def _resolved(self) -> DatabaseSettings:
        if not self.connection and not self.url.startswith("sqlite"):
            raise ValueError("a database server needs a `connection`: login and password")
        try:
            self.resolve()
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return self

    def resolve(self) -> tuple[TableMapping, ...]:
        """The mappings, with the source's zone where they name none. Raises ConfigError."""
        return tuple(
            mapping if mapping.time_zone else mapping.model_copy(update={"time_zone": self.time_zone})
            for mapping in load_mappings(self.mappings)
        )

    @property
    def namespace(self) -> str:
        return self.resolve()[0].namespace


class Database:
    """Each window is one read-only transaction, and so one state of the database."""

    kind: ClassVar[str] = "database"
    settings_model: ClassVar[type[SourceSettings]] = DatabaseSettings
    needs_credential: ClassVar[bool] = False  # an SQLite file has none; a server's settings name a connection

    def __init__(self, settings: SourceSettings, credential: Credential | None) -> None:
        if not isinstance(settings, DatabaseSettings):
            raise TypeError(f"a database is not described by {type(settings).__name__}")
        if settings.connection and credential is None:
            raise ConfigError(f"source {settings.name!r} has no credential", remedy="add its connection.")
        self._settings = settings
        self._credential = credential
        url = make_url(settings.url)
        if url.drivername.startswith("sqlite"):  # so that a file which is not there is an error and not made
            url = url.set(database=f"file:{url.database}").update_query_dict({"mode": "ro", "uri": "true"})
        self._url = url
        self._mappings = {mapping.resource: mapping for mapping in settings.resolve()}

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    @property
    def namespace(self) -> str:
        return next(iter(self._mappings.values())).namespace

    @cached_property
    def resources(self) -> Mapped[str, Resource]:
        return {name: mapping.contract for name, mapping in self._mappings.items()}

    def windows(self, resource: Resource, *, since: datetime | None, until: datetime, full: bool) -> list[Window]:
        """An entity whole, or what changed since; an event by days of its cursor, from its first row on."""
        if resource.kind == "entity":
            is_whole = full or since is None
            return [Window.between("full" if is_whole else "incremental", None if is_whole else since, until)]
        mapping = self._mappings[resource.name]
        if since is None:
            with self._reading() as connection:
                first = self._end_of(connection, mapping, "min")
            if first is None:
                return []
            since = moment_of(first, _zone(mapping))
        return tiles(since.astimezone(UTC), until, (DAY,))

    def pull(self, resource: Resource, window: Window) -> Iterator[Batch]:
        """Rows of the window. Raises ContractError where the columns are not those of the mapping."""
        mapping = self._mappings[resource.name]
        with self._reading() as connection:
            query, parameters = self._query(connection, mapping, window)
            names: tuple[str | None, ...] = ()
            for titles, table in tables(connection, query, parameters, self._settings.batch_rows):
                if table is None:
                    names = self._names(mapping, titles)
                    continue
                yield parse_text(mapping, TextBatch(table.rename_columns([str(name) for name in names])), {})

    def reparse(self, resource: Resource, raws: Sequence[str]) -> Batch:
        """Rows that were rejected, read again as the mapping now stands."""
        return parse_again(self._mappings[resource.name], raws)

    def probe(self) -> str:
        """Ask for no rows of each resource, which proves address, credential, queries and columns."""
        with self._reading() as connection:
            for mapping in self._mappings.values():
                result = connection.execute(text(f"SELECT * FROM {_from(mapping)} WHERE 1 = 0"))
                self._names(mapping, list(result.keys()))
            return f"{connection.dialect.name} answers; the columns of {', '.join(self._mappings)} are there."

    def _reading(self) -> Any:
        return reading(self._url, self._credential, self._settings.name)

    def _query(self, connection: Connection, mapping: TableMapping, window: Window) -> tuple[str, dict[str, Any]]:
        """The whole, or the part of it whose cursor lies in the window."""
        query = f"SELECT * FROM {_from(mapping)}"
        if window.mode == "full" or window.start is None:
            return query, {}
        sample = self._end_of(connection, mapping, "max")
        if sample is None:
            return f"{query} WHERE 1 = 0", {}
        cursor = connection.dialect.identifier_preparer.quote(mapping.cursor_header)
        parameters = {"since": bound(sample, window.start, _zone(mapping))}
        query += f" WHERE {cursor} >= :since"
        if window.mode == "interval" and window.end is not None:
            query += f" AND {cursor} < :until"
            parameters["until"] = bound(sample, window.end, _zone(mapping))
        return query, parameters

    def _end_of(self, connection: Connection, mapping: TableMapping, end: str) -> Any:
        cursor = connection.dialect.identifier_preparer.quote(mapping.cursor_header)
        return connection.execute(text(f"SELECT {end}({cursor}) FROM {_from(mapping)}")).scalar()

    def _names(self, mapping: TableMapping, titles: list[str]) -> tuple[str | None, ...]:
        try:
            return match_header(mapping, titles).names
        except FileRefused as refusal:
            raise ContractError(
                f"the columns of {mapping.resource} are not those of its mapping: {refusal.message}",
                remedy="correct the mapping, or name the columns that it wants in `query`.",
            ) from refusal


def _from(mapping: TableMapping) -> str:
    return mapping.table or f"({(mapping.query or '').strip().rstrip(';')}) AS asked"


def _zone(mapping: TableMapping) -> str | None:
    column = next(column for column in mapping.columns if column.name == mapping.cursor)
    return column.time_zone or mapping.time_zone
