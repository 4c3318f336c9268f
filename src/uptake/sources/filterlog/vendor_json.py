"""Logs of Cloudflare Gateway and Zscaler as NDJSON files: the same records that they push, read the same way, so that a
request which came both ways is one request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pyarrow as pa

from uptake.contracts import Batch
from uptake.parsing import parse_records
from uptake.sources.dropfolder.content import FileRefused
from uptake.sources.filterlog.formats import LogFormat
from uptake.sources.pushed import zscaler
from uptake.sources.pushed.base import content_key
from uptake.sources.pushed.logpush import FORMATS
from uptake.sources.pushed.logpush import RESOURCES as PUSHED


class VendorJson(LogFormat):
    namespace = "logpush"
    globs = tuple(f"**/*.{ending}{zipped}" for ending in ("log", "json", "ndjson", "jsonl") for zipped in ("", ".gz"))

    def __init__(self, name: str, zone: str) -> None:
        self.resource = PUSHED[FORMATS[name]]
        self._zone = ZoneInfo(zone)
        self._is_zscaler = name.startswith("zscaler")

    def look(self, first: Sequence[str]) -> None:
        if first and not any(isinstance(_decoded(line), dict) for line in first):
            raise FileRefused("unreadable", "no line is a JSON object")

    def parse(self, lines: pa.Array, key: bytes) -> tuple[Batch, int]:
        texts = lines.to_pylist()
        rows = [_decoded(text) for text in texts]
        return parse_records(self.resource, [self._row(row, key) for row in rows]), 0

    def _row(self, row: Any, key: bytes) -> Any:
        if not isinstance(row, dict):
            return row
        record: Callable[[dict[str, Any]], dict[str, Any]] = (
            (lambda raw: zscaler.record(raw, self._zone)) if self._is_zscaler else dict
        )
        return record(row) | {"event_key": content_key(row, key)}


def _decoded(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
