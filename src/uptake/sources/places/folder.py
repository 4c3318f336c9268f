"""Which files of a place are ready to be taken, each known by its content.

A file is taken once, by content, whatever it is called; the landing ledger remembers which. Files are never moved,
changed or deleted here.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from uptake.contracts import Window
from uptake.credentials import Credential
from uptake.errors import PermanentError, TransientError
from uptake.sources.places.base import Listed, Place
from uptake.sources.places.seen import YOUNGEST_SECONDS, Seen
from uptake.sources.places.settings import FolderSettings

_HASH_CHARACTERS = 16
_UNFINISHED = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".filepart", "~")


@dataclass(frozen=True)
class Wanted:
    """Files of one resource.

    globs: names that count. file_name: a regular expression whose groups are values that a name holds.
    ends_early: whether a file looks cut, so that it is left while it is young.
    """

    resource: str
    globs: tuple[str, ...]
    file_name: str | None = None
    ends_early: Callable[[Path], bool] = field(default=lambda path: False)

    @cached_property
    def _patterns(self) -> list[re.Pattern[str]]:
        return [_glob_pattern(glob) for glob in self.globs]

    def has(self, name: str) -> bool:
        return not _is_unfinished(name.rpartition("/")[2]) and any(
            pattern.fullmatch(name) for pattern in self._patterns
        )

    def captured(self, name: str) -> dict[str, str] | None:
        """Values that a file's name holds; None when it is not of the declared form."""
        if self.file_name is None:
            return {}
        match = re.search(self.file_name, name)
        return match.groupdict() if match and all(match.groupdict().values()) else None


@dataclass(frozen=True, slots=True)
class DroppedFile:
    """`name`: path inside the folder, with slashes. `captured`: the values that its name holds."""

    listed: Listed
    token: str
    captured: Mapping[str, str] | None

    @property
    def name(self) -> str:
        return self.listed.name

    @property
    def modified_at(self) -> datetime:
        return datetime.fromtimestamp(self.listed.modified_ns / 1e9, UTC)


class Folder:
    """The files of one source, wherever they lie. Close it when it is done with."""

    sleep: ClassVar[Callable[[float], None]] = time.sleep

    def __init__(self, settings: FolderSettings, credential: Credential | None) -> None:
        self._settings = settings
        self._place: Place = settings.place(credential)
        self._files: dict[tuple[str, str], DroppedFile] = {}
        self._notes: Path | None = None

    def __str__(self) -> str:
        return str(self._place)

    def settle(self, notes: Path) -> None:
        """Remember in `notes` which files were read, so that one that has not changed is not read again."""
        self._notes = notes
        self._place.settle(notes)

    def close(self) -> None:
        self._place.close()

    def count(self, wanted: Wanted) -> int:
        return sum(1 for _ in self._place.files(wanted.has))

    def names(self, wanted: Wanted) -> set[str]:
        """Every file of a wanted name, be it finished or not."""
        return {listed.name for listed in self._listed(wanted)}

    def files(self, wanted: Wanted) -> list[DroppedFile]:
        """Each finished file. Raises PermanentError when the folder is not there, or holds a file that may not be
        read."""
        seen = Seen(self._notes / f"{wanted.resource}.json" if self._notes else None)
        known = (self._known(wanted, listed, seen) for listed in self._finished(wanted, seen))
        files = [file for file in known if file is not None]
        seen.keep()
        return files

    def windows(self, wanted: Wanted) -> list[Window]:
        """One window for each finished file, the oldest first; which of them are new, the ledger knows. Of copies the
        newest counts. Raises as `files`."""
        found: dict[str, DroppedFile] = {}
        for file in self.files(wanted):
            if file.token not in found or found[file.token].listed.modified_ns < file.listed.modified_ns:
                found[file.token] = file
        files = sorted(found.values(), key=lambda file: (file.listed.modified_ns, file.name))
        self._files |= {(wanted.resource, file.token): file for file in files}
        return [Window("file", file.token, end=file.modified_at) for file in files]

    def file(self, wanted: Wanted, window: Window) -> DroppedFile:
        """The file of a window. Raises TransientError where the folder no longer has it."""
        place = (wanted.resource, window.token)
        if place not in self._files:
            self.windows(wanted)
        if place not in self._files:
            raise TransientError(
                f"no file of the drop folder has the content {window.token}",
                remedy="put the file back, or leave it: the next pull lists the folder afresh.",
            )
        return self._files[place]

    @contextmanager
    def opened(self, file: DroppedFile, *, keep: bool = False) -> Iterator[Path]:
        """The file on this machine, to be read. `keep`: it will be asked for again before the folder is closed. Raises
        TransientError where it was changed or taken away."""
        try:
            with self._place.opened(file.listed, keep=keep) as path:
                yield path
        except OSError as error:
            raise gone(file.name) from error

    def hold(self, file: DroppedFile) -> None:
        """Raises TransientError where the file is no longer what was listed."""
        try:
            is_same = self._place.look(file.name).has_content_of(file.listed)
        except OSError as error:
            raise gone(file.name) from error
        if not is_same:
            raise gone(file.name)

    def _finished(self, wanted: Wanted, seen: Seen) -> list[Listed]:
        """Files that nobody seems to be writing any more."""
        listed = list(self._listed(wanted))
        match self._place.settling:
            case "whole":
                return listed
            case "by_age":
                return [file for file in listed if abs(_age(file)) >= self._settings.settle_seconds]
            case "seen_twice":
                new = {file.name for file in listed if seen.token(file, wanted.captured(file.name)) is None}
                if not new:
                    return listed
                type(self).sleep(self._settings.settle_seconds)
                again = {file.name: file for file in self._listed(wanted)}
                return [file for file in listed if file.name not in new or again.get(file.name) == file]

    def _listed(self, wanted: Wanted) -> Iterator[Listed]:
        try:
            yield from self._place.files(wanted.has)
        except PermissionError as error:
            raise PermanentError(
                f"a folder or file in {self} may not be looked at ({error.strerror})",
                remedy="let Uptake's user read it, or take it out of the folder.",
            ) from error

    def _known(self, wanted: Wanted, listed: Listed, seen: Seen) -> DroppedFile | None:
        """The file by its content; None while its end is missing, or when it has just changed or gone."""
        captured = wanted.captured(listed.name)
        known = seen.token(listed, captured)
        if known is not None:
            return DroppedFile(listed, known, captured)
        is_young = abs(_age(listed)) < self._settings.incomplete_minutes * 60
        may_be_cut = is_young and self._place.settling != "whole"
        try:
            with self._place.opened(listed, keep=True) as path:
                if may_be_cut and wanted.ends_early(path):
                    return None
                with path.open("rb") as opened:
                    digest = hashlib.file_digest(opened, "sha256")
                if not self._place.look(listed.name).has_content_of(listed):
                    return None
        except FileNotFoundError:
            return None
        except OSError as error:
            raise PermanentError(
                f"{listed.name} cannot be read ({error.strerror})",
                remedy="let Uptake's user read it, or take it out of the folder.",
            ) from error
        for value in captured.values() if captured else ():
            digest.update(b"\x1f" + value.encode())
        token = f"file-{digest.hexdigest()[:_HASH_CHARACTERS]}"
        if self._is_worth_noting(listed):
            seen.note(listed, captured, token)
        return DroppedFile(listed, token, captured)

    def _is_worth_noting(self, listed: Listed) -> bool:
        """A file so young that it could change again without a change of its time is looked at again."""
        match self._place.settling:
            case "by_age":
                return _age(listed) > max(self._settings.settle_seconds, YOUNGEST_SECONDS)
            case "whole":
                return _age(listed) > YOUNGEST_SECONDS
            case "seen_twice":
                return self._settings.settle_seconds >= YOUNGEST_SECONDS


def gone(name: str) -> TransientError:
    return TransientError(
        f"{name} was changed or taken away while it was read", remedy="nothing: the next pull takes it as it then is."
    )


def _age(listed: Listed) -> float:
    """Seconds; a clock that is ahead must not hide a file for ever, so it may be less than none."""
    return time.time() - listed.modified_ns / 1e9


def _is_unfinished(name: str) -> bool:
    return name.startswith((".", "~")) or name.casefold().endswith(_UNFINISHED)


def _glob_pattern(glob: str) -> re.Pattern[str]:
    """`*` and `?` inside one name, `**/` any folders; capital and small letters are one."""
    pieces = re.split(r"(\*\*/|\*|\?)", glob)
    meanings = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meanings.get(piece, re.escape(piece)) for piece in pieces), re.IGNORECASE)
