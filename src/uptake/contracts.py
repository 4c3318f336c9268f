"""The contract at the door: what a vendor's resource looks like, and how rows are held to it.

A `Resource` declares everything that landing must know of a vendor's table, so that landing knows no vendor.
Sources turn what they were sent into `Batch`es through `parse_records` or `parse_table`; what does not fit is a
`Reject`, never a silent default: `pulled == table.num_rows + len(rejects)` for every batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import pyarrow as pa

TEXT = pa.string()
TIMESTAMP = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a vendor's record.

    `path` is the dotted place of the value in the vendor's JSON where it differs from `name`; a part that ends in
    `[]` is a list and what follows is taken of each element (`terms[].sourcedId`).
    `convert` reshapes a nested value before it is typed; a ValueError, TypeError or AttributeError of it is a reject.
    `epoch` says that a timestamp is sent as a count of that unit since 1970, not as ISO 8601 text.
    `local_id` says that the value is an id which only its own system gives a meaning (a list: each of them); the name
    of a part, where it is that part of each object of a list. See `Resource.qualifier`.
    At most one privacy rule applies, and it is applied at the door, before anything reaches a disk:

    - `identifier="email"`  replaced by its keyed pseudonym of that kind; the raw value goes to the vault
    - `vault="given_name"`  personal: kept in the vault beside the record's `person` identifier, never landed
    - `drop=True`           personal and needed nowhere: read for the contract's sake and then forgotten
    - `url=True`            cut to host plus the longest path prefix that the tool catalogue knows
    """

    name: str
    type: pa.DataType = TEXT
    path: str | None = None
    required: bool = False
    identifier: str | None = None
    vault: str | None = None
    drop: bool = False
    url: bool = False
    doc: str = ""
    convert: Callable[[Any], Any] | None = None
    epoch: Literal["s", "ms", "us"] | None = None
    local_id: bool | str = False

    @property
    def is_landed(self) -> bool:
        return not (self.drop or self.vault)


@dataclass(frozen=True, slots=True)
class Resource:
    """A vendor's table: its columns, its key, and how it is kept current.

    kind: `entity` rows have a state and are upserted on `key`; `event` rows happened at `event_time`.
    key: natural key, in landed column names. A row without it is quarantined.
    nullable_key: columns of the key that may be null; null is then a value like any other.
    cursor: the vendor's "changed since" filter can be used (start of the last good pull minus `lookback`).
    full_sync_every: how often everything is read again and diffed against what is held; None where the vendor
        cannot list everything.
    retention: how long the vendor lists an event, by its own documentation; None where it says of no end. A span that
        reaches further back may come back thinner than it was, and then replaces nothing that is missing in it.
    delete_scope: columns that name the parent record; a row that vanished is marked deleted only inside a parent
        from which the full sync brought at least one row. Empty: the whole resource is one scope.
    full_list: each window of mode `file` holds the whole list, unless it says that it is a change: it is diffed as a
        full sync is, and a file that is older than the newest one that counts is not taken.
    person: the landed identifier column whose pseudonym the `vault` attributes of the row belong to.
    ignored: dotted names of the vendor's JSON that are known and not read (`links`, `org.href`); any other name that no
        field reads is an unknown column.
    qualifier: put before every local id at the door, with a colon, before a pseudonym is made of it: where two systems
        of a district number their records alike, `17` of one is not `17` of the other.
    """

    name: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    kind: Literal["entity", "event"] = "entity"
    event_time: str | None = None
    cursor: bool = False
    lookback: timedelta = timedelta(0)
    full_sync_every: timedelta | None = timedelta(days=7)
    retention: timedelta | None = None
    delete_scope: tuple[str, ...] = ()
    full_list: bool = False
    person: str | None = None
    doc: str = ""
    ignored: frozenset[str] = frozenset()
    nullable_key: tuple[str, ...] = ()
    qualifier: str | None = None

    @property
    def schema(self) -> pa.Schema:
        """Columns as the vendor sends them, before the door."""
        return pa.schema([pa.field(f.name, f.type) for f in self.fields])

    @property
    def landed_schema(self) -> pa.Schema:
        """Columns of a landed file: no personal column, identifiers as strings, `_deleted` on entities."""
        landed = [pa.field(f.name, pa.string() if f.identifier else f.type) for f in self.fields if f.is_landed]
        if self.kind == "entity":
            landed.append(pa.field("_deleted", pa.bool_(), nullable=False))
        return pa.schema(landed)


@dataclass(frozen=True, slots=True)
class Window:
    """What one pull asks for. A rerun of the same window replaces what the first run landed.

    start of a `file` of pushed events: receipt of the first of them, by the machine's clock.
    mode: `full` everything there is; `incremental` what changed in [start, end); `interval` events that happened in
    [start, end); `file` one dropped file, whose `token` is its content hash and whose `end` is when it
    was last changed.
    is_change: a `file` of a `full_list` resource that holds only what changed since the list before it.
    """

    mode: Literal["full", "incremental", "interval", "file"]
    token: str
    start: datetime | None = None
    end: datetime | None = None
    is_change: bool = False

    @classmethod
    def between(cls, mode: Literal["full", "incremental", "interval"], start: datetime | None, end: datetime) -> Window:
        stamp = "%Y%m%dT%H%M%SZ"
        first = start.strftime(stamp) if start else "begin"
        return cls(mode, f"{mode}-{first}-{end.strftime(stamp)}", start, end)


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that broke its contract. `raw` is the vendor's own text; it is sealed before it reaches a disk."""

    reason: str
    column: str | None
    raw: str


@dataclass(slots=True)
class Batch:
    """Rows of one resource in `resource.schema`, identifiers still raw, and the rows that did not fit.

    unknown: values of columns that the contract does not name, by column, one per row of `table` (None where absent).
    source_total: the vendor's own count of the whole window, where it gives one.
    is_deletion: the vendor says of these rows of an entity that they are gone; of each at least the key is there.
    note: one sentence for the window's outcome, where a person must know something that no single row says; it holds
        no value of any row.
    starts_over: what the window gave before this does not count; it came from what has turned out not to be readable.
    """

    table: pa.Table
    rejects: list[Reject] = field(default_factory=list)
    unknown: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    source_total: int | None = None
    is_deletion: bool = False
    note: str | None = None
    starts_over: bool = False

    @property
    def pulled(self) -> int:
        return self.table.num_rows + len(self.rejects)
