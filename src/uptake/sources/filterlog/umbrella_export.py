"""Cisco Umbrella's log export to S3: CSV.gz without a header (from version 11 on, with one where it is switched on).

Order of the fields: https://docs.umbrella.com/umbrella-user-guide/docs/dns-log-formats and .../web-log-formats;
versions: https://docs.umbrella.com/deployment-umbrella/docs/log-formats-and-versioning. A version only ever adds fields
behind the others. Times are UTC. Rows land as those of the Reporting API do (`uptake.sources.umbrella`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from uptake.contracts import Batch
from uptake.sources.dropfolder.content import FileRefused
from uptake.sources.filterlog.columns import by_distinct, nothing, split, times, usual_width
from uptake.sources.filterlog.formats import LogFormat, held
from uptake.sources.filterlog.people import who
from uptake.sources.umbrella import RESOURCES


@dataclass(frozen=True, slots=True)
class Layout:
    """Fields by their place. `least`: fewest fields that a version of the log has, from the version on that is named.
    `known`: fields that the documentation names; what stands behind them is kept raw."""

    identity: int
    action: int
    address: int
    categories: int
    identity_type: int
    identities: int
    identity_types: int
    least: tuple[tuple[int, int], ...]
    known: int


LAYOUTS = {
    "dns": Layout(1, 5, 8, 9, 10, 2, 11, least=((4, 13), (10, 16)), known=16),
    "proxy": Layout(1, 6, 7, 15, 21, 23, 24, least=((5, 32), (8, 37), (13, 49)), known=49),
}
VERSIONS = range(5, 18)
_HEADER = "Timestamp"
# The types as the log words them, in the singular. One that is not here says nothing about who it was.
_USERS = frozenset({"ad user", "directory user", "google user", "g suite user", "gsuite user", "saml user", "user"})
_DEVICES = frozenset(
    {
        "roaming computer",
        "anyconnect roaming client",
        "secure client",
        "mobile device",
        "chromebook",
        "ad computer",
        "device",
    }
)
_NETWORKS = frozenset(
    {"network", "internal network", "site", "network device", "network tunnel", "tunnel", "virtual appliance"}
)
_SEPARATOR = "\x1e"


class UmbrellaExport(LogFormat):
    """traffic: dns or proxy."""

    namespace = "umbrella"
    resource = RESOURCES["activity"]
    globs = ("**/*.csv.gz", "**/*.csv")
    skipped_note = "Header rows were passed over."

    def __init__(self, traffic: str, version: int, user_domain: str | None) -> None:
        self._traffic = traffic
        self._layout = LAYOUTS[traffic]
        self._least = max(count for since, count in self._layout.least if since <= version)
        self._version = version
        self._domain = user_domain
        self._width = 0

    def look(self, first: Sequence[str]) -> None:
        self._width = usual_width(first)
        if self._width < self._least:
            raise FileRefused(
                "unknown_layout",
                f"its lines have {self._width} fields, while {self._traffic} logs of schema version {self._version} "
                f"have at least {self._least}: set the schema_version that Umbrella's Log Management page shows",
            )

    def parse(self, lines: pa.Array, key: bytes) -> tuple[Batch, int]:
        at = self._layout
        read = [
            0,
            at.identity,
            at.action,
            at.address,
            at.categories,
            at.identity_type,
            at.identities,
            at.identity_types,
        ]
        trailing = range(at.known, self._width)
        found = split(lines, ",", self._width, [*read, *trailing])
        stamp = found.field("0")
        moments, wrong = times(stamp, (), "UTC")
        who_is = self._identities(*(found.field(str(place)) for place in read[1:2] + read[5:]))
        address = nothing(found.field(str(at.address)))
        is_proxy = self._traffic == "proxy"
        count = len(stamp)
        columns = {
            "timestamp": moments,
            **who_is,
            "verdict": pc.utf8_lower(found.field(str(at.action))),
            "domain": pa.nulls(count, pa.string()) if is_proxy else pc.utf8_rtrim(address, "."),
            "url": address if is_proxy else pa.nulls(count, pa.string()),
            "type": pa.repeat(pa.scalar(self._traffic), count),
            "categories": by_distinct(found.field(str(at.categories)), _lists),
            **{f"field_{place + 1}": found.field(str(place)) for place in trailing},
        }
        is_request = pc.not_equal(stamp, _HEADER).fill_null(True)
        return held(self.resource, lines, found, columns, {"not_timestamp": wrong}, key, is_request=is_request)

    def _identities(self, label: pa.Array, kind: pa.Array, labels: pa.Array, kinds: pa.Array) -> dict[str, pa.Array]:
        """A district has few different answers to who it was, so each is worked out once."""
        joined = pc.binary_join_element_wise(
            *(pc.fill_null(part, "") for part in (label, kind, labels, kinds)), _SEPARATOR
        )
        names = ("user_label", "device_label", "network_label", "identity_type")
        encoded = joined.dictionary_encode()
        rows = [identities_of(text, self._domain) for text in encoded.dictionary.to_pylist()]
        return {
            name: pa.array([row[number] for row in rows], pa.string()).take(encoded.indices)
            for number, name in enumerate(names)
        }


@lru_cache(maxsize=1 << 18)
def identities_of(joined: str, domain: str | None) -> tuple[str | None, str | None, str | None, str | None]:
    """(user, device, network, closest kind) of a line's closest identity, its type, all identities and their types.

    The list of all is read only where it has as many parts as the list of types: a name may hold a comma.
    """
    label, kind, labels, kinds = joined.split(_SEPARATOR)[:4]
    pairs = [(label, kind)]
    parts, types = labels.split(","), kinds.split(",")
    if len(parts) == len(types):
        pairs += zip(parts, types, strict=True)
    found: dict[str, str | None] = {}
    for name, type_name in pairs:
        closest = _closest(type_name)
        if closest is not None:
            address = who(name, domain)[0] if closest == "user" else name.strip() or None
            found.setdefault(closest, address)
    nearest = next((name for name in ("user", "device", "network") if name in found), None)
    return found.get("user"), found.get("device"), found.get("network"), nearest


@lru_cache(maxsize=1000)
def _closest(type_name: str) -> str | None:
    kind = type_name.strip().lower().removesuffix("s")
    return next(
        (name for name, kinds in (("user", _USERS), ("device", _DEVICES), ("network", _NETWORKS)) if kind in kinds),
        None,
    )


def _lists(values: list[str | None]) -> pa.Array:
    return pa.array([value and [part.strip() for part in value.split(",")] for value in values], pa.list_(pa.string()))
