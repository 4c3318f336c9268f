"""Web-filter logs that their vendor pushes, as NDJSON or as a JSON array.

Each source entry takes one format; the formats are read in the modules beside this one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal
from zoneinfo import ZoneInfo

import orjson
from pydantic import field_validator

from uptake.config import SourceSettings, time_zones
from uptake.contracts import Resource
from uptake.credentials import Credential
from uptake.sources.pushed import cloudflare, zscaler
from uptake.sources.pushed.base import Body, PushedSettings, PushedSource, content_key, unpacked

RESOURCES: dict[str, Resource] = cloudflare.RESOURCES | zscaler.RESOURCES
# Format, as uptake.yaml and the receiver's address name it -> resource.
FORMATS = {
    "cloudflare-gateway-http": "gateway_http",
    "cloudflare-gateway-dns": "gateway_dns",
    "zscaler-web": "zscaler_web",
}


class LogpushSettings(PushedSettings):
    """format: of which product's log. time_zone: of times that do not say theirs (Zscaler's), as its feed is set up."""

    kind: Literal["logpush"] = "logpush"
    format: Literal["cloudflare-gateway-http", "cloudflare-gateway-dns", "zscaler-web"]
    time_zone: str = "UTC"

    @field_validator("time_zone")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in time_zones():
            raise ValueError(f"{value!r} is not an IANA time zone such as America/Chicago")
        return value


class Logpush(PushedSource):
    """The log of one web filter."""

    kind: ClassVar[str] = "logpush"
    namespace: ClassVar[str] = "logpush"
    settings_model: ClassVar[type[SourceSettings]] = LogpushSettings
    declared = RESOURCES

    def __init__(self, settings: LogpushSettings, credential: Credential | None) -> None:
        super().__init__(settings, credential)
        name = FORMATS[settings.format]
        self._resources = {name: RESOURCES[name]}
        self._zone = ZoneInfo(settings.time_zone)

    @property
    def resources(self) -> Mapping[str, Resource]:
        return self._resources

    def rows(self, resource: Resource, delivery: Body, event_key: bytes) -> Iterator[Any]:
        is_zscaler = resource.name == "zscaler_web"
        for row in log_rows(unpacked(delivery)):
            if not isinstance(row, dict):
                yield row
                continue
            key = content_key(row, event_key)
            yield (zscaler.record(row, self._zone) if is_zscaler else row) | {"event_key": key}


def log_rows(body: bytes) -> list[Any]:
    """The records of a body; a line that is no JSON comes back as its text, which no contract takes for a record."""
    if body.lstrip().startswith(b"["):
        return list(orjson.loads(body))
    lines = [line for line in body.splitlines() if line.strip()]
    try:
        return list(orjson.loads(b"[" + b",".join(lines) + b"]"))
    except orjson.JSONDecodeError:
        return [_row(line) for line in lines]


def _row(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return line.decode(errors="replace")
