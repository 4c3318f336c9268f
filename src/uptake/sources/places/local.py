"""A folder on this machine, or one that is mounted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from uptake.errors import PermanentError
from uptake.sources.places.base import Listed, Settling, is_hidden


class LocalPlace:
    settling: Settling = "by_age"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __str__(self) -> str:
        return str(self._folder)

    def settle(self, notes: Path) -> None:
        """Nothing is fetched."""

    def files(self, is_wanted: Callable[[str], bool]) -> Iterator[Listed]:
        if not self._folder.is_dir():
            raise PermanentError(
                f"there is no drop folder {self._folder}",
                remedy="make or mount it, or correct `folder` in uptake.yaml.",
            )
        for root, folders, names in os.walk(self._folder):
            folders[:] = sorted(name for name in folders if not is_hidden(name))
            for file_name in sorted(names):
                name = Path(root, file_name).relative_to(self._folder).as_posix()
                if is_wanted(name):
                    try:
                        yield self.look(name)
                    except FileNotFoundError:
                        continue

    def look(self, name: str) -> Listed:
        found = (self._folder / name).stat()
        return Listed(name, found.st_size, found.st_mtime_ns, f"{found.st_ctime_ns}-{found.st_ino}")

    @contextmanager
    def opened(self, file: Listed, *, keep: bool = False) -> Iterator[Path]:
        yield self._folder / file.name

    def close(self) -> None:
        """Nothing is open."""
