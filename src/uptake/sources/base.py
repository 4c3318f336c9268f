"""What every source offers to landing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Protocol, runtime_checkable

from uptake.config import SourceSettings
from uptake.contracts import Batch, Resource, Window
from uptake.credentials import Credential


class Source(Protocol):
    """A vendor, ready to be asked. Made as `SourceClass(settings, credential)`; use it in a `with` block."""

    kind: ClassVar[str]
    namespace: ClassVar[str]  # landing views are named <namespace>__<resource>
    settings_model: ClassVar[type[SourceSettings]]
    needs_credential: ClassVar[bool]

    def __init__(self, settings: SourceSettings, credential: Credential | None) -> None: ...

    def __enter__(self) -> Source: ...

    def __exit__(self, *error: object) -> None: ...

    @property
    def resources(self) -> Mapping[str, Resource]:
        """By name, parents before children."""
        ...

    def windows(self, resource: Resource, *, since: datetime | None, until: datetime, full: bool) -> list[Window]:
        """How [since, until) is asked for: one window for an entity, aligned tiles for events, one for each new file.

        `since` None means from the beginning of what the vendor keeps (or the source's own first limit).
        Tiles are aligned to the clock, so that a second pull of an hour replaces what the first one landed.
        """
        ...

    def pull(self, resource: Resource, window: Window) -> Iterator[Batch]:
        """Batches of the window, as many as it takes.

        Raises TransientError or PermanentError; nothing is swallowed and a short answer is never taken for the end.
        """
        ...

    def probe(self) -> str:
        """Ask the smallest question that proves address and credential; one line for a person. Raises as `pull`."""
        ...


@dataclass(frozen=True, slots=True)
class Home:
    """What an installation gives a source of its own.

    notes: a private folder for what the source may forget without harm.
    event_key: 32 bytes of the district, for the keyed hash that stands for an event or a row without an id. It is the
    same for every pull and every source, whatever credential is used: another key would make the same events new ones.
    """

    notes: Path
    event_key: bytes


@runtime_checkable
class Settles(Protocol):
    """A source that makes use of a home. Landing calls `settle` before the first `windows`; a probe does without."""

    def settle(self, home: Home) -> None: ...


class Homed:
    """What sources have in common that cannot read without their home."""

    _home: Home | None = None

    def settle(self, home: Home) -> None:
        self._home = home

    @property
    def home(self) -> Home:
        if self._home is None:
            raise RuntimeError(f"{type(self).__name__} is read only with a home: `settle` comes first")
        return self._home
