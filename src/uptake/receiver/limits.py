"""What a sender may ask of the receiver: a size of body, also after gzip, and a rate."""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass

GZIP_MAGIC = b"\x1f\x8b"


class TooLarge(Exception):
    """The body, or what gzip makes of it, is larger than allowed."""


class NotGzip(Exception):
    """The body says that it is gzip and is not, or ends too early."""


def gunzip(body: bytes, limit: int) -> bytes:
    """Unpack a body that may be of several members (RFC 1952, 2.2), never to more than `limit` bytes.

    Raises TooLarge, NotGzip.
    """
    parts: list[bytes] = []
    room, rest = limit, body
    while rest:
        member = zlib.decompressobj(wbits=31)
        try:
            part = member.decompress(rest, room + 1)
        except zlib.error as error:
            raise NotGzip("not gzip") from error
        room -= len(part)
        if room < 0:
            raise TooLarge("too large after gzip")
        if not member.eof:
            raise NotGzip("gzip that ends too early")
        parts.append(part)
        rest = member.unused_data
    return b"".join(parts)


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Rate:
    """So many requests a second for each key, and a burst of `burst_seconds` of them."""

    def __init__(self, per_second: float, burst_seconds: float = 2.0) -> None:
        self._per_second = per_second
        self._most = max(1.0, per_second * burst_seconds)
        self._buckets: dict[str, _Bucket] = {}

    def wait(self, key: str) -> float:
        """Take one request's turn: 0 when it may go on, else the seconds after which to try again."""
        now = time.monotonic()
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(self._most, now)
        bucket.tokens = min(self._most, bucket.tokens + (now - bucket.at) * self._per_second)
        bucket.at = now
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return 0.0
        return (1 - bucket.tokens) / self._per_second
