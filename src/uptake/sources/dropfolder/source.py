"""The drop folder as a source: one window for each file, read by its mapping. Which files count, and when, is decided
by `uptake.sources.places`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Mapped
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field as Key
from pydantic import field_validator, model_validator

from uptake.config import SourceSettings
from uptake.contracts import Batch, Resource, Window
from uptake.credentials import Credential
from uptake.errors import ConfigError
from uptake.sources.base import Home
from uptake.sources.dropfolder.content import FileRefused, NotUtf8
from uptake.sources.dropfolder.mapping import Mapping, known_zone, resolve_mappings
from uptake.sources.dropfolder.readers import ends_early, format_of, read_text, refused
from uptake.sources.dropfolder.values import parse_again, parse_text
from uptake.sources.paging import ahead
from uptake.sources.places import DroppedFile, Folder, FolderSettings, Wanted

_LINES_AHEAD = 8  # blocks of lines are small, and are read on while landing writes a million rows


class DropFolderSettings(FolderSettings):
    """mappings: paths of mapping files (`*.yaml`), or names of those that come with Uptake.

    time_zone: of times without an offset, where the mapping names none.
    """

    kind: Literal["dropfolder"]
    mappings: Annotated[tuple[str, ...], Key(min_length=1)]
    time_zone: str | None = None

    @field_validator("mappings", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        return known_zone(value)

    @model_validator(mode="after")
    def _resolved(self) -> DropFolderSettings:
        try:
            self.resolve()
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def namespace(self) -> str:
        return self.resolve()[0].namespace

    def resolve(self) -> tuple[Mapping, ...]:
        """The mappings, each with a time zone where it needs one. Raises ConfigError."""
        found = []
        for mapping in resolve_mappings(self.mappings):
            zoned = mapping if mapping.time_zone else mapping.model_copy(update={"time_zone": self.time_zone})
            zoneless = [
                column.name for column in mapping.columns if column.type == "timestamp" and not column.time_zone
            ]
            if zoneless and zoned.time_zone is None:
                raise ConfigError(
                    f"mapping {mapping.namespace}/{mapping.resource} has times without a zone ({', '.join(zoneless)})",
                    remedy="set time_zone in the mapping or in the source.",
                )
            found.append(zoned)
        return tuple(found)


class DropFolder:
    """Files in a folder, each read by the mapping that describes it."""

    kind: ClassVar[str] = "dropfolder"
    settings_model: ClassVar[type[SourceSettings]] = DropFolderSettings
    needs_credential: ClassVar[bool] = False

    def __init__(self, settings: SourceSettings, credential: Credential | None) -> None:
        if not isinstance(settings, DropFolderSettings):
            raise TypeError(f"a drop folder is not described by {type(settings).__name__}")
        self._mappings = {mapping.resource: mapping for mapping in settings.resolve()}
        self._wanted = {
            name: Wanted(name, mapping.globs, mapping.file_name, partial(ends_early, mapping=mapping))
            for name, mapping in self._mappings.items()
        }
        self._folder = Folder(settings, credential)

    def settle(self, home: Home) -> None:
        """Remember in `home` which files were read, so that one that has not changed is not read again."""
        self._folder.settle(home.notes)

    def __enter__(self) -> DropFolder:
        return self

    def __exit__(self, *error: object) -> None:
        self._folder.close()

    @property
    def namespace(self) -> str:
        return next(iter(self._mappings.values())).namespace

    @cached_property
    def resources(self) -> Mapped[str, Resource]:
        return {name: mapping.contract for name, mapping in self._mappings.items()}

    def windows(self, resource: Resource, *, since: datetime | None, until: datetime, full: bool) -> list[Window]:
        """One window for each finished file (`Folder.windows`). `since` and `until` do not matter: a file counts by its
        content, not by the time when it came."""
        return self._folder.windows(self._wanted[resource.name])

    def pull(self, resource: Resource, window: Window) -> Iterator[Batch]:
        """The file's rows; or, where the whole file is wrong, one reject that stands for it.

        Raises TransientError when the file has been changed or taken away since `windows`.
        """
        file = self._folder.file(self._wanted[resource.name], window)
        try:
            yield from self._batches(file, self._mappings[resource.name])
        except FileRefused as refusal:
            yield refused(resource, file.name, refusal)

    def reparse(self, resource: Resource, raws: Sequence[str]) -> Batch:
        """Rows that were rejected, read again as the mapping now stands.

        What is no row (a line with another number of columns, a whole file that was refused) cannot come back alone.
        """
        return parse_again(self._mappings[resource.name], raws)

    def probe(self) -> str:
        """How many files each mapping finds. Raises PermanentError when the folder is not there."""
        counts = {name: self._folder.count(wanted) for name, wanted in self._wanted.items()}
        return f"{self._folder}: " + ", ".join(f"{count} files of {name}" for name, count in counts.items())

    def _batches(self, file: DroppedFile, mapping: Mapping) -> Iterator[Batch]:
        """A file lands whole or not at all: where it proves unreadable after its first rows, these do not count."""
        if file.captured is None:
            raise FileRefused("unexpected_file_name", f"the name does not match {mapping.file_name!r}")
        with self._folder.opened(file) as path:
            try:
                yield from _parsed(path, mapping, file.captured, assumes_utf8=True)
            except NotUtf8:
                yield Batch(mapping.contract.schema.empty_table(), starts_over=True)
                yield from _parsed(path, mapping, file.captured, assumes_utf8=False)
            self._folder.hold(file)


def _parsed(path: Path, mapping: Mapping, captured: Mapped[str, str], *, assumes_utf8: bool) -> Iterator[Batch]:
    depth = _LINES_AHEAD if format_of(path, mapping) == "ndjson" else 1
    for text in ahead(read_text(path, mapping, assumes_utf8=assumes_utf8), depth):
        yield parse_text(mapping, text, captured)
