"""Cisco Umbrella Reporting v2: what the web filter saw.

Protocol: https://developer.cisco.com/docs/cloud-security/umbrella-api-reference-reporting-overview (activity, time
range, "the order within one second is not guaranteed"),
https://developer.cisco.com/docs/cloud-security/umbrella-api-pagination/ and
https://developer.cisco.com/docs/cloud-security/token-overview (a token for an hour, by HTTP basic).

How a span is read without losing a row. Offsets are not safe here: rows of one second come in another order each time,
so that a page's end may cut them anywhere, and beyond some offset (10,000 is seen in the field) the API refuses. So the
walk goes by time: of each answer the whole seconds are taken, and the next question ends (or starts) at the second that
the answer may have cut. It ends at an empty answer; how many rows an answer may hold does not matter. A second that
fills an answer by itself is read by offset, again and again with other page ends, until as many different rows are seen
as there are rows; where that does not come about, the batch carries a note that says so.
"""

from __future__ import annotations

import hashlib
import operator
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal

import orjson
import pyarrow as pa
from pydantic import Field as Key
from pydantic import HttpUrl

from uptake.contracts import TIMESTAMP, Batch, Field, Resource, Window
from uptake.credentials import Credential
from uptake.errors import ContractError
from uptake.parsing import parse_records
from uptake.sources.api import BATCH_ROWS, ApiSettings, ApiSource
from uptake.sources.auth import ClientCredentials
from uptake.sources.base import Homed
from uptake.sources.paging import Page, ahead, gathered, rows_in
from uptake.sources.windows import DAY, HOUR, tiles


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


RESOURCES: dict[str, Resource] = {
    "activity": Resource(
        "activity",
        (
            Field("timestamp", TIMESTAMP, required=True, epoch="ms"),
            Field("user_label", identifier="email", doc="address of the person, where the filter knew one"),
            Field("device_label", identifier="device"),
            Field("network_label"),
            Field("identity_type", doc="user, device or network: the closest that is known; null where none is"),
            Field("verdict"),
            Field("domain"),
            Field("url", url=True),
            Field("type", doc="dns or proxy"),
            Field("categories", pa.list_(pa.string()), path="categories[].label"),
            Field("event_key", doc="keyed hash of the vendor's row, which has no id of its own"),
        ),
        key=("event_key",),
        kind="event",
        event_time="timestamp",
        cursor=True,
        lookback=timedelta(hours=2),
        full_sync_every=None,
        # "Umbrella retains data for 30 days": reporting overview, use cases. A longer contract loses nothing by it.
        retention=timedelta(days=30),
        ignored=_names(
            "identities date time externalip internalip destinationip sourceip egress device datacenter policy "
            "policycategories threats allapplications allowedapplications blockedapplications querytype returncode "
            "responsefilename blockedfiletype bundleid amp tenantcontrols port antivirusthreats requestmethod "
            "responsesize requestsize statuscode useragent referer warnstatus sha256 isolated datalossprevention "
            "securityoverridden contenttype forwardingmethod httperrors rule"
        ),
        doc="One request of a person, device or network.",
    )
}


_SECOND = 1000
_ROUNDS, _IDLE_ROUNDS = 24, 6
_ADDRESS = r"[^\s@()<>,;]+@[^\s@()<>,;]+"
_BARE_ADDRESS = re.compile(_ADDRESS)
_TRAILING_ADDRESS = re.compile(rf"[(<]({_ADDRESS})[)>]\s*$")
# Umbrella's identity types, by what they stand for. A type that is not here says nothing about who it was.
_USERS = frozenset({"directory_user", "gsuite_user", "google_user", "saml_user", "user"})
_DEVICES = frozenset(
    {"roaming", "anyconnect", "mobile_device", "mobile", "chromebook", "chromeos", "directory_computer", "device"}
)
_NETWORKS = frozenset(
    {"network", "internal_network", "site", "network_device", "network_tunnel", "tunnel", "virtual_appliance"}
)

Labels = tuple[str | None, str | None, str | None, str | None]


class UmbrellaSettings(ApiSettings):
    """url: the API's host. page_size: rows asked for at once. history_days: how far back the first pull reads.

    traffic: which requests: of all kinds, or those of DNS or of the proxy only.
    """

    kind: Literal["umbrella"] = "umbrella"
    url: HttpUrl = HttpUrl("https://api.umbrella.com")
    page_size: Annotated[int, Key(ge=1, le=5000)] = 1000
    history_days: Annotated[int, Key(ge=1, le=400)] = 30
    traffic: Literal["all", "dns", "proxy"] = "all"


class Umbrella(Homed, ApiSource):
    """Activity of one Umbrella organisation."""

    kind: ClassVar[str] = "umbrella"
    namespace: ClassVar[str] = "umbrella"
    settings_model: ClassVar[type[UmbrellaSettings]] = UmbrellaSettings
    declared = RESOURCES
    trusted_domain = "umbrella.com"  # reports are redirected to the region that holds them

    def __init__(self, settings: UmbrellaSettings, credential: Credential | None) -> None:
        super().__init__(settings, credential)
        self._path = "reports/v2/activity" + ("" if settings.traffic == "all" else f"/{settings.traffic}")
        self._page_size = settings.page_size
        self._history = timedelta(days=settings.history_days)

    @property
    def _hash_key(self) -> bytes:
        """Rows have no id: the district's event key hashes them, not the API's credential, which is renewed."""
        return self.home.event_key

    def _auth(self, settings: UmbrellaSettings, credential: Credential) -> ClientCredentials:
        return ClientCredentials(
            f"{self._base}/auth/v2/token", credential, connection=self._connection, renew_on=(401, 403)
        )

    def windows(self, resource: Resource, *, since: datetime | None, until: datetime, full: bool) -> list[Window]:
        first = until - self._history
        return tiles(first if full or since is None else since, until, (DAY, HOUR))

    def pull(self, resource: Resource, window: Window) -> Iterator[Batch]:
        if window.start is None or window.end is None:
            raise ValueError("activity is asked for by a window of time")
        labels, walk, key = Identities(), _Walk(), self._hash_key
        for page in gathered(ahead(self._pages(_ms(window.start), _ms(window.end), walk)), BATCH_ROWS):
            for row in page.rows:
                if isinstance(row, dict):
                    row["event_key"] = event_key(row, key)
                    row["user_label"], row["device_label"], row["network_label"], row["identity_type"] = labels.of(row)
            batch = parse_records(resource, page.rows)
            batch.note = " ".join(walk.taken()) or None
            yield batch

    def probe(self) -> str:
        smallest = {"from": "-1hours", "to": "now", "limit": 1, "offset": 0}
        answer = self.client.get(self._path, smallest, is_probe=True)
        rows_in("data")(answer)
        return f"Umbrella at {answer.url.host} answers and takes the credential."

    def _pages(self, start: int, end: int, walk: _Walk) -> Iterator[Page]:
        """Rows of [start, end), in milliseconds."""
        spans = [(start, end)]
        while spans:
            start, end = spans.pop()
            rows = self._ask(start, end, walk).rows if start < end else []
            if not rows:
                continue
            seconds = [row["timestamp"] // _SECOND * _SECOND for row in rows]
            first, last = min(seconds), max(seconds)
            if first == last:
                yield from self._one_second(max(start, first), min(end, first + _SECOND), walk)
                # Whichever way the rows are sorted: what lies on either side of this second is still to be asked.
                spans += [(start, first), (first + _SECOND, end)]
            elif all(map(operator.ge, seconds, seconds[1:])):
                yield Page([row for row, second in zip(rows, seconds, strict=True) if second > first])
                spans.append((start, first + _SECOND))
            elif all(map(operator.le, seconds, seconds[1:])):
                yield Page([row for row, second in zip(rows, seconds, strict=True) if second < last])
                spans.append((last, end))
            else:
                raise ContractError(
                    "the web filter's answer is not in the order of time, by which its pages are read",
                    remedy="check that the source's url is Umbrella Reporting v2.",
                )
        if walk.odd:
            yield Page(list(walk.odd.values()))

    def _one_second(self, start: int, end: int, walk: _Walk) -> Iterator[Page]:
        """Rows of one second: one answer where it holds them all, else walks by offset that go on from each other."""
        found: dict[str, Any] = {}
        limit, idle, rows = self._page_size, 0, []
        for _ in range(_ROUNDS):
            answers = list(self._by_offset(start, end, walk, limit))
            rows = [row for answer in answers for row in answer]
            if len(answers) <= 1:
                yield Page(rows)
                return
            known = len(found)
            found.update((event_key(row, self._hash_key), row) for row in rows)
            idle = idle + 1 if len(found) == known else 0
            if len(found) == len(rows) or idle == _IDLE_ROUNDS:
                break
            limit = max(1, min(limit, len(answers[0])) - 1)  # other page ends: the same order cannot hide a row again
        if len(found) < len(rows):
            moment = datetime.fromtimestamp(start / 1000, UTC)
            walk.notes.append(
                f"The second {moment:%Y-%m-%d %H:%M:%S} UTC fills more than one answer: {len(found)} different rows "
                f"of {len(rows)} were seen, the others are the same again or could not be reached."
            )
        yield Page(list(found.values()))

    def _by_offset(self, start: int, end: int, walk: _Walk, limit: int) -> Iterator[list[Any]]:
        offset = 0
        while (part := self._ask(start, end, walk, offset, limit)).rows:
            yield part.rows
            offset = part.offset + self._distinct(part.answer)

    def _ask(self, start: int, end: int, walk: _Walk, offset: int = 0, limit: int | None = None) -> _Part:
        """Rows of [start, end) in the first answer from `offset` on that has any; none where there are no more.

        Whether the API's own ends are inclusive is not said, so the millisecond before is asked for too, and what lies
        outside is left out. Raises ContractError for a row far outside, which shows a clock or unit that is not ours.
        """
        while True:
            params = {"from": start - 1, "to": end, "limit": limit or self._page_size, "offset": offset}
            answer = rows_in("data")(self.client.get(self._path, params))
            inside = []
            for row in answer:
                moment = row.get("timestamp") if isinstance(row, dict) else None
                if not isinstance(moment, int):
                    walk.odd[event_key(row, self._hash_key)] = row
                elif start <= moment < end:
                    inside.append(row)
                elif not start - _SECOND <= moment <= end + _SECOND:
                    raise ContractError(
                        "the web filter answered with events of another time than was asked for",
                        remedy="check that the source's url is Umbrella Reporting v2, whose times are milliseconds.",
                    )
            if inside or not answer:
                return _Part(inside, answer, offset)
            offset += self._distinct(answer)

    def _distinct(self, rows: list[Any]) -> int:
        """A row that is sent twice must not push the next one over the edge of the answer."""
        return len({event_key(row, self._hash_key) for row in rows})


@dataclass(slots=True)
class _Walk:
    """odd: rows without a time, by key: they may turn up in any answer. notes: what a person must know of the walk."""

    odd: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def taken(self) -> list[str]:
        """The notes so far, each once; the walk may be adding to them on its own thread."""
        return [self.notes.pop(0) for _ in range(len(self.notes))]


@dataclass(frozen=True, slots=True)
class _Part:
    rows: list[Any]
    answer: list[Any]
    offset: int


class Identities:
    """Who a row is about: the address of a person, the name of a device, the name of a network.

    A district has few different answers to that, so each is worked out once.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, Labels] = {}

    def of(self, row: dict[str, Any]) -> Labels:
        """(user, device, network, closest kind). Of a person only the address is kept: the name goes nowhere."""
        identities = row.get("identities")
        place = orjson.dumps(identities)
        labels = self._known.get(place)
        if labels is None:
            labels = self._known[place] = self._split(identities)
        return labels

    def _split(self, identities: Any) -> Labels:
        found: dict[str, str | None] = {}
        for identity in identities if isinstance(identities, list) else ():
            try:
                kind, label = self._read(identity["type"]["type"], identity["label"])
            except (TypeError, KeyError, AttributeError):
                continue  # not an identity: it says nothing of who it was, and the row itself is still good
            if kind is not None:
                found.setdefault(kind, label)
        closest = next((kind for kind in ("user", "device", "network") if kind in found), None)
        return found.get("user"), found.get("device"), found.get("network"), closest

    @staticmethod
    def _read(kind: str, label: str) -> tuple[str | None, str | None]:
        kind, label = kind.lower(), label.strip()
        if kind in _USERS:
            return "user", address_in(label)
        if kind in _DEVICES:
            return "device", label or None
        if kind in _NETWORKS:
            return "network", label or None
        return None, None


def address_in(label: str) -> str | None:
    """`user@domain` of a label such as `Name (user@domain)`; None where there is none, and the name is forgotten."""
    if _BARE_ADDRESS.fullmatch(label):
        return label
    found = _TRAILING_ADDRESS.search(label)
    return found[1] if found else None


def event_key(row: Any, key: bytes) -> str:
    """Keyed BLAKE2b of the vendor's row, whatever the order of its names. 32 hex characters."""
    return hashlib.blake2b(orjson.dumps(row, option=orjson.OPT_SORT_KEYS), digest_size=16, key=key).hexdigest()


def _ms(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
