"""A mapping of a table or a query: the columns of a drop folder's mapping, and where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import Field as Key
from pydantic import model_validator

from uptake.config import load_settings
from uptake.contracts import Resource
from uptake.sources.dropfolder.mapping import Mapping, insist_on_one_source


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
        return replace(
            super().contract,
            cursor=self.cursor is not None,
            lookback=timedelta(minutes=self.lookback_minutes),
            full_sync_every=timedelta(hours=self.full_sync_hours) if self.kind == "entity" else None,
        )


def load_mappings(paths: Sequence[str]) -> tuple[TableMapping, ...]:
    """Raises ConfigError: for a wrong key, two mappings of one resource, and two namespaces in one source."""
    mappings = tuple(load_settings(Path(path), TableMapping, missing="name an existing file.") for path in paths)
    insist_on_one_source(mappings, "database")
    return mappings
