"""Squid's access.log: its own format, the one that is called combined, and a district's own CSV.

https://www.squid-cache.org/Doc/config/logformat/. Its own is
`%ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt`, combined
`%>a %[ui %[un [%tl] "%rm %ru HTTP/%rv" %>Hs %<st "%{Referer}>h" "%{User-Agent}>h" %Ss:%Sh`. A user is often
`-`; of HTTPS only `CONNECT host:443` is seen; `%tr` is how long the tunnel was open, which is no one's attention.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from uptake.contracts import TIMESTAMP, Batch
from uptake.sources.dropfolder.content import FileRefused
from uptake.sources.filterlog.columns import Split, in_blanks, matched, nothing, split, times, usual_width
from uptake.sources.filterlog.formats import LogFormat, held
from uptake.sources.filterlog.people import people
from uptake.sources.filterlog.proxy import WEB_REQUEST

_TEXT = r'(?:[^"\\]|\\.)*'
_NATIVE_FIELDS = 10
_NATIVE_TIME = r"^\d{9,10}\.\d{3}$"
_NATIVE_ACTION = r"^[A-Z_]+/\d{1,3}$"
COMBINED = (
    r"^\S+\s+\S+\s+(?P<user>\S+)\s+\[(?P<time>[^\]]{1,40})\]\s+"
    rf'"(?P<method>\S+)\s+(?P<url>\S+)[^"]*"\s+(?P<status>\d{{1,3}}|-)\s+(?:\d+|-)\s+"{_TEXT}"\s+"{_TEXT}"\s*'
    r"(?P<result>[A-Z_]*)\S*(?P<rest>.*)$"
)
_COMBINED_TIME = ("%d/%b/%Y:%H:%M:%S %z",)
COLUMNS = ("time", "user", "url", "method", "action", "host", "category")


class SquidLog(LogFormat):
    """One of Squid's own two formats."""

    namespace = "logpush"
    resource = WEB_REQUEST
    globs = ("**/*.log", "**/*.log.*", "**/*.txt", "**/*.txt.gz")

    def __init__(self, *, is_native: bool, user_domain: str | None) -> None:
        self._is_native = is_native
        self._domain = user_domain

    def look(self, first: Sequence[str]) -> None:
        """Each line is held to the format by itself."""

    def parse(self, lines: pa.Array, key: bytes) -> tuple[Batch, int]:
        found = _native(lines) if self._is_native else matched(lines, COMBINED)
        if self._is_native:
            moments, wrong = _seconds(found.field("time")), list[int]()
            action = found.field("action")
        else:
            moments, wrong = times(found.field("time"), _COMBINED_TIME, "UTC")
            action = pc.binary_join_element_wise(
                found.field("result"), found.field("status"), "/", null_handling="replace", null_replacement=""
            )
        columns = request(
            moments, found.field("user"), found.field("method"), found.field("url"), action, domain=self._domain
        )
        rest = nothing(pc.utf8_trim_whitespace(found.field("rest")))
        return held(self.resource, lines, found, columns | {"rest": rest}, {"not_timestamp": wrong}, key)


def _native(lines: pa.Array) -> Split:
    """Split at blanks, which no field of Squid's own format holds: several times as fast as a regular expression."""
    parts, places = in_blanks(lines, _NATIVE_FIELDS)
    looks_right = pc.and_(
        pc.match_substring_regex(pc.list_element(parts, 0), _NATIVE_TIME),
        pc.match_substring_regex(pc.list_element(parts, 3), _NATIVE_ACTION),
    )
    parts, places = parts.filter(looks_right), places.filter(looks_right)
    behind = pc.list_slice(parts, _NATIVE_FIELDS, _NATIVE_FIELDS + 1, return_fixed_size_list=False)
    names = {"time": 0, "action": 3, "method": 5, "url": 6, "user": 7}
    columns = {name: nothing(pc.list_element(parts, place)) for name, place in names.items()}
    columns["rest"] = nothing(pc.binary_join(behind, ""))
    faults = dict.fromkeys(sorted(set(range(len(lines))) - set(places.to_pylist())), "unreadable")
    return Split(pa.table(columns), places, faults)


class SquidCsv(LogFormat):
    """A district's own `logformat`, with a delimiter. columns: what stands in each place; other names are not read."""

    namespace = "logpush"
    resource = WEB_REQUEST
    globs = ("**/*.csv", "**/*.csv.gz", "**/*.log", "**/*.log.gz")

    def __init__(self, columns: Sequence[str], delimiter: str, zone: str, user_domain: str | None) -> None:
        self._columns = tuple(columns)
        self._delimiter = delimiter
        self._zone = zone
        self._domain = user_domain
        self._width = len(self._columns)

    def look(self, first: Sequence[str]) -> None:
        self._width = usual_width(first, self._delimiter)
        if self._width < len(self._columns):
            raise FileRefused(
                "unknown_layout",
                f"its lines have {self._width} fields, while `columns` names {len(self._columns)}",
            )

    def parse(self, lines: pa.Array, key: bytes) -> tuple[Batch, int]:
        trailing = range(len(self._columns), self._width)
        read = {name: place for place, name in enumerate(self._columns) if name in COLUMNS}
        found = split(lines, self._delimiter, self._width, [*read.values(), *trailing])
        values = {name: nothing(found.field(str(place))) for name, place in read.items()}
        absent = pa.nulls(found.table.num_rows, pa.string())
        stamp = values["time"]
        is_epoch = pc.match_substring_regex(stamp, r"^\d{9,10}(\.\d{1,6})?$").fill_null(False)
        plain, wrong = times(pc.if_else(is_epoch, pa.scalar(None, pa.string()), stamp), _COMBINED_TIME, self._zone)
        epochs = _seconds(pc.if_else(is_epoch, stamp, pa.scalar(None, pa.string())))
        columns = request(
            pc.coalesce(epochs, plain),
            values.get("user", absent),
            values.get("method", absent),
            values.get("url", absent),
            values.get("action", absent),
            host=values.get("host"),
            category=values.get("category"),
            domain=self._domain,
        )
        columns |= {f"field_{place + 1}": found.field(str(place)) for place in trailing}
        return held(self.resource, lines, found, columns, {"not_timestamp": wrong}, key)


def request(
    moments: pa.Array,
    user: pa.Array,
    method: pa.Array,
    url: pa.Array,
    action: pa.Array,
    *,
    host: pa.Array | None = None,
    category: pa.Array | None = None,
    domain: str | None,
) -> dict[str, pa.Array]:
    """Columns of `web_request`. A tunnel has a host and no address; what has neither `://` nor a dot is no address."""
    addresses, accounts = people(user, domain)
    is_tunnel = pc.equal(method, "CONNECT").fill_null(False)
    none = pa.scalar(None, pa.string())
    tunnel = pc.replace_substring_regex(url, r":\d+$", "")
    is_address = pc.match_substring_regex(url, r"^(https?|ftp|wss?)://|^[^/:]+\.").fill_null(False)
    hosts = pc.if_else(is_tunnel, tunnel, none if host is None else host)
    columns: Mapping[str, pa.Array] = {
        "time": moments,
        "user": addresses,
        "account": accounts,
        "url": pc.if_else(pc.and_(pc.invert(is_tunnel), is_address), url, none),
        "host": hosts,
        "action": action,
    }
    if category is not None:
        lists = pc.split_pattern(category, ",")
        return dict(columns) | {"categories": lists}
    return dict(columns)


def _seconds(text: pa.Array) -> pa.Array:
    """Seconds since 1970 with a fraction, to the microsecond: a double holds that of this century exactly enough."""
    return pc.round(pc.multiply(text.cast(pa.float64()), 1e6)).cast(pa.int64()).cast(TIMESTAMP)
