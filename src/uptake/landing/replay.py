"""Bringing quarantined rows back, after the contract or its mapping was mended."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import orjson

from uptake.config import District, SourceSettings
from uptake.contracts import Batch, Reject, Resource, Window
from uptake.errors import PermanentError
from uptake.landing import ledger
from uptake.landing.door import Door
from uptake.landing.ledger import At, Record
from uptake.landing.quarantine import WindowQuarantine, raw_record, unseal
from uptake.landing.writer import WindowWriter
from uptake.operations.models import QuarantineFile
from uptake.parsing import parse_records
from uptake.project import Project
from uptake.sources.base import Source


@runtime_checkable
class Reparses(Protocol):
    """A source whose raw rows are not JSON objects of its contract reads them again itself."""

    def reparse(self, resource: Resource, raws: Sequence[str]) -> Batch: ...


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """`still_rejected` rows stay in quarantine, in a file of their own."""

    rows: int
    replayed: int
    still_rejected: int


def replay(
    project: Project,
    district: District,
    settings: SourceSettings,
    source: Source,
    held: QuarantineFile,
    *,
    run_id: str,
    door: Door,
) -> ReplayResult:
    """Read the rows of a quarantine file with the present contract and land those that fit now.

    They land as the window `replay-<id>`, dated when they went to quarantine: a newer row of the same key wins.
    Raises PermanentError when the file was replayed already or its window was pulled again.
    """
    at = At(district.id, settings.name, held.resource)
    if held.replayed_at is not None or held.superseded_at is not None:
        raise PermanentError(
            f"quarantine file {held.id} was {'replayed' if held.replayed_at else 'pulled again'} already",
            remedy="list what is open with `uptake quarantine list`.",
        )
    resource = source.resources.get(held.resource)
    if resource is None:
        raise PermanentError(
            f"source {settings.name!r} no longer has a resource {held.resource!r}",
            remedy="restore its mapping in uptake.yaml, then replay.",
        )
    started = time.monotonic()
    rejects = unseal(project.quarantine, held.path, door)
    batch = _again(source, resource, rejects)
    window = Window("file", ledger.replay_token(held.id))
    rest = WindowQuarantine(project.quarantine, at, held.window_token, resource, door)
    with WindowWriter(project.lake, at, window.token, resource) as writer:
        admitted = door.admit(resource, batch.table)
        writer.add(admitted)
        rest.add(batch, admitted)
        door.flush()
        file = writer.finish()
    result = ReplayResult(len(rejects), batch.table.num_rows, len(batch.rejects))
    if file is None:
        return result
    ledger.commit_replay(
        project.operations,
        at,
        window,
        held_id=held.id,
        run_id=run_id,
        namespace=source.namespace,
        file=file,
        quarantined=rest.finish(),
        record=Record(
            step="replay",
            window_token=window.token,
            rows_in=result.rows,
            rows_out=result.replayed,
            rows_quarantined=result.still_rejected,
            seconds=time.monotonic() - started,
        ),
    )
    return result


def _again(source: Source, resource: Resource, rejects: Sequence[Reject]) -> Batch:
    if isinstance(source, Reparses):
        return source.reparse(resource, [reject.raw for reject in rejects])
    readable = [reject for reject in rejects if raw_record(reject) is not None]
    batch = parse_records(resource, [orjson.loads(reject.raw) for reject in readable])
    batch.rejects.extend(reject for reject in rejects if raw_record(reject) is None)
    return batch
