"""Files of lines, each an event: one window for each file, known by its content; one format for each source entry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import field_validator

from uptake.config import SourceSettings
from uptake.contracts import Batch, Reject, Resource, Window
from uptake.credentials import Credential
from uptake.sources.base import Home, Homed
from uptake.sources.dropfolder.content import FileRefused, Text, inspect
from uptake.sources.dropfolder.readers import gzip_ends_early, read_lines, refused
from uptake.sources.filterlog.formats import LogFormat
from uptake.sources.places import DroppedFile, Folder, FolderSettings, Wanted

_FIRST_LINES = 200


class LogFileSettings(FolderSettings):
    """files: names that count, as in a mapping; without it, those usual for the format."""

    files: tuple[str, ...] = ()

    @field_validator("files", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    def make_format(self) -> LogFormat:
        raise NotImplementedError


class LogFiles(Homed):
    """One folder of log files of one format, which the settings make."""

    kind: ClassVar[str]
    settings_model: ClassVar[type[SourceSettings]]
    needs_credential: ClassVar[bool] = False

    def __init__(self, settings: SourceSettings, credential: Credential | None) -> None:
        if not isinstance(settings, LogFileSettings):
            raise TypeError(f"a folder of logs is not described by {type(settings).__name__}")
        self._format = settings.make_format()
        globs = settings.files or self._format.globs
        self._wanted = Wanted(self._format.resource.name, globs, ends_early=gzip_ends_early)
        self._folder = Folder(settings, credential)

    def settle(self, home: Home) -> None:
        """Lines have no id: the district's event key hashes them."""
        super().settle(home)
        self._folder.settle(home.notes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._folder.close()

    @property
    def namespace(self) -> str:
        return self._format.namespace

    @property
    def resources(self) -> Mapping[str, Resource]:
        return {self._format.resource.name: self._format.resource}

    def windows(self, resource: Resource, *, since: datetime | None, until: datetime, full: bool) -> list[Window]:
        """One window for each finished file (`Folder.windows`), whenever its requests happened."""
        return self._folder.windows(self._wanted)

    def pull(self, resource: Resource, window: Window) -> Iterator[Batch]:
        """The file's requests; or, where it is of another format, one reject that stands for it.

        Raises TransientError when the file has been changed or taken away since `windows`.
        """
        file = self._folder.file(self._wanted, window)
        try:
            yield from self._batches(file)
        except FileRefused as refusal:
            yield refused(resource, file.name, refusal)

    def reparse(self, resource: Resource, raws: Sequence[str]) -> Batch:
        """Lines that were rejected, read again."""
        try:
            self._format.look(raws)
        except FileRefused as refusal:
            return Batch(resource.schema.empty_table(), [Reject(refusal.reason, None, raw) for raw in raws])
        batch, _ = self._format.parse(pa.array(raws, pa.string()), self.home.event_key)
        return batch

    def probe(self) -> str:
        """How many files there are. Raises PermanentError when the folder is not there."""
        return f"{self._folder}: {self._folder.count(self._wanted)} log files"

    def _batches(self, file: DroppedFile) -> Iterator[Batch]:
        """A gzip that is cut proves so at its end: the text is read to it before a row is given out."""
        with self._folder.opened(file) as path:
            text = inspect(path)
            self._folder.hold(file)
            has_looked, left_out = False, 0
            for taken in self._lines(text):
                lines = taken
                if not has_looked:
                    self._format.look(lines.slice(0, _FIRST_LINES).to_pylist())
                    has_looked = True
                damaged = list[Reject]()
                if text.is_damaged:
                    is_bad = pc.match_substring(lines, "\ufffd")
                    damaged = [Reject("bad_encoding", None, line) for line in lines.filter(is_bad).to_pylist()]
                    lines = lines.filter(pc.invert(is_bad))
                batch, skipped = self._format.parse(lines, self.home.event_key)
                left_out += skipped
                batch.rejects += damaged
                yield batch
            self._folder.hold(file)
            if left_out:
                note = f"{file.name}: {left_out} lines were left out. {self._format.skipped_note}"
                yield Batch(self._format.resource.schema.empty_table(), note=note)

    def _lines(self, text: Text) -> Iterator[pa.Array]:
        """The text line by line, many at once."""
        return read_lines(text)
