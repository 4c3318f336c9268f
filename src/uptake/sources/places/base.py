"""What every place offers: a list of its files, and each of them as a file on this machine."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, Protocol

from uptake.errors import PermanentError

KEPT_BYTES = 2 << 30  # of fetched files that are kept from the look to the reading; what is beyond is fetched again
CHUNK = 1 << 20
_FETCHED = "fetched"

Settling = Literal["by_age", "seen_twice", "whole"]


@dataclass(frozen=True, slots=True)
class Listed:
    """A file as its place lists it. `name`: path inside the folder, with slashes. `mark`: what else tells one content
    from another, such as a local file's inode; empty where the place knows nothing more."""

    name: str
    size: int
    modified_ns: int
    mark: str = ""

    def has_content_of(self, other: Listed) -> bool:
        return (self.size, self.modified_ns) == (other.size, other.modified_ns)


class FileGoneError(FileNotFoundError):
    """A listed file was taken away, or changed, before it was there as a whole."""


class Place(Protocol):
    """Files of one folder.

    settling: how a file that is still being written is told. `by_age`: by its time, which is of our own clock;
    `seen_twice`: by a second look, since the server's clock is its own; `whole`: what is listed is finished.

    Of one file, FileNotFoundError and PermissionError are raised; of the place as a whole, PermanentError (it is not
    there, the credential is wrong) or TransientError (it does not answer).
    """

    settling: Settling

    def settle(self, notes: Path) -> None:
        """Use this private folder for what is fetched."""
        ...

    def files(self, is_wanted: Callable[[str], bool]) -> Iterator[Listed]:
        """Every file of a wanted name in the folder and those below it whose names do not begin with a dot."""
        ...

    def look(self, name: str) -> Listed: ...

    def opened(self, file: Listed, *, keep: bool = False) -> AbstractContextManager[Path]:
        """The file on this machine. `keep`: it will be asked for again."""
        ...

    def close(self) -> None: ...


class RemotePlace(ABC):
    """A place whose files are fetched to a private folder; each is removed when it is no longer needed."""

    def __init__(self) -> None:
        self._scratch: Path | None = None
        self._kept: dict[Listed, Path] = {}
        self._number = 0

    def settle(self, notes: Path) -> None:
        self._scratch = notes / _FETCHED
        shutil.rmtree(self._scratch, ignore_errors=True)  # what a killed pull left

    @contextmanager
    def opened(self, file: Listed, *, keep: bool = False) -> Iterator[Path]:
        path = self._kept.pop(file, None) or self._fetched(file)
        is_kept = False
        try:
            yield path
            is_kept = keep and sum(kept.size for kept in self._kept) + file.size <= KEPT_BYTES
        finally:
            if is_kept:
                self._kept[file] = path
            else:
                path.unlink()

    def close(self) -> None:
        self._kept.clear()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    @abstractmethod
    def files(self, is_wanted: Callable[[str], bool]) -> Iterator[Listed]: ...

    @abstractmethod
    def look(self, name: str) -> Listed: ...

    @abstractmethod
    def _pieces(self, file: Listed) -> Iterator[bytes]:
        """The file's content, from its beginning to its end."""

    def _fetched(self, file: Listed) -> Path:
        path = self._new_path(file)
        try:
            with open(path, "wb", opener=_private) as copy:
                for piece in self._pieces(file):
                    _write(copy.write, piece, file)
                written = copy.tell()
            if written != file.size or not self.look(file.name).has_content_of(file):
                raise FileGoneError(errno.ENOENT, "it was changed while it was fetched")
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def _new_path(self, file: Listed) -> Path:
        """Of the same ending, by which a file's format is told; not of the same name, which may hold a person's."""
        if self._scratch is None:
            self._scratch = Path(tempfile.mkdtemp(prefix="uptake-"))
        self._scratch.mkdir(mode=0o700, exist_ok=True)
        self._number += 1
        return self._scratch / f"{self._number}{''.join(PurePosixPath(file.name).suffixes[-2:])}"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _write(write: Callable[[bytes], int], piece: bytes, file: Listed) -> None:
    try:
        write(piece)
    except OSError as error:
        raise PermanentError(
            f"{file.name} could not be copied to this machine ({error.strerror})",
            remedy="free some disk: a fetched file lies in the state folder while it is read.",
        ) from error


def is_hidden(folder_name: str) -> bool:
    return folder_name.startswith(".")
