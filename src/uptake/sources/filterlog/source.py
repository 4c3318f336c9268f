"""Log files of a web filter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field as Key
from pydantic import field_validator, model_validator

from uptake.config import SourceSettings, time_zones
from uptake.sources.filterlog.export import Export
from uptake.sources.filterlog.files import LogFiles, LogFileSettings
from uptake.sources.filterlog.formats import LogFormat
from uptake.sources.filterlog.paloalto import LAYOUTS, PaloAlto
from uptake.sources.filterlog.squid import COLUMNS, SquidCsv, SquidLog
from uptake.sources.filterlog.umbrella_export import VERSIONS, UmbrellaExport
from uptake.sources.filterlog.vendor_json import VendorJson

_OWN_KEYS = {
    "umbrella-dns": {"schema_version", "user_domain"},
    "umbrella-proxy": {"schema_version", "user_domain"},
    "squid": {"user_domain"},
    "squid-combined": {"user_domain"},
    "squid-csv": {"user_domain", "columns", "delimiter", "time_zone"},
    "paloalto-url": {"schema_version", "user_domain", "time_zone"},
    "cloudflare-gateway-http": set(),
    "cloudflare-gateway-dns": set(),
    "zscaler-web": {"time_zone"},
    "export": {"headers", "time_formats", "time_zone", "user_domain"},
}
_NEEDED = {
    "umbrella-dns": {"schema_version"},
    "umbrella-proxy": {"schema_version"},
    "squid-csv": {"columns"},
    "paloalto-url": {"schema_version", "time_zone"},
    "zscaler-web": {"time_zone"},
    "export": {"headers", "time_zone"},
}


class FilterLogSettings(LogFileSettings):
    """format: of which product's log.

    schema_version: of Umbrella's export (5 to 17), or of PAN-OS ("10.1").
    columns, delimiter: of a district's own Squid format, what stands in each place.
    headers, time_formats: of an export, the titles that a column is known by, and how it writes its times.
    time_zone: of times that do not say theirs. user_domain: what follows the @ of an account that stands alone.
    """

    kind: Literal["filterlog"]
    format: Literal[
        "umbrella-dns",
        "umbrella-proxy",
        "squid",
        "squid-combined",
        "squid-csv",
        "paloalto-url",
        "cloudflare-gateway-http",
        "cloudflare-gateway-dns",
        "zscaler-web",
        "export",
    ]
    schema_version: int | str | None = None
    columns: tuple[str, ...] = ()
    headers: Mapping[Literal["time", "user", "url", "host", "action", "category"], tuple[str, ...]] = {}
    time_formats: tuple[str, ...] = ()
    delimiter: Annotated[str, Key(min_length=1, max_length=1)] = ","
    time_zone: str = "UTC"
    user_domain: Annotated[str, Key(pattern=r"^[a-z0-9.-]+\.[a-z]{2,}$")] | None = None

    @field_validator("schema_version", mode="before")
    @classmethod
    def _as_written(cls, value: Any) -> Any:
        return str(value) if isinstance(value, float) else value  # YAML reads 11.1 as a number

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in time_zones():
            raise ValueError(f"{value!r} is not an IANA zone such as America/Chicago")
        return value

    @model_validator(mode="after")
    def _of_the_format(self) -> FilterLogSettings:
        given = self.model_fields_set & set().union(*_OWN_KEYS.values())
        if foreign := sorted(given - _OWN_KEYS[self.format]):
            raise ValueError(f"{', '.join(foreign)}: not for the format {self.format}")
        if missing := sorted(_NEEDED.get(self.format, set()) - given):
            raise ValueError(f"the format {self.format} needs {', '.join(missing)}")
        if self.format.startswith("umbrella") and self.schema_version not in VERSIONS:
            raise ValueError(f"schema_version {self.schema_version} is unknown; known: {VERSIONS[0]} to {VERSIONS[-1]}")
        if self.format == "paloalto-url" and self.schema_version not in LAYOUTS:
            raise ValueError(f"schema_version {self.schema_version} is unknown; known, in quotes: {', '.join(LAYOUTS)}")
        if self.format == "squid-csv" and not {"time", "url"} <= set(self.columns):
            raise ValueError(f"columns names `time` and `url` at least; read are: {', '.join(COLUMNS)}")
        if self.format == "export" and not {"time", "url"} <= self.headers.keys():
            raise ValueError("headers names `time` and `url` at least")
        if len(read := [name for name in self.columns if name in COLUMNS]) != len(set(read)):
            raise ValueError("columns names one twice")
        return self

    def make_format(self) -> LogFormat:
        version, domain = self.schema_version, self.user_domain
        match self.format:
            case "umbrella-dns" | "umbrella-proxy":
                return UmbrellaExport(self.format.removeprefix("umbrella-"), int(version or 0), domain)
            case "squid" | "squid-combined":
                return SquidLog(is_native=self.format == "squid", user_domain=domain)
            case "squid-csv":
                return SquidCsv(self.columns, self.delimiter, self.time_zone, domain)
            case "paloalto-url":
                return PaloAlto(str(version), self.time_zone, domain)
            case "export":
                return Export(dict(self.headers.items()), self.time_formats, self.time_zone, domain)
            case _:
                return VendorJson(self.format, self.time_zone)

    @property
    def namespace(self) -> str:
        return self.make_format().namespace


class FilterLog(LogFiles):
    """One folder of one filter's log files."""

    kind: ClassVar[str] = "filterlog"
    settings_model: ClassVar[type[SourceSettings]] = FilterLogSettings
