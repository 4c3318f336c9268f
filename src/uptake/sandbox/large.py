"""A school day of web filter events at the size of a large district: columns, not rows.

The day is the simulated district's own (`Usage`): its sittings, habits and planted truths. What a filter sees besides,
the many requests of one page and the long tail of other hosts, is drawn around those sittings, because children browse
in bouts: hosts follow Zipf's law, some rows are delivered twice and some late. The same seed gives the same rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from uptake.sandbox.district import SimulatedDistrict
from uptake.sandbox.habits import Page
from uptake.sandbox.schoolyear import day_number
from uptake.sandbox.usage import GUESTS, NETWORK, USER

HOSTS = 20_000
ZIPF = 1.15  # exponent of the long tail: the first of its hosts sees about a sixth of it
SAME_PAGE = 0.6  # of the requests besides the sittings' own; the others go to the long tail
SENT_TWICE = 0.005
VERY_LATE = 0.002  # delivered after the day has ended
NEARBY_SECONDS = 40.0
_HEX = np.frombuffer(b"".join(b"%02x" % value for value in range(256)), dtype=np.uint8).reshape(256, 2)
_MILLISECONDS = pa.timestamp("ms", tz="UTC")


@dataclass(frozen=True)
class _Draw:
    """Columns in order of arrival. `page`: of the district's pages, then of the long tail's hosts."""

    at: np.ndarray
    arrives: np.ndarray
    person: np.ndarray
    identity: np.ndarray
    page: np.ndarray
    key: np.ndarray

    def part(self, rows: slice) -> _Draw:
        columns = (self.at, self.arrives, self.person, self.identity, self.page, self.key)
        return _Draw(*(column[rows] for column in columns))


class LargeDay:
    """About `per_student` events for each student of the district on one date.

    Columns of its tables: arrived_at and timestamp (ms, UTC), user_label, device_label, network_label, identity_type,
    verdict, domain, url (whole, as a filter logs it), type, categories, event_key (32 hex characters).
    """

    def __init__(self, district: SimulatedDistrict, on: date, *, per_student: int = 200) -> None:
        self._district = district
        self._day = day_number(on)
        self._count = district.people.count * per_student

    def pieces(self, minutes: int = 15) -> Iterator[tuple[str, pa.Table]]:
        """The day as it is delivered: a name that sorts, and the rows that arrived in so many minutes."""
        step = minutes * 60_000
        ends = np.flatnonzero(np.diff(self._drawn.arrives // step)) + 1
        for start, end in pairwise([0, *ends.tolist(), len(self)]):
            if start < end:
                first = datetime.fromtimestamp(int(self._drawn.arrives[start]) // step * step / 1000, UTC)
                yield f"{first:%Y%m%dT%H%M}", self._table(self._drawn.part(slice(start, end)))

    def __len__(self) -> int:
        return len(self._drawn.at)

    @cached_property
    def _drawn(self) -> _Draw:
        people = self._district.people
        seen = self._district.usage.filter_rows(self._day)
        rng = np.random.default_rng([people.truths.seed, 7, people.count, self._day])
        more = max(0, self._count - len(seen)) if len(seen) else 0
        around = rng.integers(len(seen), size=more) if more else np.zeros(0, dtype=np.int64)
        after = (rng.exponential(NEARBY_SECONDS * 1000, size=more)).astype(np.int64)
        tail = np.arange(more) >= SAME_PAGE * more
        share = np.cumsum(np.arange(1, HOSTS + 1) ** -ZIPF)
        rank = np.searchsorted(share, rng.random(int(tail.sum())) * share[-1])
        page = seen.page[around].astype(np.int32)
        page[tail] = len(self._district.usage.pool.pages) + rank
        at = np.concatenate([seen.at, seen.at[around] + after])
        arrives = np.concatenate([seen.served_from, seen.served_from[around] + after])
        very_late = rng.random(len(at)) < VERY_LATE
        arrives[very_late] += rng.integers(8 * 3_600_000, 72 * 3_600_000, size=int(very_late.sum()))
        row = np.arange(len(at))
        again = row[rng.random(len(at)) < SENT_TWICE]
        row, arrives = np.concatenate([row, again]), np.concatenate([arrives, arrives[again] + 60_000])
        order = np.argsort(arrives, kind="stable")
        row, arrives = row[order], arrives[order]
        person, identity = (np.concatenate([column, column[around]])[row] for column in (seen.person, seen.identity))
        key = rng.integers(0, 256, size=(len(at), 16), dtype=np.uint8)
        return _Draw(at[row], arrives, person, identity, np.concatenate([seen.page, page])[row], key[row])

    def _table(self, rows: _Draw) -> pa.Table:
        pages = self._pages.take(pa.array(rows.page))
        who = _Labels(self._labels, rows.person, rows.identity)
        return pa.table(
            {
                "arrived_at": pa.array(rows.arrives).cast(_MILLISECONDS),
                "timestamp": pa.array(rows.at).cast(_MILLISECONDS),
                "user_label": who.user,
                "device_label": who.device,
                "network_label": who.network,
                "identity_type": who.kind,
                "verdict": pages.field("verdict"),
                "domain": pages.field("domain"),
                "url": _whole_urls(pages.field("url"), rows.key),
                "type": pages.field("type"),
                "categories": pages.field("categories"),
                "event_key": _hex(rows.key),
            }
        )

    @cached_property
    def _pages(self) -> pa.StructArray:
        tail = [
            Page(f"https://{host}/", host, rank % 8 == 0, "allowed", ("Reference",))
            for rank, host in enumerate(f"site{number:05d}.example" for number in range(HOSTS))
        ]
        pages = [*self._district.usage.pool.pages, *tail]
        return pa.StructArray.from_arrays(
            [
                pa.array([None if page.is_dns else page.url for page in pages], pa.string()),
                pa.array([page.domain for page in pages], pa.string()),
                pa.array([page.verdict for page in pages], pa.string()),
                pa.array(["dns" if page.is_dns else "proxy" for page in pages], pa.string()),
                pa.array([list(page.categories) for page in pages], pa.list_(pa.string())),
            ],
            names=["url", "domain", "verdict", "type", "categories"],
        )

    @cached_property
    def _labels(self) -> tuple[pa.Array, pa.Array, pa.Array]:
        """Address, device and network of everyone whose number an event may carry: students, staff, guests."""
        people = self._district.people
        school = np.concatenate([people.school, people.staff_school, np.zeros(GUESTS, dtype=np.int64)])
        guests = [f"guest{number + 1}@guests.riverbend.example" for number in range(GUESTS)]
        return (
            pa.array([*people.emails, *guests], pa.string()),
            pa.array([f"RB-CB-{number + 1:06d}" for number in range(len(school))], pa.string()),
            pa.array([f"Network {people.schools[int(number)].name}" for number in school], pa.string()),
        )


class _Labels:
    """The identities of rows: a person's device and network are known too, a device's network too."""

    def __init__(self, labels: tuple[pa.Array, pa.Array, pa.Array], person: np.ndarray, identity: np.ndarray) -> None:
        emails, devices, networks = labels
        self.user = emails.take(pa.array(person, mask=identity != USER))
        self.device = devices.take(pa.array(person, mask=identity == NETWORK))
        self.network = networks.take(pa.array(person))
        self.kind = pa.array(["user", "device", "network"]).take(pa.array(identity))


def _hex(key: np.ndarray) -> pa.Array:
    """uint8 (rows, 16) -> strings of 32 hex characters, without a Python object for each."""
    text = np.ascontiguousarray(_HEX[key]).reshape(-1)
    offsets = np.arange(0, 32 * len(key) + 1, 32, dtype=np.int32)
    return pa.StringArray.from_buffers(len(key), pa.py_buffer(offsets), pa.py_buffer(text))


def _whole_urls(urls: pa.Array, key: np.ndarray) -> pa.Array:
    """Each address with a query of its own, as real ones have: nothing may be gained by their being repeated."""
    number = pa.array(key[:, :4].copy().view(np.uint32).ravel()).cast(pa.string())
    return pc.binary_join_element_wise(urls, number, "?v=")


class LogForm(Enum):
    """ndjson: as Cloudflare's Logpush posts its data set of gateway HTTP requests. parquet: the columns as drawn."""

    ndjson = "ndjson"
    parquet = "parquet"

    @property
    def ending(self) -> str:
        return "ndjson.gz" if self is LogForm.ndjson else "parquet"


# https://developers.cloudflare.com/logs/logpush/logpush-job/datasets/account/gateway_http/
_AS_GATEWAY_HTTP = """
select
    strftime(timestamp at time zone 'UTC', '%Y-%m-%dT%H:%M:%S.%gZ') as "Datetime",
    user_label as "Email", device_label as "DeviceName", network_label as "LocationName",
    if(verdict = 'blocked', 'block', 'allow') as "Action", domain as "HTTPHost", url as "URL",
    categories as "CategoryNames", event_key as "RequestID"
from rows
"""


def write_log(rows: pa.Table, path: Path, form: LogForm) -> None:
    """Write beside and rename: a folder's reader never sees half a file."""
    draft = path.with_name(f".{path.name}.tmp")
    if form is LogForm.parquet:
        pq.write_table(rows, draft, compression="zstd")
    else:
        with duckdb.connect() as connection:
            connection.register("rows", rows)
            connection.execute(f"copy ({_AS_GATEWAY_HTTP}) to '{draft}' (format json, compression gzip)")
    draft.replace(path)
