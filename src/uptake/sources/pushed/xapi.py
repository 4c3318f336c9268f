"""xAPI statements, 1.0.3 and 2.0.

Format: https://github.com/adlnet/xAPI-Spec/blob/master/xAPI-Data.md (1.0.3) and IEEE 9274.1.1 (2.0, which adds context
agents and groups and nothing that is read here). A statement without a timestamp happened when it was received
(Data, 2.4.7). A voided statement does not count, whenever it was voided (Data, 2.3.2): the receiver puts voiding
statements, which are nobody's use, in a spool of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

import orjson
import pyarrow as pa

from uptake.contracts import TIMESTAMP, Field, Resource
from uptake.credentials import Credential
from uptake.sources.pushed.base import Body, PushedSettings, PushedSource, names, term, unpacked, uuid_in, with_people

VOIDED = "http://adlnet.gov/expapi/verbs/voided"
# ISO 8601 durations without the parts whose length is not fixed (Data, 4.6).
_DURATION = re.compile(
    r"P(?:(?P<weeks>[0-9.]+)W)?(?:(?P<days>[0-9.]+)D)?"
    r"(?:T(?:(?P<hours>[0-9.]+)H)?(?:(?P<minutes>[0-9.]+)M)?(?:(?P<seconds>[0-9.]+)S)?)?"
)
_SECONDS = {"weeks": 604_800, "days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}


def actor_id(actor: Any) -> str | None:
    """The actor's inverse functional identifier as one text (Data, 2.4.2.3); an account as `<homePage>|<name>`."""
    if not isinstance(actor, dict):
        return None
    account = actor.get("account")
    if isinstance(account, dict) and isinstance(account.get("name"), str) and account["name"].strip():
        return f"{account.get('homePage', '')}|{account['name']}"
    for name in ("mbox", "mbox_sha1sum", "openid"):
        value = actor.get(name)
        if isinstance(value, str) and value.strip():
            return value
    # An anonymous group has members and no identifier: nobody in particular did it.
    return "(group)" if actor.get("objectType") == "Group" else None


def actor_email(actor: Any) -> str | None:
    """The address of `mbox`, or an account whose name is one (as Moodle's log store can be set to send it)."""
    if not isinstance(actor, dict):
        return None
    mbox, account = actor.get("mbox"), actor.get("account")
    if isinstance(mbox, str) and mbox.lower().startswith("mailto:"):
        return mbox[len("mailto:") :]
    name = account.get("name") if isinstance(account, dict) else None
    return name if isinstance(name, str) and re.fullmatch(r"[^@\s]+@[^@\s]+", name) else None


def actor_home(actor: Any) -> str | None:
    account = actor.get("account") if isinstance(actor, dict) else None
    home = account.get("homePage") if isinstance(account, dict) else None
    return home if isinstance(home, str) else None


def object_type(value: Any) -> str | None:
    """Activity where nothing else is said (Data, 2.4.4)."""
    return term(value.get("objectType", "Activity")) if isinstance(value, dict) else None


def activity_id(value: Any) -> str | None:
    """The activity's identifier; None for an object that is a person, a group or another statement."""
    is_activity = isinstance(value, dict) and value.get("objectType", "Activity") == "Activity"
    identifier = value.get("id") if is_activity else None
    return identifier if isinstance(identifier, str) else None


def verb_term(verb: Any) -> str | None:
    return term(verb.get("id")) if isinstance(verb, dict) else None


def duration_seconds(result: Any) -> float | None:
    """Raises ValueError for a duration that is none."""
    value = result.get("duration") if isinstance(result, dict) else None
    if value is None:
        return None
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None or not any(found.groupdict().values()):
        raise ValueError("not a duration")
    return sum(float(part) * _SECONDS[name] for name, part in found.groupdict().items() if part)


def _of_result(name: str, kind: type | tuple[type, ...]) -> Any:
    def value(result: Any) -> Any:
        found = result.get(name) if isinstance(result, dict) else None
        return found if isinstance(found, kind) else None

    return value


def scaled_score(result: Any) -> float | None:
    score = result.get("score") if isinstance(result, dict) else None
    scaled = score.get("scaled") if isinstance(score, dict) else None
    return scaled if isinstance(scaled, int | float) and not isinstance(scaled, bool) else None


def voids(statement: Mapping[str, Any]) -> str | None:
    """The id of the statement that this one voids; None for any other statement."""
    verb, target = statement.get("verb"), statement.get("object")
    if not isinstance(verb, dict) or verb.get("id") != VOIDED or not isinstance(target, dict):
        return None
    return uuid_in(target.get("id")) if target.get("objectType") == "StatementRef" else None


_IGNORED = names("context version authority attachments objectType")

RESOURCES: dict[str, Resource] = {
    "statement": Resource(
        "statement",
        (
            Field("id", convert=uuid_in, required=True),
            Field("timestamp", TIMESTAMP, required=True),
            Field("stored", TIMESTAMP, doc="when it was received"),
            Field("verb", convert=verb_term, required=True),
            Field("actor_id", path="actor", convert=actor_id, identifier="xapi_actor", required=True),
            Field("actor_sis_id", path="actor", convert=lambda actor: None, identifier="sis_user"),
            Field("actor_email", path="actor", convert=actor_email, identifier="email"),
            Field("actor_canvas_id", path="actor", convert=lambda actor: None, identifier="canvas_user"),
            Field("actor_home", path="actor", convert=actor_home, url=True),
            Field("actor_type", path="actor.objectType", convert=term, doc="null is an agent"),
            Field("activity", path="object", convert=activity_id, url=True),
            Field("object_type", path="object", convert=object_type, required=True),
            Field("duration_seconds", pa.float64(), path="result", convert=duration_seconds),
            Field("success", pa.bool_(), path="result", convert=_of_result("success", bool)),
            Field("completion", pa.bool_(), path="result", convert=_of_result("completion", bool)),
            Field("score_scaled", pa.float64(), path="result", convert=scaled_score),
        ),
        key=("id",),
        kind="event",
        event_time="timestamp",
        full_sync_every=None,
        ignored=_IGNORED,
        doc="One thing that somebody did, as a learning platform or tool tells it.",
    ),
    "voided": Resource(
        "voided",
        (
            Field("statement_id", required=True, doc="the statement that no longer counts"),
            Field("voided_at", TIMESTAMP, path="stored"),
        ),
        key=("statement_id",),
        full_sync_every=None,
        ignored=_IGNORED | names("id timestamp actor verb object result"),
        doc="Statements that were taken back.",
    ),
}


class XapiSettings(PushedSettings):
    kind: Literal["xapi"] = "xapi"


class Xapi(PushedSource):
    """Statements of every sender that has a key for this source."""

    kind: ClassVar[str] = "xapi"
    namespace: ClassVar[str] = "xapi"
    settings_model: ClassVar[type[XapiSettings]] = XapiSettings
    declared = RESOURCES

    def __init__(self, settings: XapiSettings, credential: Credential | None) -> None:
        super().__init__(settings, credential)
        self._resources = RESOURCES | {"statement": with_people(RESOURCES["statement"], settings, actor_id)}

    @property
    def resources(self) -> Mapping[str, Resource]:
        return self._resources

    def rows(self, resource: Resource, delivery: Body, event_key: bytes) -> Iterator[Any]:
        stored = delivery.received_at.isoformat()
        for statement in orjson.loads(unpacked(delivery)):
            row = statement | {"stored": stored}
            if row.get("timestamp") is None:
                row["timestamp"] = stored
            if resource.name == "voided":
                row["statement_id"] = voids(statement)
            yield row
