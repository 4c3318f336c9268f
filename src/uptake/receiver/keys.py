"""Keys of those who push events: one for each district, source and sensor; hashed at rest; rotated with an overlap.

A key is `<id>.<secret>`: the id is public and finds the row, the secret is 256 random bits. So much chance needs no
slow hash, which would only make every request slow; HMAC-SHA256 under a key that lies in the vault is used, so that
who can write to the operations database cannot make a key of their own.

Senders present it as they are able to: `Authorization: Bearer <key>` (Caliper 1.1 and later, RFC 6750), the bare key
(Caliper 1.0 sensors: https://github.com/IMSGlobal/caliper-ruby-public), or HTTP Basic with the id as user name and the
secret as password (xAPI 1.0.3, 4.0 Security; RFC 7617).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, select, update

from uptake.errors import ConfigError
from uptake.landing.vault import private_folder
from uptake.operations.models import ReceiverKey
from uptake.operations.session import reading, writing
from uptake.project import Project

HASH_KEY = "receiver.key"
OVERLAP = timedelta(days=7)
_ID_BYTES, _SECRET_BYTES, _HASH_KEY_BYTES = 6, 32, 32


@dataclass(frozen=True, slots=True)
class NewKey:
    """`secret` is shown once and then known to the sender only."""

    id: str
    secret: str

    @property
    def token(self) -> str:
        return f"{self.id}.{self.secret}"

    def __repr__(self) -> str:
        return f"NewKey(id={self.id!r})"


@dataclass(frozen=True, slots=True)
class Sender:
    """Who a good key belongs to."""

    key_id: str
    district: str
    source: str
    sensor: str


def add(project: Project, district: str, source: str, sensor: str) -> NewKey:
    """Make a key. Raises ConfigError where the source takes no pushed events, or the sensor's name cannot be used."""
    from uptake.sources.pushed import PushedSettings  # noqa: PLC0415 - the registry's modules are heavy

    if not isinstance(project.district(district).source(source), PushedSettings):
        raise ConfigError(
            f"source {source!r} takes no pushed events",
            district=district,
            remedy="name a source of kind caliper, xapi or logpush, or add one to uptake.yaml.",
        )
    if not sensor or len(sensor) > 80 or not sensor.isprintable():
        raise ConfigError("a sensor's name has 1 to 80 printable characters", remedy="shorten --sensor.")
    new = NewKey(secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES))
    row = ReceiverKey(
        id=new.id,
        district=district,
        source=source,
        sensor=sensor,
        secret_hash=_hash(hash_key(project), new.secret),
        created_at=datetime.now(UTC),
        expires_at=None,
        revoked_at=None,
    )
    with writing(project.operations) as session:
        session.add(row)
    return new


def rotate(project: Project, key_id: str, *, overlap: timedelta = OVERLAP) -> tuple[NewKey, datetime]:
    """A new key for the same sensor; the old one is good until the time that is returned."""
    old = _row(project.operations, key_id)
    if old.revoked_at is not None:
        raise ConfigError(f"key {key_id} is revoked", remedy="make a new one with `uptake receive keys add`.")
    new = add(project, old.district, old.source, old.sensor)
    until = datetime.now(UTC) + overlap
    if old.expires_at is not None:
        until = min(until, old.expires_at)
    _change(project.operations, key_id, expires_at=until)
    return new, until


def revoke(project: Project, key_id: str) -> None:
    """The key is refused as soon as running receivers read the keys again."""
    _row(project.operations, key_id)
    _change(project.operations, key_id, revoked_at=datetime.now(UTC))


def listed(project: Project, district: str | None = None) -> list[ReceiverKey]:
    """Every key that was ever made, oldest first."""
    query = select(ReceiverKey).order_by(ReceiverKey.created_at, ReceiverKey.id)
    if district is not None:
        query = query.where(ReceiverKey.district == district)
    with reading(project.operations) as session:
        return list(session.scalars(query))


def state_of(row: ReceiverKey, now: datetime) -> str:
    if row.revoked_at is not None:
        return "revoked"
    if row.expires_at is None:
        return "good"
    return f"good until {row.expires_at:%Y-%m-%d %H:%M} UTC" if row.expires_at > now else "expired"


class KeyBook:
    """The keys as a receiver holds them in memory; read again every few seconds, and for an unknown key."""

    def __init__(self, project: Project, *, max_age_seconds: float = 10, min_age_seconds: float = 1) -> None:
        self._project = project
        self._hash_key = hash_key(project)
        self._max_age, self._min_age = max_age_seconds, min_age_seconds
        self._rows: dict[str, ReceiverKey] = {}
        self._read_at = float("-inf")

    def is_due(self, key_id: str | None = None) -> bool:
        """Whether the keys should be read again before this one is judged."""
        age = time.monotonic() - self._read_at
        return age > self._max_age or (key_id is not None and key_id not in self._rows and age > self._min_age)

    def read(self) -> None:
        """From the operations database; for a thread, since it waits for the database."""
        rows = {row.id: row for row in listed(self._project)}
        self._rows, self._read_at = rows, time.monotonic()

    def sender(self, key_id: str, secret: str) -> Sender | None:
        """Who this is; None for a key that is unknown, wrong, expired or revoked."""
        row = self._rows.get(key_id)
        expected = row.secret_hash if row is not None else "0" * 64
        is_right = hmac.compare_digest(_hash(self._hash_key, secret), expected)
        if row is None or not is_right or row.revoked_at is not None:
            return None
        if row.expires_at is not None and row.expires_at <= datetime.now(UTC):
            return None
        return Sender(row.id, row.district, row.source, row.sensor)


def presented(authorization: str) -> tuple[str, str] | None:
    """(id, secret) of an Authorization header; None where it holds no key."""
    scheme, _, rest = authorization.strip().partition(" ")
    rest = rest.strip()
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(rest, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        # Some clients have a field for the password only: it may hold the whole key.
        return _split(password) or (user, password) if password else _split(user)
    return _split(rest if scheme.lower() == "bearer" else authorization.strip())


def _split(token: str) -> tuple[str, str] | None:
    key_id, dot, secret = token.partition(".")
    return (key_id, secret) if dot and key_id and secret and " " not in token else None


def hash_key(project: Project) -> bytes:
    """Made at first use, 0600; without it every key is refused."""
    folder = project.state_dir / "vault"
    private_folder(folder)
    path = folder / HASH_KEY
    if not path.exists():
        draft = folder / f".{HASH_KEY}.{secrets.token_hex(8)}"
        _write_private(draft, secrets.token_bytes(_HASH_KEY_BYTES))
        try:
            os.link(draft, path)  # fails if another process was first: then both use that one's key
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes()


def _write_private(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _hash(key: bytes, secret: str) -> str:
    return hmac.digest(key, secret.encode(), "sha256").hex()


def _row(engine: Engine, key_id: str) -> ReceiverKey:
    with reading(engine) as session:
        row = session.get(ReceiverKey, key_id)
    if row is None:
        raise ConfigError(f"there is no key {key_id!r}", remedy="see `uptake receive keys list`.")
    return row


def _change(engine: Engine, key_id: str, **values: object) -> None:
    with writing(engine) as session:
        session.execute(update(ReceiverKey).where(ReceiverKey.id == key_id).values(**values))
