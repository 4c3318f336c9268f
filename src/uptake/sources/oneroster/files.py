"""Rosters as CSV files: OneRoster 1.1 and 1.2, and School Data Sync, in zips or folders that somebody drops.

Which files count, and when, `uptake.sources.places` decides as for any drop folder; `sheets` has the dialects, `shapes`
makes the model of their rows. Each resource of a delivery is a window of its own, known by the content of the files
that it is made of: a zip that comes each night costs only what changed since.
"""

from __future__ import annotations

import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from uptake.config import SourceSettings
from uptake.contracts import Batch, Resource, Window
from uptake.credentials import Credential
from uptake.errors import TransientError
from uptake.sources.base import Home
from uptake.sources.dropfolder.content import FileRefused
from uptake.sources.dropfolder.readers import read_whole, refused
from uptake.sources.oneroster.deliveries import MANIFEST, Contents, Delivery, Members, Part, whole_token
from uptake.sources.oneroster.model import NAMESPACE, RESOURCES, RosterSettings, resources_of
from uptake.sources.oneroster.shapes import Shaping, batches, reparsed
from uptake.sources.oneroster.sheets import DIALECTS, ONEROSTER, Dialect
from uptake.sources.places import Folder, FolderSettings, Wanted

# A delivery that is refused as a whole is told once, by the resource that every roster has.
_FIRST = next(iter(RESOURCES))
_NOTES = "parts.json"


def _has_no_end(path: Path) -> bool:
    return not zipfile.is_zipfile(path)


_ZIPS = Wanted("zips", ("**/*.zip",), ends_early=_has_no_end)
_TABLES = Wanted("tables", ("**/*.csv",))


class OneRosterFilesSettings(FolderSettings, RosterSettings):
    """dialect: `oneroster`, whose manifest names the version, or Microsoft School Data Sync `sds_v2.1` or `sds_v2`."""

    kind: Literal["oneroster_csv"] = "oneroster_csv"
    dialect: Literal["oneroster", "sds_v2.1", "sds_v2"] = "oneroster"

    @property
    def namespace(self) -> str:
        return NAMESPACE


class _Noted(BaseModel):
    """What deliveries held, by their content, so that one that has not changed is not opened again."""

    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    parts: dict[str, dict[str, tuple[str, bool]]] = {}


class OneRosterFiles:
    """A roster as OneRoster or School Data Sync files: each the whole list or, where the manifest says so, a change."""

    kind: ClassVar[str] = "oneroster_csv"
    namespace: ClassVar[str] = NAMESPACE
    settings_model: ClassVar[type[SourceSettings]] = OneRosterFilesSettings
    needs_credential: ClassVar[bool] = False
    declared: ClassVar[Mapping[str, Resource]] = RESOURCES

    def __init__(self, settings: SourceSettings, credential: Credential | None) -> None:
        if not isinstance(settings, OneRosterFilesSettings):
            raise TypeError(f"files of a roster are not described by {type(settings).__name__}")
        self._settings = settings
        self._dialect = DIALECTS.get(settings.dialect)
        self._folder = Folder(settings, credential)
        self._offers: dict[tuple[str, str], Delivery] = {}
        self._notes: Path | None = None
        self._row_key: bytes | None = None

    def settle(self, home: Home) -> None:
        """Remember in `home` what was read, and take its key for rows without an id."""
        self._folder.settle(home.notes)
        self._notes = home.notes / _NOTES
        self._row_key = home.event_key

    def __enter__(self) -> OneRosterFiles:
        return self

    def __exit__(self, *error: object) -> None:
        self._folder.close()

    @cached_property
    def resources(self) -> Mapping[str, Resource]:
        known = {name for dialect in self._dialects for name in dialect.sheets}
        return {
            name: replace(resource, full_list=True, full_sync_every=None, cursor=False)
            for name, resource in resources_of(self._settings, self._settings.name).items()
            if name in known
        }

    def windows(self, resource: Resource, *, since: datetime | None, until: datetime, full: bool) -> list[Window]:
        """One for each delivery that holds the resource, the oldest first; of the same content the newest counts."""
        found: dict[str, Window] = {}
        for delivery, parts in self._deliveries:
            part = parts.get(resource.name)
            if part is not None:
                found[part.token] = Window("file", part.token, end=delivery.modified_at, is_change=part.is_change)
                self._offers[resource.name, part.token] = delivery
        return sorted(found.values(), key=lambda window: (window.end, window.token))

    def pull(self, resource: Resource, window: Window) -> Iterator[Batch]:
        """The resource's rows in a delivery; or, where a file of it is wrong, one reject that stands for it."""
        if (resource.name, window.token) not in self._offers:
            self.windows(resource, since=None, until=datetime.max, full=True)
        delivery = self._offers.get((resource.name, window.token))
        if delivery is None:
            raise TransientError(
                f"no delivery has {resource.name} of the content {window.token}",
                remedy="put it back, or leave it: the next pull lists the folder afresh.",
            )
        if self._row_key is None:
            raise RuntimeError("files of a roster are read only with a home: `settle` comes first")
        try:
            with delivery.opened(self._folder) as members:
                yield from _batches(resource, self._contents(members), self._row_key)
        except FileRefused as refusal:
            yield refused(resource, delivery.name, refusal)

    def reparse(self, resource: Resource, raws: Sequence[str]) -> Batch:
        return reparsed(resource, raws, any(dialect.roles != "columns" for dialect in self._dialects))

    def probe(self) -> str:
        """How many deliveries are there. Raises PermanentError when the folder is not."""
        folders = self._by_folder(self._folder.names(_TABLES))
        return f"{self._folder}: {self._folder.count(_ZIPS)} zips, {len(folders)} folders of CSV files"

    # --- deliveries ----------------------------------------------------------------------------------------------

    @property
    def _dialects(self) -> tuple[Dialect, ...]:
        return tuple(ONEROSTER.values()) if self._dialect is None else (self._dialect,)

    @cached_property
    def _deliveries(self) -> list[tuple[Delivery, dict[str, Part]]]:
        """What was there when it was first asked for, so that the resources agree with each other."""
        zips = [Delivery(file.name, (file,), file.token, is_zip=True) for file in self._folder.files(_ZIPS)]
        found = sorted([*zips, *self._folders()], key=lambda delivery: (delivery.modified_at, delivery.name))
        before, now = self._noted(), _Noted()
        deliveries = []
        for delivery in found:
            key = f"{self._settings.dialect} {delivery.token}"
            if key in before.parts:
                parts = {name: Part(*part) for name, part in before.parts[key].items()}
            else:
                parts = self._parts(delivery)
            now.parts[key] = {name: (part.token, part.is_change) for name, part in parts.items()}
            deliveries.append((delivery, parts))
        if self._notes is not None and now != before:
            self._notes.write_text(now.model_dump_json(), encoding="utf-8")
        return deliveries

    def _noted(self) -> _Noted:
        try:
            return _Noted.model_validate_json(self._notes.read_bytes()) if self._notes else _Noted()
        except (FileNotFoundError, ValidationError):
            return _Noted()  # the first look, or cut short by a crash: everything is opened

    def _parts(self, delivery: Delivery) -> dict[str, Part]:
        try:
            with delivery.opened(self._folder) as members:
                return self._contents(members).parts()
        except FileRefused:
            return {_FIRST: Part(delivery.token, is_change=False)}

    def _contents(self, members: Members) -> Contents:
        return Contents.of(members, self._dialect, self._settings.dialect)

    def _folders(self) -> Iterator[Delivery]:
        """Folders in which nobody seems to be writing: every file is finished, and none is missing or the newest is old
        enough that it will not come."""
        finished = {file.name: file for file in self._folder.files(_TABLES)}
        for place, names in self._by_folder(self._folder.names(_TABLES)).items():
            if not finished.keys() >= names:
                continue
            files = tuple(finished[name] for name in sorted(names))
            delivery = Delivery(place or str(self._folder), files, whole_token(files), is_zip=False)
            age = time.time() - delivery.modified_at.timestamp()
            if age >= self._settings.incomplete_minutes * 60 or self._is_whole(delivery):
                yield delivery

    def _is_whole(self, delivery: Delivery) -> bool:
        try:
            with delivery.opened(self._folder) as members:
                contents = self._contents(members)
                for resource in contents.parts():
                    contents.sheets(resource)
        except FileRefused:
            return False
        return True

    def _by_folder(self, names: set[str]) -> dict[str, set[str]]:
        """By folder, the files that make a delivery of it. A folder that has none of them is no delivery."""
        own = {MANIFEST}.union(*(dialect.file_names for dialect in self._dialects))
        found: dict[str, set[str]] = {}
        for name in names:
            place, _, base = name.rpartition("/")
            if base.casefold() in own:
                found.setdefault(place, set()).add(name)
        return found


def _batches(resource: Resource, contents: Contents, row_key: bytes) -> Iterator[Batch]:
    shaping = Shaping(contents.dialect, row_key, contents.is_change(resource.name))
    texts = [read_whole(path, sheet.mapping) for sheet, path in contents.sheets(resource.name)]
    yield from batches(resource, texts, shaping)
