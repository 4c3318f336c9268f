"""What is known of dropped files from an earlier look, so that a file that has not changed costs no reading.

A cache and nothing more: without it every file is read again, and the answers are the same.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from uptake.sources.places.base import Listed

# A file that is changed twice within one tick of its clock keeps its time: a file this young is looked at again.
YOUNGEST_SECONDS = 2.0


class Mark(BaseModel):
    """A file as it stood when it was read. `captured`: what its name held, of which `token` is a hash too."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int
    modified_ns: int
    mark: str
    captured: dict[str, str] | None
    token: str

    @classmethod
    def of(cls, found: Listed, captured: Mapping[str, str] | None, token: str) -> Mark:
        return cls(
            size=found.size,
            modified_ns=found.modified_ns,
            mark=found.mark,
            captured=None if captured is None else dict(captured),
            token=token,
        )


class _Marks(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[2] = 2
    files: dict[str, Mark] = {}


class Seen:
    """The files of one resource by name. Names that a look does not come by are forgotten when it ends (`keep`)."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._before: dict[str, Mark] = {}
        self._now: dict[str, Mark] = {}
        if path is not None:
            try:
                self._before = _Marks.model_validate_json(path.read_bytes()).files
            except (FileNotFoundError, ValidationError):
                self._before = {}  # the first look, or the notes of another version: every file is read

    def token(self, found: Listed, captured: Mapping[str, str] | None) -> str | None:
        """The file's token, where it stands as it stood."""
        mark = self._before.get(found.name)
        if mark is None or mark != Mark.of(found, captured, mark.token):
            return None
        self._now[found.name] = mark
        return mark.token

    def note(self, found: Listed, captured: Mapping[str, str] | None, token: str) -> None:
        self._now[found.name] = Mark.of(found, captured, token)

    def keep(self) -> None:
        """Write what this look found, unless it is what was known."""
        if self._path is None or self._now == self._before:
            return
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp")
        beside.write_text(_Marks(files=self._now).model_dump_json(), encoding="utf-8")
        beside.replace(self._path)
