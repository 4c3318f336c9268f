"""A filter's console export: CSV with a header, whose titles the settings name.

For the filters that have no public log format (Lightspeed, Securly, GoGuardian, NetRef): `examples/web-filters` holds a
template for each, to be confirmed on the first file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from uptake.contracts import Batch
from uptake.sources.dropfolder.content import FileRefused
from uptake.sources.dropfolder.mapping import normalised
from uptake.sources.dropfolder.readers import DELIMITERS
from uptake.sources.filterlog.columns import fields_of, nothing, split, times
from uptake.sources.filterlog.formats import LogFormat, held
from uptake.sources.filterlog.proxy import WEB_REQUEST
from uptake.sources.filterlog.squid import request

_LINES_ABOVE = 20


class Export(LogFormat):
    """titles: of each column that is read (`time`, `user`, `url`, `host`, `action`, `category`), what it is called.

    A column that no title names is not read: an export is full of names, addresses and search terms.
    """

    namespace = "logpush"
    resource = WEB_REQUEST
    globs = ("**/*.csv", "**/*.csv.gz")
    skipped_note = "They are the header, and what stands above it."

    def __init__(
        self, titles: Mapping[str, Sequence[str]], time_formats: Sequence[str], zone: str, user_domain: str | None
    ) -> None:
        self._titles = {name: {normalised(title) for title in known} for name, known in titles.items()}
        self._formats = tuple(time_formats)
        self._zone = zone
        self._domain = user_domain
        self._delimiter = ","
        self._width = 0
        self._places: dict[str, int] = {}
        self._above: list[str] = []

    def look(self, first: Sequence[str]) -> None:
        """Find the header: the first line that has the titles which must be there."""
        needed = {"time", "url"}
        for number, line in enumerate(first[:_LINES_ABOVE]):
            for delimiter in DELIMITERS:
                found = [normalised(title) for title in fields_of(line, delimiter) or ()]
                places = {
                    name: next(place for place, title in enumerate(found) if title in known)
                    for name, known in self._titles.items()
                    if known & set(found)
                }
                if needed <= places.keys():
                    self._delimiter, self._width, self._places = delimiter, len(found), places
                    self._above = list(first[: number + 1])
                    return
        wanted = "; ".join(f"{name}: {' or '.join(sorted(self._titles[name]))}" for name in sorted(needed))
        raise FileRefused("changed_header", f"no line of its first {_LINES_ABOVE} has the titles {wanted}")

    def parse(self, lines: pa.Array, key: bytes) -> tuple[Batch, int]:
        ours = lines.filter(pc.invert(pc.is_in(lines, pa.array(self._above, pa.string()))))
        found = split(ours, self._delimiter, self._width, sorted(set(self._places.values())))
        absent = pa.nulls(found.table.num_rows, pa.string())
        values = {name: nothing(pc.utf8_trim_whitespace(found.field(str(at)))) for name, at in self._places.items()}
        moments, wrong = times(values["time"], self._formats, self._zone)
        columns = request(
            moments,
            values.get("user", absent),
            absent,
            values.get("url", absent),
            values.get("action", absent),
            host=values.get("host"),
            category=values.get("category"),
            domain=self._domain,
        )
        batch, others = held(self.resource, ours, found, columns, {"not_timestamp": wrong}, key)
        return batch, others + len(lines) - len(ours)
