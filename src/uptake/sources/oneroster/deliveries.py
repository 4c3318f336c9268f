"""A delivery of CSV files: a zip, or a folder. What it holds, and for which resources.

A zip is never unpacked to a disk: its members are read where they lie, and its names are looked at all the same, since
one that would lead out of its folder says that the zip was made to do harm.
"""

from __future__ import annotations

import csv
import hashlib
import io
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from uptake.sources.dropfolder.content import FileRefused, Readable, chunks, inspect
from uptake.sources.oneroster.sheets import ONEROSTER, Dialect, Sheet
from uptake.sources.places import DroppedFile, Folder

MANIFEST = "manifest.csv"
LARGEST_BYTES = 32 << 30  # of all members together
LARGEST_RATIO = 200  # of unpacked to packed size; text of a roster is packed to a tenth
_SMALL_BYTES = 64 << 20  # below it no ratio does harm
_HASH_CHARACTERS = 16
# What `zipfile` stumbles upon in a central directory that is none.
_NO_ZIP = (zipfile.BadZipFile, EOFError, ValueError, OverflowError, NotImplementedError, struct.error)

Members = Mapping[str, Readable]  # by file name, in small letters


@dataclass(frozen=True, slots=True)
class Delivery:
    """files: one zip, or the CSV files of one folder. token: hash of all content."""

    name: str
    files: tuple[DroppedFile, ...]
    token: str
    is_zip: bool

    @property
    def modified_at(self) -> datetime:
        return max(file.modified_at for file in self.files)

    @contextmanager
    def opened(self, folder: Folder) -> Iterator[Members]:
        """Its members, to be read. Raises FileRefused for a zip that is none, is encrypted, too large or out to do
        harm; TransientError where it was changed or taken away meanwhile, also at the end."""
        with ExitStack() as stack:
            paths = {_base(file.name): stack.enter_context(folder.opened(file, keep=True)) for file in self.files}
            yield stack.enter_context(_unzipped(next(iter(paths.values())))) if self.is_zip else paths
            for file in self.files:
                folder.hold(file)


@dataclass(frozen=True, slots=True)
class Part:
    """What a delivery holds of one resource. token: hash of the files that it is made of, and of how they are read."""

    token: str
    is_change: bool


@contextmanager
def _unzipped(path: Path) -> Iterator[Members]:
    try:
        archive = zipfile.ZipFile(path)
    except _NO_ZIP as error:
        raise FileRefused("unreadable", "the zip's end is missing, or it is no zip") from error
    with archive:
        yield _members(archive)


def _members(archive: zipfile.ZipFile) -> Members:
    """CSV files, in whatever folders they lie."""
    files = [entry for entry in archive.infolist() if not entry.is_dir()]
    if any(entry.flag_bits & 1 for entry in files):
        raise FileRefused("unreadable", "the zip is protected by a password: send it without")
    if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in files):
        raise FileRefused("unreadable", "the zip is packed in another way than Deflate: make it anew")
    for entry in files:
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in entry.filename:
            raise FileRefused("unsafe_name", "a file name in the zip leads out of its folder: do not trust its sender")
    size = sum(entry.file_size for entry in files)
    packed = sum(entry.compress_size for entry in files)
    if size > LARGEST_BYTES or (size > _SMALL_BYTES and size > LARGEST_RATIO * packed):
        raise FileRefused("too_large", f"the zip unpacks from {packed} to {size} bytes: no roster does")
    found: dict[str, Readable] = {}
    for entry in files:
        path = PurePosixPath(entry.filename)
        if path.suffix.casefold() != ".csv" or any(part.startswith((".", "__MACOSX")) for part in path.parts):
            continue
        name = path.name.casefold()
        if name in found:
            raise FileRefused("unreadable", f"the zip holds {name} twice")
        found[name] = zipfile.Path(archive, entry.filename)
    return found


# --- the manifest ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Manifest:
    """modes: by file name without `.csv`, in small letters: `bulk`, `delta` or `absent`."""

    version: str
    modes: Mapping[str, str]


def read_manifest(path: Readable) -> Manifest:
    """Raises FileRefused that says what is wrong with it."""
    text = inspect(path)
    with text.utf8() as stream:
        lines = io.TextIOWrapper(stream, encoding="utf-8", errors="replace", newline="")
        try:
            rows = [[cell.strip() for cell in row] for row in csv.reader(lines) if any(cell.strip() for cell in row)]
        except csv.Error as error:
            raise FileRefused("wrong_manifest", f"{MANIFEST} cannot be read as CSV") from error
    properties = {row[0].casefold(): row[1].casefold() for row in rows if len(row) > 1}
    version = ".".join(properties.get("oneroster.version", "").split(".")[:2])
    if version not in ONEROSTER:
        told = f"{version!r}" if version else "nothing"
        raise FileRefused(
            "wrong_manifest", f"{MANIFEST} says {told} as oneroster.version; known: {', '.join(ONEROSTER)}"
        )
    modes = {name.removeprefix("file."): mode for name, mode in properties.items() if name.startswith("file.")}
    wrong = sorted(name for name, mode in modes.items() if mode not in ("bulk", "delta", "absent"))
    if wrong:
        raise FileRefused("wrong_manifest", f"{MANIFEST} says neither bulk, delta nor absent of file.{wrong[0]}")
    return Manifest(version, modes)


@dataclass(frozen=True, slots=True)
class Contents:
    """A delivery's members, read by their dialect. manifest: None where the dialect has none."""

    dialect: Dialect
    dialect_name: str
    members: Members
    manifest: Manifest | None

    @classmethod
    def of(cls, members: Members, dialect: Dialect | None, name: str) -> Contents:
        """dialect: None where the manifest is to tell it. Raises FileRefused."""
        if dialect is not None:
            return cls(dialect, name, members, None)
        if MANIFEST not in members:
            raise FileRefused(
                "missing_manifest",
                f"there is no {MANIFEST}, which every OneRoster delivery has; for School Data Sync set `dialect`",
            )
        manifest = read_manifest(members[MANIFEST])
        return cls(ONEROSTER[manifest.version], manifest.version, members, manifest)

    def parts(self) -> dict[str, Part]:
        """By resource. One whose file is promised and missing is a part as well: reading it says what is missing."""
        return {
            resource: Part(self._token(resource), self.is_change(resource))
            for resource, sheets in self.dialect.sheets.items()
            if self._is_offered(resource, sheets)
        }

    def is_change(self, resource: str) -> bool:
        return self._mode(self.dialect.sheets[resource][0]) == "delta"

    def file(self, sheet: Sheet) -> Readable:
        """Raises FileRefused `missing_file`."""
        for name in sheet.names:
            if (path := self.members.get(f"{name}.csv".casefold())) is not None:
                return path
        promised = "manifest.csv names it" if self.manifest else "it is needed"
        raise FileRefused("missing_file", f"{sheet.names[0]}.csv is not there, although {promised}")

    def sheets(self, resource: str) -> list[tuple[Sheet, Readable]]:
        """The files of a resource. Raises FileRefused where one is missing, or left out of the manifest."""
        sheets = self.dialect.sheets[resource]
        absent = [sheet.names[0] for sheet in sheets if self._mode(sheet) == "absent"]
        if absent:
            there = next(sheet.names[0] for sheet in sheets if self._mode(sheet) != "absent")
            raise FileRefused("missing_file", f"{there}.csv is sent without {absent[0]}.csv: they belong together")
        return [(sheet, self.file(sheet)) for sheet in sheets]

    def _mode(self, sheet: Sheet) -> str:
        """`bulk` where there is no manifest and the file is there."""
        if self.manifest is not None:
            modes = [self.manifest.modes.get(name.casefold(), "absent") for name in sheet.names]
            return next((mode for mode in modes if mode != "absent"), "absent")
        return "bulk" if any(f"{name}.csv".casefold() in self.members for name in sheet.names) else "missing"

    def _is_offered(self, resource: str, sheets: tuple[Sheet, ...]) -> bool:
        if self.manifest is not None:
            return any(self._mode(sheet) != "absent" for sheet in sheets)
        return resource in self.dialect.required or self._mode(sheets[0]) == "bulk"

    def _token(self, resource: str) -> str:
        digest = hashlib.sha256(f"{self.dialect_name}\x1f{resource}\x1f".encode())
        for sheet in self.dialect.sheets[resource]:
            digest.update(f"{sheet.names[0]}\x1f{self._mode(sheet)}\x1f".encode())
            for name in sheet.names:
                if (path := self.members.get(f"{name}.csv".casefold())) is not None:
                    for chunk in chunks(path):
                        digest.update(chunk)
            digest.update(b"\x1e")
        return f"file-{digest.hexdigest()[:_HASH_CHARACTERS]}"


def whole_token(files: tuple[DroppedFile, ...]) -> str:
    """Of a folder of files: of their names and contents."""
    text = "\x1e".join(sorted(f"{_base(file.name)}\x1f{file.token}" for file in files))
    return f"file-{hashlib.sha256(text.encode()).hexdigest()[:_HASH_CHARACTERS]}"


def _base(name: str) -> str:
    return name.rpartition("/")[2].casefold()
