"""Log files of a web filter: one window for each file, known by its content; one format for each source entry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field as Key
from pydantic import field_validator, model_validator

from uptake.config import SourceSettings, time_zones
from uptake.contracts import Batch, Reject, Resource, Window
from uptake.credentials import Credential
from uptake.sources.base import Home
from uptake.sources.dropfolder.content import FileRefused, inspect
from uptake.sources.dropfolder.readers import gzip_ends_early, read_lines
from uptake.sources.filterlog.columns import one_array
from uptake.sources.filterlog.export import Export
from uptake.sources.filterlog.formats import LogFormat
from uptake.sources.filterlog.paloalto import LAYOUTS, PaloAlto
from uptake.sources.filterlog.squid import COLUMNS, SquidCsv, SquidLog
from uptake.sources.filterlog.umbrella_export import VERSIONS, UmbrellaExport
from uptake.sources.filterlog.vendor_json import VendorJson
from uptake.sources.places import DroppedFile, Folder, FolderSettings, Wanted

_FIRST_LINES = 200
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


class FilterLogSettings(FolderSettings):
    """format: of which product's log. files: names that count, as in a mapping; without it, those usual for the format.

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
    files: tuple[str, ...] = ()
    schema_version: int | str | None = None
    columns: tuple[str, ...] = ()
    headers: Mapping[Literal["time", "user", "url", "host", "action", "category"], tuple[str, ...]] = {}
    time_formats: tuple[str, ...] = ()
    delimiter: Annotated[str, Key(min_length=1, max_length=1)] = ","
    time_zone: str = "UTC"
    user_domain: Annotated[str, Key(pattern=r"^[a-z0-9.-]+\.[a-z]{2,}$")] | None = None

    @field_validator("files", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

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


class FilterLog:
    """One folder of one filter's log files."""

    kind: ClassVar[str] = "filterlog"
    settings_model: ClassVar[type[SourceSettings]] = FilterLogSettings
    needs_credential: ClassVar[bool] = False

    def __init__(self, settings: SourceSettings, credential: Credential | None) -> None:
        if not isinstance(settings, FilterLogSettings):
            raise TypeError(f"a folder of logs is not described by {type(settings).__name__}")
        self._format = settings.make_format()
        globs = settings.files or self._format.globs
        self._wanted = Wanted(self._format.resource.name, globs, ends_early=gzip_ends_early)
        self._folder = Folder(settings, credential)
        self._home: Home | None = None

    def settle(self, home: Home) -> None:
        """Lines have no id: the district's event key hashes them."""
        self._home = home
        self._folder.settle(home.notes)

    def __enter__(self) -> FilterLog:
        return self

    def __exit__(self, *error: object) -> None:
        self._folder.close()

    @property
    def namespace(self) -> str:
        return self._format.namespace

    @property
    def resources(self) -> Mapping[str, Resource]:
        return {self._format.resource.name: self._format.resource}

    def windows(self, resource: Resource, *, since: datetime | None, until: datetime, full: bool) -> list[Window]:
        """One window for each finished file (`Folder.windows`), whenever its requests happened."""
        return self._folder.windows(self._wanted)

    def pull(self, resource: Resource, window: Window) -> Iterator[Batch]:
        """The file's requests; or, where it is of another format, one reject that stands for it.

        Raises TransientError when the file has been changed or taken away since `windows`.
        """
        file = self._folder.file(self._wanted, window)
        try:
            yield from self._batches(file)
        except FileRefused as refusal:
            sentence = f"{file.name}: {refusal.message}."
            yield Batch(
                resource.schema.empty_table(), [Reject(refusal.reason, None, sentence)], note=f"Refused {sentence}"
            )

    def reparse(self, resource: Resource, raws: Sequence[str]) -> Batch:
        """Lines that were rejected, read again."""
        try:
            self._format.look(raws)
        except FileRefused as refusal:
            return Batch(resource.schema.empty_table(), [Reject(refusal.reason, None, raw) for raw in raws])
        batch, _ = self._format.parse(pa.array(raws, pa.string()), self._key)
        return batch

    def probe(self) -> str:
        """How many files there are. Raises PermanentError when the folder is not there."""
        return f"{self._folder}: {self._folder.count(self._wanted)} log files"

    @property
    def _key(self) -> bytes:
        if self._home is None:
            raise RuntimeError("log files are read only with a home: `settle` comes first")
        return self._home.event_key

    def _batches(self, file: DroppedFile) -> Iterator[Batch]:
        """A gzip that is cut proves so at its end: the text is read to it before a row is given out."""
        with self._folder.opened(file) as path:
            text = inspect(path)
            self._folder.hold(file)
            has_looked, left_out = False, 0
            for table, rejects in read_lines(text):
                lines = one_array(table.column("0"))
                if not len(lines):
                    yield Batch(self._format.resource.schema.empty_table(), rejects)
                    continue
                if not has_looked:
                    self._format.look(lines.slice(0, _FIRST_LINES).to_pylist())
                    has_looked = True
                damaged = list[Reject]()
                if text.is_damaged:
                    is_bad = pc.match_substring(lines, "\ufffd")
                    damaged = [Reject("bad_encoding", None, line) for line in lines.filter(is_bad).to_pylist()]
                    lines = lines.filter(pc.invert(is_bad))
                batch, skipped = self._format.parse(lines, self._key)
                left_out += skipped
                batch.rejects += [*rejects, *damaged]
                yield batch
            self._folder.hold(file)
            if left_out:
                note = f"{file.name}: {left_out} lines were left out. {self._format.skipped_note}"
                yield Batch(self._format.resource.schema.empty_table(), note=note)
