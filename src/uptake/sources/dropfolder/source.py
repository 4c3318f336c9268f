"""The drop folder as a source: one window for each file, known by its content.

A file is taken once, by content, whatever it is called; the landing ledger remembers which. Files are never moved,
changed or deleted here.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Mapping as Mapped
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import orjson
import pyarrow as pa
from pydantic import Field as Key
from pydantic import field_validator, model_validator

from uptake.config import SourceSettings
from uptake.contracts import Batch, Reject, Resource, Window
from uptake.credentials import Credential
from uptake.errors import ConfigError, PermanentError, TransientError
from uptake.sources.base import Home
from uptake.sources.dropfolder.content import IN_MEMORY, FileRefused
from uptake.sources.dropfolder.mapping import Mapping, known_zone, resolve_mappings
from uptake.sources.dropfolder.readers import TextBatch, ends_early, read_text
from uptake.sources.dropfolder.seen import YOUNGEST_SECONDS, Seen
from uptake.sources.dropfolder.values import parse_text

_HASH_CHARACTERS = 16
_UNFINISHED = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".filepart", "~")


class DropFolderSettings(SourceSettings):
    """mappings: paths of mapping files (`*.yaml`), or names of those that come with Uptake.

    time_zone: of times without an offset, where the mapping names none.
    settle_seconds: a file that was changed since is still being written.
    incomplete_minutes: a file whose end is missing is taken for unfinished for so long, and then for broken.
    """

    kind: Literal["dropfolder"]
    folder: Path
    mappings: Annotated[tuple[str, ...], Key(min_length=1)]
    time_zone: str | None = None
    settle_seconds: Annotated[float, Key(ge=0, le=86_400)] = 10
    incomplete_minutes: Annotated[float, Key(ge=0, le=10_080)] = 60

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


@dataclass(frozen=True, slots=True)
class DroppedFile:
    """`name`: path inside the folder, with slashes. `captured`: the values that its name holds."""

    path: Path
    name: str
    token: str
    captured: Mapped[str, str] | None
    size: int
    modified_ns: int

    @property
    def modified_at(self) -> datetime:
        return datetime.fromtimestamp(self.modified_ns / 1e9, UTC)

    def is_unchanged(self) -> bool:
        found = self.path.stat()
        return (found.st_size, found.st_mtime_ns) == (self.size, self.modified_ns)


class DropFolder:
    kind: ClassVar[str] = "dropfolder"
    settings_model: ClassVar[type[SourceSettings]] = DropFolderSettings
    needs_credential: ClassVar[bool] = False

    def __init__(self, settings: SourceSettings, credential: Credential | None) -> None:
        if not isinstance(settings, DropFolderSettings):
            raise TypeError(f"a drop folder is not described by {type(settings).__name__}")
        self._settings = settings
        self._mappings = {mapping.resource: mapping for mapping in settings.resolve()}
        self._files: dict[tuple[str, str], DroppedFile] = {}
        self._notes: Path | None = None

    def settle(self, home: Home) -> None:
        """Remember in `home` which files were read, so that one that has not changed is not read again."""
        self._notes = home.notes

    def __enter__(self) -> DropFolder:
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
        """One window for each finished file, the oldest first; which of them are new, the ledger knows. Of copies the
        newest counts.

        `since` and `until` do not matter: a file counts by its content, not by the time when it came.
        Raises PermanentError when the folder is not there, or holds a file that may not be read.
        """
        found: dict[str, DroppedFile] = {}
        seen = Seen(self._notes / f"{resource.name}.json" if self._notes else None)
        for path, name in self._candidates(resource.name):
            file = self._settled(resource.name, path, name, seen)
            if file is not None and (file.token not in found or found[file.token].modified_ns < file.modified_ns):
                found[file.token] = file
        seen.keep()
        files = sorted(found.values(), key=lambda file: (file.modified_ns, file.name))
        self._files |= {(resource.name, file.token): file for file in files}
        return [Window("file", file.token, end=file.modified_at) for file in files]

    def pull(self, resource: Resource, window: Window) -> Iterator[Batch]:
        """The file's rows; or, where the whole file is wrong, one reject that stands for it.

        Raises TransientError when the file has been changed or taken away since `windows`.
        """
        file = self._file(resource, window)
        mapping = self._mappings[resource.name]
        try:
            yield from self._batches(file, mapping)
        except FileRefused as refusal:
            sentence = f"{file.name}: {refusal.message}."
            yield Batch(
                resource.schema.empty_table(), [Reject(refusal.reason, None, sentence)], note=f"Refused {sentence}"
            )
        except OSError as error:
            raise _gone(file.name) from error

    def reparse(self, resource: Resource, raws: Sequence[str]) -> Batch:
        """Rows that were rejected, read again as the mapping now stands.

        What is no row (a line with another number of columns, a whole file that was refused) cannot come back alone.
        """
        records = [_record(raw) for raw in raws]
        rows = [record for record in records if record is not None]
        lost = [Reject("not_replayable", None, raw) for raw, row in zip(raws, records, strict=True) if row is None]
        names = dict.fromkeys(name for row in rows for name in row)
        texts = pa.table({name: pa.array([row.get(name) for row in rows], pa.string()) for name in names})
        return parse_text(self._mappings[resource.name], TextBatch(texts, lost), {})

    def probe(self) -> str:
        """How many files each mapping finds. Raises PermanentError when the folder is not there."""
        counts = {name: sum(1 for _ in self._candidates(name)) for name in self._mappings}
        return f"{self._settings.folder}: " + ", ".join(f"{count} files of {name}" for name, count in counts.items())

    # --- finding files -------------------------------------------------------------------------------------------

    def _candidates(self, resource: str) -> Iterator[tuple[Path, str]]:
        folder = self._settings.folder
        if not folder.is_dir():
            raise PermanentError(
                f"there is no drop folder {folder}", remedy="make or mount it, or correct `folder` in uptake.yaml."
            )
        patterns = [_glob_pattern(glob) for glob in self._mappings[resource].globs]
        for root, folders, names in os.walk(folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for file_name in sorted(names):
                path = Path(root, file_name)
                name = path.relative_to(folder).as_posix()
                if not _is_unfinished(file_name) and any(pattern.fullmatch(name) for pattern in patterns):
                    yield path, name

    def _settled(self, resource: str, path: Path, name: str, seen: Seen) -> DroppedFile | None:
        """The file as it stands; None while it looks as if someone still writes it, or when it has just gone."""
        mapping = self._mappings[resource]
        captured = _captured(mapping, name)
        try:
            before = path.stat()
            since = time.time() - before.st_mtime
            age = abs(since)  # a clock that is ahead must not hide a file for ever
            if age < self._settings.settle_seconds:
                return None
            known = seen.token(name, before, captured)
            if known is not None:
                return DroppedFile(path, name, known, captured, before.st_size, before.st_mtime_ns)
            if age < self._settings.incomplete_minutes * 60 and ends_early(path, mapping):
                return None
            with path.open("rb") as opened:
                digest = hashlib.file_digest(opened, "sha256")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise PermanentError(
                f"{name} cannot be read ({error.strerror})",
                remedy="let Uptake's user read it, or take it out of the folder.",
            ) from error
        for value in captured.values() if captured else ():
            digest.update(b"\x1f" + value.encode())
        token = f"file-{digest.hexdigest()[:_HASH_CHARACTERS]}"
        file = DroppedFile(path, name, token, captured, before.st_size, before.st_mtime_ns)
        if not file.is_unchanged():
            return None
        if since > max(self._settings.settle_seconds, YOUNGEST_SECONDS):
            seen.note(name, before, captured, token)
        return file

    def _file(self, resource: Resource, window: Window) -> DroppedFile:
        place = (resource.name, window.token)
        if place not in self._files:
            self.windows(resource, since=None, until=datetime.max, full=True)
        if place not in self._files:
            raise TransientError(
                f"no file of the drop folder has the content {window.token}",
                remedy="put the file back, or leave it: the next pull lists the folder afresh.",
            )
        return self._files[place]

    # --- reading one ---------------------------------------------------------------------------------------------

    def _batches(self, file: DroppedFile, mapping: Mapping) -> Iterator[Batch]:
        """Nothing is given out before the whole file has proved readable: a file lands whole or not at all."""
        if file.captured is None:
            raise FileRefused("unexpected_file_name", f"the name does not match {mapping.file_name!r}")
        texts = _read_whole(file.path, mapping)
        if not file.is_unchanged():
            raise _gone(file.name)
        for text in texts:
            yield parse_text(mapping, text, file.captured)
        if not file.is_unchanged():
            raise _gone(file.name)


def _read_whole(path: Path, mapping: Mapping) -> Iterable[TextBatch]:
    """Rows of a file that was read to its end without a fault: held, or to be read again where they are many."""
    held: list[TextBatch] | None = []
    size = 0
    for text in read_text(path, mapping):
        size += text.table.nbytes
        if held is not None:
            held.append(text)
            held = held if size <= IN_MEMORY else None
    return read_text(path, mapping) if held is None else held


def _record(raw: str) -> dict[str, str | None] | None:
    """A row as `parse_text` writes it to a reject; None for any other text."""
    try:
        record = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    is_row = isinstance(record, dict) and all(value is None or isinstance(value, str) for value in record.values())
    return record if is_row else None


def _gone(name: str) -> TransientError:
    return TransientError(
        f"{name} was changed or taken away while it was read", remedy="nothing: the next pull takes it as it then is."
    )


def _is_unfinished(name: str) -> bool:
    return name.startswith((".", "~")) or name.casefold().endswith(_UNFINISHED)


def _captured(mapping: Mapping, name: str) -> dict[str, str] | None:
    """Values that a file's name holds; None when it is not of the declared form."""
    if mapping.file_name is None:
        return {}
    match = re.search(mapping.file_name, name)
    return match.groupdict() if match and all(match.groupdict().values()) else None


def _glob_pattern(glob: str) -> re.Pattern[str]:
    """`*` and `?` inside one name, `**/` any folders; capital and small letters are one."""
    pieces = re.split(r"(\*\*/|\*|\?)", glob)
    meanings = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meanings.get(piece, re.escape(piece)) for piece in pieces), re.IGNORECASE)
