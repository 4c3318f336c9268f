"""What leads from a pseudonym back to a person: the district's keys and the identity vault.

Both lie in `vault/<district>/`, outside lake and warehouse, and are readable by their owner only. Losing the key means
that nobody is recognised again; so a key is never made anew where identities are already held.
"""

from __future__ import annotations

import fcntl
import hmac
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import orjson
from cryptography.fernet import Fernet

from uptake.errors import ConfigError

PSEUDONYM_KEY = "pseudonym.key"
SEAL_KEY = "seal.key"
IDENTITIES = "identities.sqlite"
_KEY_BYTES = 32
_PORTION = 100_000  # big and sorted, since a B-tree is rewritten less then: a third of the time of small ones
_CACHE_KIB = 128 * 1024

_TABLES = """
    CREATE TABLE IF NOT EXISTS identity (
        kind TEXT NOT NULL, pseudonym TEXT NOT NULL, identifier TEXT NOT NULL,
        PRIMARY KEY (kind, pseudonym)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS attribute (
        kind TEXT NOT NULL, pseudonym TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
        PRIMARY KEY (kind, pseudonym, name)
    ) WITHOUT ROWID;
"""
_ADD_IDENTITIES = """
    INSERT OR IGNORE INTO identity SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?) ORDER BY 1, 2
"""
_ADD_ATTRIBUTES = """
    INSERT INTO attribute SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?) WHERE true
    ORDER BY 1, 2, 3, key
    ON CONFLICT (kind, pseudonym, name) DO UPDATE SET value = excluded.value WHERE value <> excluded.value
"""


@dataclass(frozen=True, slots=True)
class Keyring:
    """`pseudonym` keys the HMAC of identifiers; `seal` encrypts raw rows in quarantine. Neither shows in a repr."""

    pseudonym: bytes = field(repr=False)
    seal: Fernet = field(repr=False)

    @classmethod
    def open(cls, folder: Path) -> Keyring:
        """Read the district's keys, making them at first use.

        Raises ConfigError when a key is gone or damaged although identities are held.
        """
        private_folder(folder)
        pseudonym = _read_or_make(folder, PSEUDONYM_KEY, lambda: secrets.token_bytes(_KEY_BYTES))
        if len(pseudonym) != _KEY_BYTES:
            raise ConfigError(
                f"{folder / PSEUDONYM_KEY} holds {len(pseudonym)} bytes, not {_KEY_BYTES}",
                remedy="restore it from your backup; pseudonyms made with another key join with nothing.",
            )
        try:
            seal = Fernet(_read_or_make(folder, SEAL_KEY, Fernet.generate_key))
        except ValueError as error:
            raise ConfigError(
                f"{folder / SEAL_KEY} is damaged",
                remedy="restore it from your backup; without it the quarantine cannot be opened.",
            ) from error
        return cls(pseudonym, seal)

    @property
    def event_key(self) -> bytes:
        """32 bytes that key the hash of an event without an id: it must tell nothing to one who guesses events, and be
        the same as long as the district's pseudonyms are."""
        return hmac.digest(self.pseudonym, b"uptake event key", "sha256")


def private_folder(folder: Path) -> None:
    """Make a folder that only its owner may enter, tightening it if it was there."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read_or_make(folder: Path, name: str, make: Callable[[], bytes]) -> bytes:
    path = folder / name
    try:
        return path.read_bytes()
    except FileNotFoundError:
        if (folder / IDENTITIES).exists():
            raise ConfigError(
                f"{path} is gone, but identities are held beside it",
                remedy="restore the key from your backup; a new one would recognise nobody.",
            ) from None
    draft = folder / f".{name}.{secrets.token_hex(8)}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(make())
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # fails if another process was first: then both use that one's key
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_bytes()


class Vault:
    """The identity vault of one district: (kind, pseudonym) -> identifier, and personal attributes by name.

    Writes are handed to a thread in portions, so that SQLite works while the next page is parsed (it lets go of the
    interpreter lock). Landing calls `flush` before a window counts: then all of its identities are on disk.
    """

    def __init__(self, folder: Path) -> None:
        private_folder(folder)
        path = folder / IDENTITIES
        if not path.exists():
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        self._connection = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        # One at a time: SQLite does not wait, as it does elsewhere, for another that changes the journal's mode.
        with _alone_in(folder):
            for setting in ("journal_mode = WAL", "synchronous = NORMAL", f"cache_size = -{_CACHE_KIB}"):
                self._connection.execute(f"PRAGMA {setting}")
            self._connection.executescript(_TABLES)
        self._identities: list[tuple[str, str, str]] = []
        self._attributes: list[tuple[str, str, str, str]] = []
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="vault")
        self._written: list[Future[None]] = []

    def __enter__(self) -> Vault:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._writer.shutdown(wait=True, cancel_futures=True)
        self._connection.close()

    def add_identities(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """(kind, pseudonym, identifier) as the vendor wrote it."""
        self._identities.extend(rows)
        if len(self._identities) >= _PORTION:
            self._hand_over()

    def add_attributes(self, rows: Iterable[tuple[str, str, str, str]]) -> None:
        """(kind, pseudonym, name, value); a later value takes the place of an earlier one."""
        self._attributes.extend(rows)
        if len(self._attributes) >= _PORTION:
            self._hand_over()

    def flush(self) -> None:
        """Return when everything that was added is written. Raises sqlite3.Error when it could not be."""
        self._hand_over()
        written, self._written = self._written, []
        for portion in written:
            portion.result()

    def identifier(self, kind: str, pseudonym: str) -> str | None:
        query = "SELECT identifier FROM identity WHERE kind = ? AND pseudonym = ?"
        row = self._connection.execute(query, (kind, pseudonym)).fetchone()
        return row[0] if row else None

    def attributes(self, kind: str, pseudonym: str) -> dict[str, str]:
        query = "SELECT name, value FROM attribute WHERE kind = ? AND pseudonym = ?"
        return dict(self._connection.execute(query, (kind, pseudonym)).fetchall())

    def _hand_over(self) -> None:
        if self._identities or self._attributes:
            self._written.append(self._writer.submit(self._write, self._identities, self._attributes))
            self._identities, self._attributes = [], []

    def _write(self, identities: list[tuple[str, str, str]], attributes: list[tuple[str, str, str, str]]) -> None:
        """One transaction. Rows go over as JSON: one statement runs them all without coming back to Python."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.execute(_ADD_IDENTITIES, (orjson.dumps(identities).decode(),))
            self._connection.execute(_ADD_ATTRIBUTES, (orjson.dumps(attributes).decode(),))
        except sqlite3.Error:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
