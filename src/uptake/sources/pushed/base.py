"""What sources of pushed events share: a window is a segment of the receiver's spool, known by its name.

A segment is landed whole, then removed; one that landed and was not removed before a crash is known by the ledger and
removed by the next pull.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, ClassVar, Protocol, Self

import orjson
from pydantic import Field as Key
from pydantic import field_validator

from uptake.config import SourceSettings
from uptake.contracts import Batch, Resource, Window
from uptake.credentials import Credential
from uptake.errors import ConfigError
from uptake.parsing import parse_records

BATCH_ROWS = 10_000
_WINDOW = "segment-"
_UUID = re.compile(r"(?:urn:uuid:)?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})", re.IGNORECASE)
_TERM = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,60}")


class Body(Protocol):
    """What one request brought."""

    @property
    def received_at(self) -> datetime: ...
    @property
    def body(self) -> bytes: ...
    @property
    def is_gzip(self) -> bool: ...


class Waiting(Protocol):
    """The spool of one resource, as the pull sees it. `event_key` is a secret of the district."""

    @property
    def event_key(self) -> bytes: ...
    def closed(self) -> list[str]: ...
    def read(self, name: str) -> Iterator[Any]: ...
    def remove(self, name: str) -> None: ...
    def oldest(self) -> datetime | None: ...
    def begun(self, name: str) -> datetime: ...


class PushedSettings(SourceSettings):
    """person_pattern: a regular expression with one group, which finds in the sender's own identifier of a person (an
    address such as https://lms.example/users/s-104) the identifier that person_kind names.

    person_kind: what that group holds: sis_user (the roster's sourcedId), email, or canvas_user.
    """

    person_pattern: str | None = None
    person_kind: Annotated[str, Key(pattern="^(sis_user|email|canvas_user)$")] = "sis_user"

    @field_validator("person_pattern")
    @classmethod
    def _one_group(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                groups = re.compile(value).groups
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}") from error
            if groups != 1:
                raise ValueError("needs exactly one group: the part that is the identifier")
        return value


class PushedSource:
    """A source with one spool for each of its resources. `attach` gives it the spools before it is asked."""

    kind: ClassVar[str]
    namespace: ClassVar[str]
    settings_model: ClassVar[type[SourceSettings]] = PushedSettings
    needs_credential: ClassVar[bool] = False
    declared: ClassVar[Mapping[str, Resource]]

    def __init__(self, settings: PushedSettings, credential: Credential | None) -> None:
        self._settings = settings
        self._waiting: dict[str, Waiting] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    @property
    def resources(self) -> Mapping[str, Resource]:
        return self.declared

    def attach(self, open_lane: Callable[[str], Waiting]) -> None:
        """`open_lane` gives the spool of a resource."""
        self._waiting = {name: open_lane(name) for name in self.resources}

    def windows(self, resource: Resource, *, since: datetime | None, until: datetime, full: bool) -> list[Window]:
        """One window for each closed segment, the oldest first. `since` and `until` do not matter: what was pushed
        once cannot be asked for again. A window starts at the receipt of its first event."""
        lane = self._lane(resource)
        return [Window("file", f"{_WINDOW}{name}", start=lane.begun(name)) for name in lane.closed()]

    def pull(self, resource: Resource, window: Window) -> Iterator[Batch]:
        lane = self._lane(resource)
        rows: list[Any] = []
        skipped = 0
        for delivery in lane.read(_segment(window)):
            for row in self.rows(resource, delivery, lane.event_key):
                if row is None:
                    skipped += 1
                else:
                    rows.append(row)
            while len(rows) >= BATCH_ROWS:
                yield self.parsed(resource, rows[:BATCH_ROWS])
                rows = rows[BATCH_ROWS:]
        batch = self.parsed(resource, rows)
        if skipped:
            batch.note = self.skipped_note
        yield batch

    skipped_note: ClassVar[str] = ""

    def forget(self, resource: Resource, window: Window) -> None:
        """Forget a segment that landed."""
        self._lane(resource).remove(_segment(window))

    def waiting_since(self, resource: Resource) -> datetime | None:
        """When the oldest segment was begun, by the machine's clock; None when nothing waits."""
        return self._lane(resource).oldest()

    def probe(self) -> str:
        if not self._waiting:
            return "events are pushed to us; see `uptake receive keys list`."
        waiting = sum(len(lane.closed()) for lane in self._waiting.values())
        return f"{waiting} segments of pushed events wait for a pull."

    def rows(self, resource: Resource, delivery: Body, event_key: bytes) -> Iterable[Any]:
        """The events of one delivery, as `parsed` reads them; None for what is no event and is left out."""
        raise NotImplementedError

    def parsed(self, resource: Resource, rows: Sequence[Any]) -> Batch:
        return parse_records(resource, rows)

    def _lane(self, resource: Resource) -> Waiting:
        if resource.name not in self._waiting:
            raise ConfigError(
                f"source {self._settings.name!r} has no spool here", remedy="pull it through `uptake pull`."
            )
        return self._waiting[resource.name]


def unpacked(delivery: Body) -> bytes:
    """A delivery's body, without gzip where it came so. The receiver has looked at its size."""
    if not delivery.is_gzip:
        return delivery.body
    parts, rest = [], delivery.body
    while rest:  # several members after one another are one stream (RFC 1952, 2.2)
        member = zlib.decompressobj(wbits=31)
        parts.append(member.decompress(rest))
        rest = member.unused_data
    return b"".join(parts)


def names(text: str) -> frozenset[str]:
    return frozenset(text.split())


def uuid_in(value: Any) -> str | None:
    """A UUID, with or without `urn:uuid:`, in lower case; None for anything else, which might say who it was."""
    found = _UUID.fullmatch(value) if isinstance(value, str) else None
    return found[1].lower() if found else None


def content_key(row: Any, key: bytes) -> str:
    """Keyed BLAKE2b of an event, whatever the order of its names. 32 hex characters."""
    return hashlib.blake2b(orjson.dumps(row, option=orjson.OPT_SORT_KEYS), digest_size=16, key=key).hexdigest()


def term(value: Any) -> str | None:
    """The last part of a vocabulary's term, which may stand alone or as an address; None for what is none."""
    if not isinstance(value, str):
        return None
    last = re.split(r"[/#]", value.rstrip("/#"))[-1]
    return last if _TERM.fullmatch(last) else None


def with_people(resource: Resource, settings: PushedSettings, identifier: Callable[[Any], str | None]) -> Resource:
    """The resource with the settings' own way from the sender's identifier of an actor to the roster's person.

    `identifier` reads the former from the actor; the pattern is tried before what the field reads by itself.
    """
    if settings.person_pattern is None:
        return resource
    pattern, wanted = re.compile(settings.person_pattern), _PERSON_FIELDS[settings.person_kind]

    def convert(actor: Any) -> str | None:
        found = pattern.search(identifier(actor) or "")
        return found[1] if found else given(actor)

    field = next(field for field in resource.fields if field.name == wanted)
    given = field.convert or (lambda actor: None)
    changed = replace(field, convert=convert)
    return replace(resource, fields=tuple(changed if each is field else each for each in resource.fields))


_PERSON_FIELDS = {"sis_user": "actor_sis_id", "email": "actor_email", "canvas_user": "actor_canvas_id"}


def _segment(window: Window) -> str:
    return window.token.removeprefix(_WINDOW)
