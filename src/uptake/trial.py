"""A look at what a source would land: the first rows of each resource, and nothing written.

The rows go through the source, its contract and the district's door as in a pull; but the keys are made for this look
and forgotten with it, no vault is behind the door, and nothing comes to the ledger, the lake or the quarantine.
"""

from __future__ import annotations

import secrets
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, cast

from cryptography.fernet import Fernet

from uptake import clock
from uptake.catalogue import load_catalogue
from uptake.config import District, SourceSettings
from uptake.contracts import Batch, Reject, Resource, Window
from uptake.errors import ConfigError, PermanentError, UptakeError
from uptake.landing.door import Door
from uptake.landing.quarantine import redact
from uptake.landing.vault import Keyring, Vault
from uptake.pipeline import credential_of
from uptake.project import Project
from uptake.sources.base import Home, Settles, Source
from uptake.sources.paging import few_rows
from uptake.sources.pushed import PushedSource
from uptake.sources.registry import open_source

_SPAN = timedelta(days=1)  # of events, back from now, or the look-back where that is longer
_WINDOWS = 24  # are looked into, the newest first, until there are rows
_PSEUDONYM_SHOWN = 8


@dataclass(slots=True)
class Trial:
    """What would become of the first rows of a resource.

    rows: that would land. rejects: (reason, column, rows, the first of them redacted). kept: columns for the vault and
    those that are dropped. sample: landed rows, people as the beginning of a pseudonym that is made for this look.
    error: why nothing could be read.
    """

    resource: str
    rows: int = 0
    rejects: list[tuple[str, str | None, int, str]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    kept: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    sample: list[dict[str, Any]] = field(default_factory=list)
    error: UptakeError | None = None

    @property
    def is_good(self) -> bool:
        return self.error is None and not self.rejects and not self.unknown


def try_source(
    project: Project,
    district: District,
    settings: SourceSettings,
    *,
    resources: Sequence[str] = (),
    limit: int = 100,
    shown: int = 3,
) -> Iterator[Trial]:
    """One Trial for each resource, of `limit` rows at most. An error of a resource is in its trial, and the next one is
    asked all the same. Raises ConfigError for a resource or connection that is not there."""
    if "page_size" in type(settings).model_fields:
        settings = settings.model_copy(update={"page_size": min(limit, getattr(settings, "page_size", limit))})
    source = open_source(settings, credential_of(project, settings))
    if isinstance(source, PushedSource):
        raise PermanentError(
            f"source {settings.name!r} cannot be asked: its events are pushed to us",
            remedy="send an event, then look at `uptake pull`; `uptake receive keys list` shows who may send.",
        )
    unknown = [name for name in resources if name not in source.resources]
    if unknown:
        raise ConfigError(
            f"source {settings.name!r} has no resource {unknown[0]!r}",
            remedy=f"name some of: {', '.join(source.resources)}.",
        )
    now = clock.now(district)
    with tempfile.TemporaryDirectory(prefix="uptake-trial-") as scratch, source:
        if isinstance(source, Settles):
            source.settle(Home(Path(scratch), secrets.token_bytes(32)))
        door = _door_to_nowhere(district)
        for name, resource in source.resources.items():
            if not resources or name in resources:
                yield _tried(source, resource, door, now, limit, shown)


def _tried(source: Source, resource: Resource, door: Door, now: datetime, limit: int, shown: int) -> Trial:
    trial = Trial(resource.name)
    trial.kept = {
        "vault": [entry.name for entry in resource.fields if entry.vault],
        "dropped": [entry.name for entry in resource.fields if entry.drop],
    }
    rejects: list[Reject] = []
    try:
        with few_rows(limit):
            for batch in _first_batches(source, resource, now, limit):
                if batch.starts_over:
                    trial.rows, trial.sample, trial.notes, rejects = 0, [], [], []
                landed = door.admit(resource, batch.table.slice(0, max(0, limit - trial.rows)))
                trial.rows += landed.num_rows
                first = landed.slice(0, max(0, shown - len(trial.sample)))
                trial.sample += [_masked(resource, row) for row in first.to_pylist()]
                trial.unknown = sorted({*trial.unknown, *batch.unknown})
                trial.notes += [batch.note] if batch.note else []
                rejects += batch.rejects
    except UptakeError as error:
        trial.error = error
    counts = Counter((reject.reason, reject.column) for reject in rejects)
    for (reason, column), count in counts.items():
        example = next(reject for reject in rejects if (reject.reason, reject.column) == (reason, column))
        trial.rejects.append((reason, column, count, redact(resource, door, example)))
    return trial


def _first_batches(source: Source, resource: Resource, now: datetime, limit: int) -> Iterator[Batch]:
    """Until there are enough rows, of the newest windows."""
    rows = 0
    for window in _newest(source, resource, now):
        for batch in source.pull(resource, window):
            yield batch
            rows += batch.pulled
            if rows >= limit:
                return


def _newest(source: Source, resource: Resource, now: datetime) -> Iterator[Window]:
    is_entity = resource.kind == "entity"
    # What comes late is not there yet for the last day.
    since = None if is_entity else now - max(_SPAN, resource.lookback)
    windows = source.windows(resource, since=since, until=now, full=is_entity)
    return islice(reversed(windows), _WINDOWS)


class _NoVault:
    """What is said to it is forgotten."""

    def add_identities(self, rows: object) -> None: ...

    def add_attributes(self, rows: object) -> None: ...

    def flush(self) -> None: ...


def _door_to_nowhere(district: District) -> Door:
    keyring = Keyring(secrets.token_bytes(32), Fernet(Fernet.generate_key()))
    return Door(district.id, keyring, cast("Vault", _NoVault()), load_catalogue(district.tool_catalogue))


def _masked(resource: Resource, row: dict[str, Any]) -> dict[str, Any]:
    people = {entry.name for entry in resource.fields if entry.identifier}
    return {
        name: f"{value[:_PSEUDONYM_SHOWN]}…" if name in people and value else value
        for name, value in row.items()
        if value is not None
    }
