"""A mapping of a table or a query: the columns of a drop folder's mapping, and where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import Field as Key
from pydantic import model_validator

from uptake.config import load_settings
from uptake.contracts import Resource
from uptake.errors import ConfigError
from uptake.sources.dropfolder.mapping import Mapping


class TableMapping(Mapping):
    """table: its name, with its schema if it has one. query: a SELECT in its place.

    cursor: a column of type date or timestamp that grows whenever a row is made or changed, so that a pull asks only
    for what is new; an event needs one. lookback_minutes: how far before the last pull it asks again.
    full_sync_hours: how often an entity is read whole, which is when vanished rows are marked deleted.
    """

    files: str | tuple[str, ...] = ()
    table: Annotated[str, Key(pattern=r"^[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*){0,2}$")] | None = None
    query: str | None = None
    cursor: str | None = None
    lookback_minutes: Annotated[int, Key(ge=0, le=100_000)] = 60
    full_sync_hours: Annotated[float, Key(gt=0, le=10_000)] = 24

    @model_validator(mode="after")
    def _of_a_database(self) -> TableMapping:
        if (self.table is None) == (self.query is None):
            raise ValueError("one of table and query")
        given = self.model_fields_set & {"files", "format", "encoding", "delimiter", "sheet", "skip_lines", "file_name"}
        if given := given | (self.model_fields_set & {"header_sha256", "full_list", "decimal_comma"}):
            raise ValueError(f"{', '.join(sorted(given))}: for files, not for a database")
        by_name = {column.name: column for column in self.columns}
        if self.cursor is not None and (
            self.cursor not in by_name or by_name[self.cursor].type not in ("date", "timestamp")
        ):
            raise ValueError(f"cursor {self.cursor!r} is not a column of type date or timestamp")
        if self.kind == "event" and self.cursor is None:
            raise ValueError("an event needs a cursor")
        return self

    @property
    def cursor_header(self) -> str:
        """What the database calls the cursor."""
        return next(column.headers[0] for column in self.columns if column.name == self.cursor)

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
            cursor=self.cursor is not None,
            lookback=timedelta(minutes=self.lookback_minutes),
            full_sync_every=timedelta(hours=self.full_sync_hours) if self.kind == "entity" else None,
            person=self.person,
            doc=self.doc,
        )


def load_mappings(paths: Sequence[str]) -> tuple[TableMapping, ...]:
    """Raises ConfigError: for a wrong key, two mappings of one resource, and two namespaces in one source."""
    mappings = tuple(load_settings(Path(path), TableMapping, missing="name an existing file.") for path in paths)
    resources = [mapping.resource for mapping in mappings]
    if len(resources) != len(set(resources)):
        raise ConfigError("two mappings of one database are of the same resource", remedy="name each once.")
    if len({mapping.namespace for mapping in mappings}) > 1:
        raise ConfigError(
            "the mappings of one database have different namespaces", remedy="make one source for each namespace."
        )
    return mappings
