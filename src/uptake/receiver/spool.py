"""The spool: what was acknowledged and is not landed yet, encrypted, on the receiver's own disk.

A lane (district, source, resource) is a folder of segments. One process appends to one segment at a time and holds a
lock on it, so that a segment whose writer died is told from one that still grows: `.open` and locked, `.open` and
free, `.seg` when it is closed. A segment is named by its time and by chance, never by what is in it.

    segment  =  MAGIC, then frames
    frame    =  length u32, crc32 u32 of what follows, AES-256-GCM of a delivery with its number in the segment as nonce

A crash may leave a torn last frame: its length or crc is wrong, and reading ends before it. Nothing behind a torn frame
was ever acknowledged, because a segment in which a write failed is closed for good. Each segment has a key of its own
(HKDF-SHA256 of the district's seal key, salted with the segment's name), so that a nonce is used once.
"""

from __future__ import annotations

import base64
import errno
import fcntl
import os
import secrets
import struct
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pyarrow as pa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from uptake.errors import PermanentError
from uptake.landing.vault import SEAL_KEY, Keyring, private_folder
from uptake.landing.writer import sync_folder
from uptake.project import Project

MAGIC = b"UPSPOOL1"
OPEN, CLOSED = ".open", ".seg"
SIGNAL = "segment-closed"
_FRAME = struct.Struct("<II")
_HEAD = struct.Struct("<H")
_NONCE_BYTES = 12
_MAX_FRAME = 2**31
_LZ4 = pa.Codec("lz4")
_WORTHWHILE = 512  # bytes; less would hardly shrink


class SpoolFull(Exception):
    """The disk is full, or so full that the reserve would be touched. Nothing was acknowledged."""


class SpoolBroken(Exception):
    """The spool could not be written for another reason. Nothing was acknowledged."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request's body as it came. `sensor` is the name that its key was given, not what the body says."""

    received_at: datetime
    sensor: str
    body: bytes
    is_gzip: bool = False

    def pack(self) -> bytes:
        """As bytes, compressed: events repeat their names, and the disk sets the receiver's pace."""
        size = 0 if self.is_gzip or len(self.body) < _WORTHWHILE else len(self.body)
        body = _LZ4.compress(self.body, asbytes=True) if size else self.body
        head = orjson.dumps(
            {"at": self.received_at.isoformat(), "sensor": self.sensor, "gzip": self.is_gzip, "size": size}
        )
        return _HEAD.pack(len(head)) + head + body

    @classmethod
    def unpack(cls, packed: bytes) -> Delivery:
        (length,) = _HEAD.unpack_from(packed)
        head = orjson.loads(packed[_HEAD.size : _HEAD.size + length])
        body = packed[_HEAD.size + length :]
        if head["size"]:
            body = _LZ4.decompress(body, decompressed_size=head["size"], asbytes=True)
        return cls(datetime.fromisoformat(head["at"]), head["sensor"], body, head["gzip"])


@dataclass(frozen=True)
class Lane:
    """Where deliveries of one resource of one source wait. `key` is 32 bytes and belongs to the district."""

    folder: Path
    key: bytes

    @property
    def signal(self) -> Path:
        """The file in the district's spool that stands there once a segment was closed; see `signal_file`."""
        return self.folder.parents[1] / SIGNAL

    @property
    def event_key(self) -> bytes:
        """Keys the hash that stands for an event without an id: it must tell nothing to one who guesses events."""
        return _derived(self.key, b"", b"uptake event key")

    def cipher(self, name: str) -> AESGCM:
        return AESGCM(_derived(self.key, name.encode(), b"uptake spool segment"))

    # ---- reading, by the pull ---------------------------------------------------------------------------------------

    def closed(self) -> list[str]:
        """Names of the segments that nobody writes any more, oldest first. Those of a dead writer are among them."""
        if not self.folder.is_dir():
            return []
        for path in sorted(self.folder.glob(f"*{OPEN}")):
            _close_if_abandoned(path)
        return sorted(path.stem for path in self.folder.glob(f"*{CLOSED}"))

    def read(self, name: str) -> Iterator[Delivery]:
        """The deliveries of a closed segment, up to a torn end.

        Raises PermanentError for a segment that this district's key does not open.
        """
        cipher, place = self.cipher(name), self._place(name)
        with (self.folder / f"{name}{CLOSED}").open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                return  # its writer died before the first frame
            number = 0
            while (sealed := _next_frame(file.read)) is not None:
                try:
                    yield Delivery.unpack(cipher.decrypt(_nonce(number), sealed, place))
                except InvalidTag as error:
                    raise PermanentError(
                        f"spool segment {name} cannot be opened with the district's seal key",
                        remedy="restore vault/<district>/seal.key as it was when the segment was written.",
                    ) from error
                number += 1

    def remove(self, name: str) -> None:
        """To be called only when the ledger says that the segment landed."""
        (self.folder / f"{name}{CLOSED}").unlink(missing_ok=True)

    def oldest(self) -> datetime | None:
        """When the oldest segment that waits was begun."""
        names = sorted(path.stem for suffix in (OPEN, CLOSED) for path in self.folder.glob(f"*{suffix}"))
        return begun_at(names[0]) if names else None

    def begun(self, name: str) -> datetime:
        return begun_at(name)

    def _place(self, name: str) -> bytes:
        return "/".join((*self.folder.parts[-3:], name)).encode()


class SegmentWriter:
    """Appends groups of deliveries to the lane's growing segment. Used by one thread at a time."""

    def __init__(self, lane: Lane, *, segment_bytes: int, segment_seconds: float, reserve_bytes: int) -> None:
        self._lane = lane
        self._segment_bytes = segment_bytes
        self._segment_seconds = segment_seconds
        self._reserve_bytes = reserve_bytes
        self._file: int | None = None
        self._name = ""
        self._frames = 0
        self._size = 0
        self._begun = 0.0

    def append(self, group: Sequence[bytes]) -> None:
        """Write packed deliveries in one write and sync them; they are on disk when this returns.

        Raises SpoolFull or SpoolBroken; then none of them counts, and the segment takes nothing more.
        """
        try:
            self._insist_on_room(sum(map(len, group)))
            if self._file is None:
                self._begin()
            assert self._file is not None
            frames = b"".join(self._frame(packed) for packed in group)
            _write_all(self._file, frames)
            os.fdatasync(self._file)
            self._size += len(frames)
        except OSError as error:
            self._abandon()
            if error.errno in _NO_ROOM:
                raise SpoolFull("no room is left for the spool") from error
            raise SpoolBroken(f"{type(error).__name__}: {error.strerror}") from error
        if self._size >= self._segment_bytes or self.is_old:
            self.close()

    @property
    def is_old(self) -> bool:
        return self._file is not None and time.monotonic() - self._begun >= self._segment_seconds

    def close(self) -> None:
        """Hand the segment over to the pull."""
        if self._file is not None:
            path = self._lane.folder / f"{self._name}{OPEN}"
            path.rename(path.with_suffix(CLOSED))
            os.close(self._file)
            self._file = None
            with suppress(OSError):  # a full disk: the pull by the clock finds the segment
                self._lane.signal.touch(mode=0o600)

    def _abandon(self) -> None:
        """After a failed write nothing may follow in this segment: what stands there is torn."""
        try:
            self.close()
        except OSError:  # the name stays `.open`; the lock goes with the descriptor, and the pull closes it
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _insist_on_room(self, size: int) -> None:
        private_folder(self._lane.folder)
        found = os.statvfs(self._lane.folder)
        if found.f_bavail * found.f_frsize - size < self._reserve_bytes:
            raise SpoolFull("the disk's reserve would be touched")

    def _begin(self) -> None:
        while True:
            name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(4)}"
            path = self._lane.folder / f"{name}{OPEN}"
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            if _lock(file) and _is_same(file, path):
                break
            os.close(file)  # a pull took it for an abandoned one between the two calls
        self._file, self._name, self._frames, self._begun = file, name, 0, time.monotonic()
        self._cipher, self._place = self._lane.cipher(name), self._lane._place(name)
        _write_all(file, MAGIC)
        self._size = len(MAGIC)
        sync_folder(self._lane.folder)

    def _frame(self, packed: bytes) -> bytes:
        sealed = self._cipher.encrypt(_nonce(self._frames), packed, self._place)
        self._frames += 1
        return _FRAME.pack(len(sealed), zlib.crc32(sealed)) + sealed


def spool_folder(project: Project, district: str) -> Path:
    """Outside lake, quarantine and warehouse; for the owner only."""
    return project.state_dir / "spool" / district


def signal_file(project: Project, district: str) -> Path:
    """Appears when a segment of the district is closed, so that nobody need look into every lane. Whoever acts on it
    removes it first. It may be missed: a pull by the clock finds the segments themselves."""
    return spool_folder(project, district) / SIGNAL


def open_lane(project: Project, district: str, source: str, resource: str) -> Lane:
    vault = project.vault(district)
    Keyring.open(vault)  # makes the keys at first use, and refuses when they are gone
    seal = base64.urlsafe_b64decode((vault / SEAL_KEY).read_bytes())
    key = _derived(seal, district.encode(), b"uptake spool")
    return Lane(spool_folder(project, district) / source / resource, key)


def begun_at(name: str) -> datetime:
    """When a segment was begun, by its name."""
    return datetime.strptime(name.partition("-")[0], "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)


_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def _derived(key: bytes, salt: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=purpose).derive(key)


def _nonce(number: int) -> bytes:
    return number.to_bytes(_NONCE_BYTES, "big")


def _next_frame(read: Callable[[int], bytes]) -> bytes | None:
    """None at the end, and at a frame that is cut or damaged."""
    head = read(_FRAME.size)
    if len(head) < _FRAME.size:
        return None
    length, crc = _FRAME.unpack(head)
    if length > _MAX_FRAME:
        return None
    sealed = read(length)
    return sealed if len(sealed) == length and zlib.crc32(sealed) == crc else None


def _write_all(file: int, data: bytes) -> None:
    """A short write is how a disk that fills up shows first."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_same(file: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return there.st_ino == os.fstat(file).st_ino


def _close_if_abandoned(path: Path) -> None:
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:  # its writer has just closed it
        return
    try:
        if _lock(file) and _is_same(file, path):
            path.rename(path.with_suffix(CLOSED))
    finally:
        os.close(file)
