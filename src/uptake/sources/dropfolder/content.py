"""A file's bytes: whole or cut short, gzipped or plain, and in whose encoding the text is.

Everything here works on what was read, never on what a file's name promises. ISA-L unzips in a third of zlib's time and
beside other threads (https://python-isal.readthedocs.io).
"""

from __future__ import annotations

import codecs
import errno
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from isal import igzip, isal_zlib

CHUNK = 1 << 20
SAMPLE = 1 << 20
IN_MEMORY = 128 << 20  # plain bytes; a larger file is not held, but read twice if its encoding is not plain
GZIP = b"\x1f\x8b"
_UNDEFINED_IN_1252 = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
_REPLACEMENT = "\ufffd".encode()
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_ISAL_ERROR: type[Exception] = isal_zlib.error  # type: ignore[assignment]  # its stub takes the class for an instance
DAMAGED_GZIP = (igzip.BadGzipFile, _ISAL_ERROR)
# What `zipfile` stumbles upon in a member whose own header, or whose packed text, is not what the zip says.
_DAMAGED_MEMBER = (
    zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, NotImplementedError, OverflowError, struct.error
)  # fmt: skip
# A file, or a member of a zip that is read where it lies.
Readable = Path | zipfile.Path


class FileRefused(Exception):
    """The whole file goes to quarantine. `message` says why and holds no value of any row."""

    def __init__(self, reason: str, message: str, *, ends_early: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.ends_early = ends_early


class NotUtf8(FileRefused):
    """What was taken for UTF-8 is none."""

    def __init__(self) -> None:
        super().__init__("unreadable", "the text is not in the encoding utf-8")


def open_plain(path: Path) -> BinaryIO:
    """The file's bytes, unzipped where they are gzipped: reading them then raises EOFError where it ends early, and one
    of DAMAGED_GZIP."""
    with path.open("rb") as file:
        is_gzip = file.read(2) == GZIP
    return igzip.open(path, "rb") if is_gzip else path.open("rb")


def chunks(path: Readable) -> Iterator[bytes]:
    """Raises FileRefused: `truncated` where a gzip ends early, `unreadable` where it, or a zip around it, is broken."""
    return _zipped_chunks(path) if isinstance(path, zipfile.Path) else _file_chunks(path)


def _zipped_chunks(path: zipfile.Path) -> Iterator[bytes]:
    """A member that is gzipped itself is not unzipped a second time."""
    damaged = FileRefused("unreadable", f"{path.name} is damaged inside the zip")
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
    except _DAMAGED_MEMBER as error:
        raise damaged from error
    except OSError as error:
        if error.errno == errno.EINVAL:  # its place is before the file's beginning
            raise damaged from error
        raise


def _file_chunks(path: Path) -> Iterator[bytes]:
    try:
        with open_plain(path) as file:
            while chunk := file.read(CHUNK):
                yield chunk
    except EOFError as error:
        raise FileRefused("truncated", "the gzip ends before its end mark", ends_early=True) from error
    except DAMAGED_GZIP as error:
        raise FileRefused("unreadable", "the gzip is damaged") from error


@dataclass(frozen=True, slots=True)
class Text:
    """A text file, read once to its end, or taken for UTF-8 by its beginning.

    encoding: a Python codec, without the mark (BOM) that `skip` bytes at the beginning hold.
    size: of what was read.
    is_damaged: UTF-8 with some bytes that are none; they read as U+FFFD.
    held: the plain bytes, where they are few enough to be kept.
    """

    path: Readable
    encoding: str
    skip: int
    size: int
    is_damaged: bool = False
    held: bytes | None = None

    def utf8(self, *, sentinel: bytes = b"", skip: int = 0) -> BinaryIO:
        """The text as a stream of UTF-8: from `skip` bytes after its beginning, and with `sentinel` at its end."""
        stream = _Joined(self._pieces(), sentinel)
        stream.pass_over(skip)
        return io.BufferedReader(stream, CHUNK)

    def sample(self) -> str:
        """The beginning of the text; its last character may be a part of one."""
        beginning = next(self._bytes(), b"")[:SAMPLE]
        return codecs.getincrementaldecoder(self.encoding)("replace").decode(beginning)

    def _pieces(self) -> Iterator[bytes]:
        if self.encoding == "utf-8" and not self.is_damaged:
            yield from self._bytes()
        else:
            for text in self._texts():
                yield text.encode("utf-8", "replace")

    def _texts(self) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder(self.encoding)("replace" if self.is_damaged else "strict")
        try:
            for chunk in self._bytes():
                if text := decoder.decode(chunk):
                    yield text
            if text := decoder.decode(b"", final=True):
                yield text
        except UnicodeDecodeError as error:
            raise FileRefused("unreadable", f"the text is not in the encoding {self.encoding}") from error

    def _bytes(self) -> Iterator[bytes]:
        pieces: Iterator[bytes] = chunks(self.path) if self.held is None else iter((self.held,))
        yield next(pieces, b"")[self.skip :]
        yield from pieces


class _Joined(io.RawIOBase):
    """Pieces of bytes as one stream."""

    def __init__(self, pieces: Iterator[bytes], end: bytes) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")
        self._end = end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._refill():
            return 0
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def pass_over(self, count: int) -> None:
        while count and self._refill():
            step = min(count, len(self._rest))
            self._rest = self._rest[step:]
            count -= step

    def _refill(self) -> bool:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                piece, self._end = self._end, b""
                if not piece:
                    return False
            self._rest = memoryview(piece)
        return True


def inspect(path: Readable, encoding: str = "auto") -> Text:
    """Read a text file to its end, and tell its encoding where it is not given.

    A mark (BOM) decides; then UTF-16 is known by its zero bytes; what is valid UTF-8 is UTF-8. Other text is UTF-8
    with some damage when most of its characters beyond ASCII are valid, else Windows-1252, else Latin-1 (which
    everything is).
    Raises FileRefused: `empty`, `truncated`, `unreadable`.
    """
    census = _Census()
    held: list[bytes] | None = []
    for chunk in chunks(path):
        census.add(chunk)
        if held is not None:
            held.append(chunk)
            if census.size > IN_MEMORY:
                held = None
    if census.size == 0:
        raise FileRefused("empty", "the file is empty")
    name, skip, is_damaged = census.verdict()
    if encoding != "auto":
        name = codecs.lookup(encoding).name
        skip = skip if name in ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-8-sig") else 0
        name, is_damaged = _without_mark(name, census.verdict()[0]), False
    return Text(path, name, skip, census.size, is_damaged, b"".join(held) if held is not None else None)


def assumed_utf8(path: Path) -> Text | None:
    """A large text that begins as UTF-8, without a look at the rest; None for any other, which is to be inspected.

    Reading its lines raises NotUtf8 where they prove to be something else.
    """
    if path.stat().st_size <= IN_MEMORY // 8:  # may well be held, and is then read once anyway
        return None
    census = _Census()
    beginning = next(chunks(path), b"")
    census.add(beginning[: beginning.rfind(b"\n") + 1])
    name, skip, is_damaged = census.verdict()
    return Text(path, name, skip, census.size) if name == "utf-8" and census.size and not is_damaged else None


def _without_mark(declared: str, found: str) -> str:
    """`utf-16` and `utf-8-sig` name codecs that eat the mark; here it is passed over already."""
    if declared == "utf-16":
        return found if found.startswith("utf-16") else "utf-16-le"
    return "utf-8" if declared == "utf-8-sig" else declared


class _Census:
    """Counts what tells one encoding from another, chunk by chunk."""

    def __init__(self) -> None:
        self.size = 0
        self._head = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._wrong = 0
        self._right = 0
        self._is_1252 = True

    def add(self, chunk: bytes) -> None:
        if len(self._head) < 4096:
            self._head += chunk[:4096]
        self.size += len(chunk)
        if chunk.isascii() and not self._decoder.getstate()[0]:
            return
        self._count(self._decoder.decode(chunk), chunk.count(_REPLACEMENT))
        self._is_1252 = self._is_1252 and not _UNDEFINED_IN_1252.search(chunk)

    def _count(self, text: str, meant: int) -> None:
        wrong = max(0, text.count("\ufffd") - meant)
        self._wrong += wrong
        self._right += len(re.findall(r"[^\x00-\x7f\ufffd]", text))

    def verdict(self) -> tuple[str, int, bool]:
        """(codec, bytes of the mark, is damaged)."""
        for mark, name in _BOMS:
            if self._head.startswith(mark):
                return name, len(mark), name == "utf-8" and self._is_broken()
        zeros = (self._head[0::2].count(0), self._head[1::2].count(0))
        if max(zeros) > len(self._head) // 6 and min(zeros) <= max(zeros) // 8:
            return ("utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"), 0, False
        if not self._is_broken():
            return "utf-8", 0, False
        if self._right > self._wrong:
            return "utf-8", 0, True
        return ("cp1252" if self._is_1252 else "latin-1"), 0, False

    def _is_broken(self) -> bool:
        return self._wrong > 0 or bool(self._decoder.getstate()[0])
