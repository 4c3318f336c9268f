"""What every format of a log offers to its source."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from uptake.contracts import Batch, Reject, Resource
from uptake.parsing import parse_table
from uptake.sources.filterlog.columns import Split, event_keys


class LogFormat(ABC):
    """namespace, resource: where its rows land. globs: names of its files, unless the settings name others.

    skipped_note: said of lines that are no request, which are left out.
    """

    namespace: str
    resource: Resource
    globs: tuple[str, ...] = ("**/*",)
    skipped_note = ""

    @abstractmethod
    def look(self, first: Sequence[str]) -> None:
        """See the first lines of a file before it is read. Raises FileRefused where it is not of this format."""

    @abstractmethod
    def parse(self, lines: pa.Array, key: bytes) -> tuple[Batch, int]:
        """Rows of the lines, and how many were left out: `batch.pulled` + left out == `len(lines)`."""


def held(
    resource: Resource,
    lines: pa.Array,
    found: Split,
    columns: Mapping[str, pa.Array],
    wrong: Mapping[str, Sequence[int]],
    key: bytes,
    *,
    is_request: pa.Array | None = None,
) -> tuple[Batch, int]:
    """Typed columns of the lines that could be split, held to the contract; the others as rejects.

    wrong: rows that do not fit, by reason. is_request: rows that count; the others are left out.
    """
    faults = {row: (reason, None) for reason, rows in wrong.items() for row in rows}
    texts = lines.take(found.places)
    table = pa.table(dict(columns) | {"event_key": event_keys(texts, key)})
    left_out = 0
    if is_request is not None:
        kept = pc.indices_nonzero(is_request).to_pylist()
        left_out = table.num_rows - len(kept)
        if left_out:
            new_place = {old: new for new, old in enumerate(kept)}
            faults = {new_place[row]: fault for row, fault in faults.items() if row in new_place}
            rows = pa.array(kept, pa.int64())
            table, texts = table.take(rows), texts.take(rows)
    batch = parse_table(resource, table, faults=faults, raw=lambda row: texts[row].as_py())
    batch.unknown = {name: values for name, values in batch.unknown.items() if any(values)}
    batch.rejects += [Reject(reason, None, lines[place].as_py()) for place, reason in sorted(found.faults.items())]
    return batch, left_out
