"""Caliper events, versions 1.0, 1.1 and 1.2.

Format: https://www.imsglobal.org/spec/caliper/v1p2 and https://www.imsglobal.org/caliper/v1p1/caliper-spec-v1p1
(envelope `{sensor, sendTime, dataVersion, data}`; an entity may be an object or its bare identifier); Canvas sends 1.1:
https://developerdocs.instructure.com/services/canvas/data-services/live-events/overview/file.data_service_caliper_structure

In 1.0 an event has no id, `id` and `type` are written `@id` and `@type`, and terms are whole addresses
(`http://purl.imsglobal.org/vocab/caliper/v1/action#NavigatedTo`): here only a term's last part is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, ClassVar, Literal

import orjson
import pyarrow as pa

from uptake.contracts import TIMESTAMP, Field, Resource
from uptake.credentials import Credential
from uptake.sources.pushed.base import (
    Body,
    PushedSettings,
    PushedSource,
    content_key,
    names,
    term,
    unpacked,
    uuid_in,
    with_people,
)

MEASURE = pa.struct(
    [
        pa.field("metric", pa.string()),
        pa.field("metricValue", pa.float64()),
        pa.field("maxMetricValue", pa.float64()),
        pa.field("startedAtTime", TIMESTAMP),
        pa.field("endedAtTime", TIMESTAMP),
    ]
)
_CANVAS_USER = re.compile(r"urn:instructure:canvas:user:([0-9]+)")
# Identifiers of a person that other systems know too (1.2, SystemIdentifier), by what kind of identifier they are.
_SIS_TYPES = frozenset({"LisSourcedId", "OneRosterSourcedId", "SisSourcedId"})
_CANVAS_EXTENSION = "com.instructure.canvas"
_SHARD = 10**13


def entity_id(value: Any) -> str | None:
    """An entity's identifier, whether it stands as an object (1.0: `@id`) or as the bare identifier."""
    if isinstance(value, dict):
        value = value.get("id") or value.get("@id")
    return value if isinstance(value, str) and value.strip() else None


def entity_type(value: Any) -> str | None:
    return term(value.get("type") or value.get("@type")) if isinstance(value, dict) else None


def sis_id(actor: Any) -> str | None:
    """The roster's identifier of an actor, where the sender gives it."""
    return _other(actor, _SIS_TYPES) or _canvas_extension(actor, "user_sis_id")


def email(actor: Any) -> str | None:
    """The actor's e-mail address, where the sender gives it."""
    found = _other(actor, frozenset({"EmailAddress"})) or _canvas_extension(actor, "user_login")
    if found is None:
        identifier = entity_id(actor) or ""
        found = identifier[len("mailto:") :] if identifier.lower().startswith("mailto:") else None
    return found if found and "@" in found else None


def canvas_id(actor: Any) -> str | None:
    """Canvas's own number of the actor, which it writes as `urn:instructure:canvas:user:<id>`; the one that its API has
    where it says which account the actor is of."""
    found = _CANVAS_USER.fullmatch(entity_id(actor) or "")
    return local_id(found[1], _canvas_extension(actor, "root_account_id")) if found else None


@lru_cache(maxsize=1 << 18)  # a district has so many people, and each of them does much
def local_id(user: str, root_account: str | None) -> str:
    """Events number people over all of Canvas (shard * 10^13 + number), the API inside the account's own shard:
    https://developerdocs.instructure.com/services/canvas/data-services/live-events/overview/file.data_service_canvas_event_metadata
    A person of another shard has the long number in both."""
    if root_account is None or not root_account.isdecimal() or not user.isdecimal():
        return user
    shard, number = divmod(int(user), _SHARD)
    return str(number) if shard == int(root_account) // _SHARD else user


def measures(generated: Any) -> list[dict[str, Any]] | None:
    """AggregateMeasures of a ToolUseEvent (1.1 extension and 1.2). Their values are cumulative over their span."""
    if not isinstance(generated, dict) or entity_type(generated) not in (
        "AggregateMeasureCollection",
        "AggregateMeasure",
    ):
        return None
    items = generated.get("items") if entity_type(generated) == "AggregateMeasureCollection" else [generated]
    if not isinstance(items, list):
        raise ValueError("a collection without items")
    return [{name: item.get(name) for name in MEASURE.names} | {"metric": term(item.get("metric"))} for item in items]


def _other(actor: Any, types: frozenset[str]) -> str | None:
    listed = actor.get("otherIdentifiers") if isinstance(actor, dict) else None
    for entry in listed if isinstance(listed, list) else ():
        if isinstance(entry, dict) and term(entry.get("identifierType")) in types:
            value = entry.get("identifier")
            if isinstance(value, str) and value.strip():
                return value
    return None


def _canvas_extension(actor: Any, name: str) -> str | None:
    extensions = actor.get("extensions") if isinstance(actor, dict) else None
    canvas = extensions.get(_CANVAS_EXTENSION) if isinstance(extensions, dict) else None
    value = canvas.get(name) if isinstance(canvas, dict) else None
    return value if isinstance(value, str) and value.strip() else None


RESOURCES: dict[str, Resource] = {
    "event": Resource(
        "event",
        (
            Field("event_key", required=True, doc="the event's UUID, else a keyed hash of the whole event"),
            Field("eventTime", TIMESTAMP, required=True),
            Field("type", convert=term),
            Field("action", convert=term, required=True),
            Field("profile", convert=term),
            Field("actor_id", path="actor", convert=entity_id, identifier="caliper_actor", required=True),
            Field("actor_sis_id", path="actor", convert=sis_id, identifier="sis_user"),
            Field("actor_email", path="actor", convert=email, identifier="email"),
            Field("actor_canvas_id", path="actor", convert=canvas_id, identifier="canvas_user"),
            Field("actor_type", path="actor", convert=entity_type),
            Field("ed_app", path="edApp", convert=entity_id, url=True),
            Field("object", convert=entity_id, url=True),
            Field("object_type", path="object", convert=entity_type),
            Field("measures", pa.list_(MEASURE), path="generated", convert=measures, doc="cumulative, not to be added"),
        ),
        key=("event_key",),
        kind="event",
        event_time="eventTime",
        full_sync_every=None,
        ignored=names(
            """@context @id @type id target referrer group membership session federatedSession extensions name
            description dateCreated dateModified startedAtTime endedAtTime duration navigatedFrom"""
        ),
        doc="One thing that somebody did, as a learning platform or tool tells it.",
    )
}


class CaliperSettings(PushedSettings):
    kind: Literal["caliper"] = "caliper"


class Caliper(PushedSource):
    """Events of every sensor that has a key for this source."""

    kind: ClassVar[str] = "caliper"
    namespace: ClassVar[str] = "caliper"
    settings_model: ClassVar[type[CaliperSettings]] = CaliperSettings
    declared = RESOURCES
    skipped_note = "Descriptions of entities came beside events; they are nobody's use and are not kept."

    def __init__(self, settings: CaliperSettings, credential: Credential | None) -> None:
        super().__init__(settings, credential)
        self._resources = {name: with_people(resource, settings, entity_id) for name, resource in RESOURCES.items()}

    @property
    def resources(self) -> Mapping[str, Resource]:
        return self._resources

    def rows(self, resource: Resource, delivery: Body, event_key: bytes) -> Iterator[Any]:
        for item in orjson.loads(unpacked(delivery))["data"]:
            if not isinstance(item, dict):
                yield item
            elif is_event(item):
                yield event_row(item, event_key)
            else:
                yield None


def is_event(item: dict[str, Any]) -> bool:
    """An event has an action or calls itself one; anything else in `data` describes an entity."""
    return "action" in item or "actor" in item or (entity_type(item) or "").endswith("Event")


def event_row(item: dict[str, Any], event_key: bytes) -> dict[str, Any]:
    """An event of any version as the contract reads it."""
    identity = uuid_in(item.get("id") or item.get("@id"))
    row = item | {"event_key": identity or content_key(item, event_key)}
    if "type" not in item and "@type" in item:
        row["type"] = item["@type"]
    if not item.get("eventTime") and item.get("startedAtTime"):
        row["eventTime"] = item["startedAtTime"]
    return row
