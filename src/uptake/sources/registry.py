"""Which kinds of source there are. A new vendor is one line here and one module beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import cast

from uptake.config import SourceSettings
from uptake.contracts import Resource
from uptake.credentials import Credential
from uptake.sources.base import Source

_PLACES = {
    "oneroster": "uptake.sources.oneroster:OneRoster",
    "oneroster_csv": "uptake.sources.oneroster.files:OneRosterFiles",
    "canvas": "uptake.sources.canvas:Canvas",
    "canvas_data_2": "uptake.sources.canvas_data_2:CanvasData2",
    "moodle": "uptake.sources.moodle:Moodle",
    "edfi": "uptake.sources.edfi:EdFi",
    "clever": "uptake.sources.clever:Clever",
    "google_classroom": "uptake.sources.google:GoogleClassroom",
    "google_admin": "uptake.sources.google:GoogleAdmin",
    "umbrella": "uptake.sources.umbrella:Umbrella",
    "dropfolder": "uptake.sources.dropfolder:DropFolder",
    "caliper": "uptake.sources.pushed.caliper:Caliper",
    "xapi": "uptake.sources.pushed.xapi:Xapi",
    "logpush": "uptake.sources.pushed.logpush:Logpush",
    "filterlog": "uptake.sources.filterlog:FilterLog",
    "live_events": "uptake.sources.liveevents:LiveEvents",
    "database": "uptake.sources.database:Database",
}
# Namespace, and a module that declares RESOURCES of it. Log files land beside what the same filters push or answer.
_OWN_RESOURCES = (
    ("oneroster", "uptake.sources.oneroster"),
    ("canvas", "uptake.sources.canvas"),
    ("canvas", "uptake.sources.canvas_data_2"),
    ("moodle", "uptake.sources.moodle"),
    ("edfi", "uptake.sources.edfi"),
    ("clever", "uptake.sources.clever"),
    ("google_classroom", "uptake.sources.google.classroom"),
    ("google_admin", "uptake.sources.google.admin"),
    ("umbrella", "uptake.sources.umbrella"),
    ("caliper", "uptake.sources.pushed.caliper"),
    ("xapi", "uptake.sources.pushed.xapi"),
    ("logpush", "uptake.sources.pushed.logpush"),
    ("logpush", "uptake.sources.filterlog.proxy"),
)


class _Kinds(Mapping[str, type[Source]]):
    """Kind -> source class. A vendor's module is imported when it is first asked for."""

    def __getitem__(self, kind: str) -> type[Source]:
        module, _, name = _PLACES[kind].partition(":")
        return cast("type[Source]", getattr(import_module(module), name))

    def __iter__(self) -> Iterator[str]:
        return iter(_PLACES)

    def __len__(self) -> int:
        return len(_PLACES)


KINDS: Mapping[str, type[Source]] = _Kinds()


def settings_model(kind: object) -> type[SourceSettings]:
    """Settings of a kind of source. Raises ValueError that lists the known kinds."""
    if not isinstance(kind, str) or kind not in _PLACES:
        raise ValueError(f"unknown source kind {kind!r}; known kinds: {', '.join(KINDS)}")
    return KINDS[kind].settings_model


def open_source(settings: SourceSettings, credential: Credential | None) -> Source:
    """A source of the kind that the settings name, ready for a `with` block."""
    return KINDS[settings.kind](settings, credential)


def warehouse_resources() -> dict[tuple[str, str], Resource]:
    """(namespace, resource name) -> every resource that the shipped code can land."""
    found = {
        (namespace, name): resource
        for namespace, module in _OWN_RESOURCES
        for name, resource in import_module(module).RESOURCES.items()
    }
    shipped = import_module("uptake.sources.dropfolder.mapping").shipped_resources()
    return found | shipped
